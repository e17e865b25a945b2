import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { build } from '../../scripts/build.ts';
import { start } from '../cli/child.ts';
import { testFolder } from '../support/folder.ts';
import { startProxy } from '../support/proxy.ts';
import { aToken, CANARY_SECRET, CLIENT_ID, scriptGraph, TENANT_ID } from '../support/scripted-graph.ts';

// Built as the relay is: the SDK finds much of itself while it runs.
const folder = mkdtempSync(join(tmpdir(), 'relay-sign-in-'));
const program = join(folder, 'main.js');
beforeAll(() => build(folder, { input: { main: 'test/support/sign-in.ts' } }), 60_000);
afterAll(() => rmSync(folder, { recursive: true }));

/** Signs in, in a process of its own that has this environment; says what came out of it. */
async function signIn(env: Record<string, string>, settings: object): Promise<object> {
  const given = { name: 'contoso', tenantId: TENANT_ID, timeoutMs: 5000, ...settings };
  const run = start([JSON.stringify(given)], { main: program, env });
  expect(await run.ended, run.stderr).toEqual([0, null]);
  return JSON.parse(run.stdout);
}

/** An endpoint for managed identities: plain HTTP on this machine. */
async function startEndpoint(answer: (response: ServerResponse) => void) {
  const asked: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    asked.push(request);
    answer(response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

const resource = 'https://graph.microsoft.com';
const givesToken = (response: ServerResponse) => {
  const expires_on = String(Math.floor(Date.now() / 1000) + 3600);
  response.setHeader('content-type', 'application/json');
  response.end(
    JSON.stringify({
      access_token: aToken(0),
      expires_in: '3600',
      expires_on,
      resource,
      token_type: 'Bearer',
    }),
  );
};

describe('managed-identity', () => {
  const credential = { type: 'managed-identity' };

  it('G24: asks the machine’s own endpoint, past every proxy, and keeps the token', async () => {
    const { origin, asked } = await startEndpoint(givesToken);
    const proxy = 'http://127.0.0.1:1';
    const env = {
      AZURE_POD_IDENTITY_AUTHORITY_HOST: origin,
      HTTP_PROXY: proxy,
      HTTPS_PROXY: proxy,
      http_proxy: proxy,
      https_proxy: proxy,
    };
    expect(await signIn(env, { credential, proxy, tokens: 2 })).toEqual({
      tokens: [aToken(0), aToken(0)],
      logged: [],
    });
    expect(asked).toHaveLength(1);
    const url = new URL(asked[0]?.url ?? '', origin);
    expect(url.pathname).toBe('/metadata/identity/oauth2/token/');
    expect(Object.fromEntries(url.searchParams)).toEqual({ 'api-version': '2018-02-01', resource });
    expect(asked[0]?.headers.metadata).toBe('true');
  });

  it('names a user-assigned identity, in the cloud that is meant', async () => {
    const { origin, asked } = await startEndpoint(givesToken);
    const env = { AZURE_POD_IDENTITY_AUTHORITY_HOST: origin };
    await signIn(env, { credential: { ...credential, clientId: CLIENT_ID }, cloud: 'usgov-dod' });
    const query = new URL(asked[0]?.url ?? '', origin).searchParams;
    expect(query.get('client_id')).toBe(CLIENT_ID);
    expect(query.get('resource')).toBe('https://dod-graph.microsoft.us');
  });

  it('works in App Service', async () => {
    const { origin, asked } = await startEndpoint(givesToken);
    const env = { IDENTITY_ENDPOINT: `${origin}/msi`, IDENTITY_HEADER: 'canary-header' };
    expect(await signIn(env, { credential })).toEqual({ tokens: [aToken(0)], logged: [] });
    expect(asked[0]?.url).toMatch(/^\/msi\?/);
    expect(asked[0]?.headers['x-identity-header']).toBe('canary-header');
  });

  it('says that the machine has no such identity', async () => {
    const { origin } = await startEndpoint((response) => {
      response.writeHead(400, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ error: 'invalid_request', error_description: 'Identity not found' }));
    });
    expect(await signIn({ AZURE_POD_IDENTITY_AUTHORITY_HOST: origin }, { credential })).toMatchObject({
      reason: 'auth',
      message: `sign-in to tenant contoso is refused by ${new URL(origin).host} (HTTP 400): check that this machine has the identity: Identity not found`,
    });
  });

  it.each([404, 410, 500])('waits until the identity is set up (HTTP %s)', async (status) => {
    const { origin } = await startEndpoint((response) => response.writeHead(status).end());
    expect(await signIn({ AZURE_POD_IDENTITY_AUTHORITY_HOST: origin }, { credential })).toMatchObject({
      reason: 'server',
      message: `${new URL(origin).host} (sign-in) answers HTTP ${status}`,
    });
  });

  it('says that there is nobody to ask', async () => {
    const env = { AZURE_POD_IDENTITY_AUTHORITY_HOST: 'http://127.0.0.1:1' };
    expect(await signIn(env, { credential })).toMatchObject({
      reason: 'network',
      message: expect.stringContaining('127.0.0.1:1 (sign-in) cannot be reached: ECONNREFUSED'),
    });
  });

  it('S18: gives up an endpoint that never answers', async () => {
    const { origin } = await startEndpoint(() => {});
    expect(
      await signIn({ AZURE_POD_IDENTITY_AUTHORITY_HOST: origin }, { credential, timeoutMs: 300 }),
    ).toMatchObject({
      reason: 'timeout',
      message: 'the managed identity endpoint gave no token within 0.3 s',
    });
  });
});

describe('azure-cli', () => {
  const credential = { type: 'azure-cli' };

  /** A folder with an `az` that does this, and notes how it was called. */
  function az(script: string): { PATH: string; calls: () => string[] } {
    const folder = testFolder();
    const notes = join(folder, 'calls');
    writeFileSync(join(folder, 'az'), `#!/bin/sh\necho "$@" >> '${notes}'\n${script}\n`, { mode: 0o755 });
    return {
      PATH: `${folder}:${process.env.PATH}`,
      calls: () => readFileSync(notes, 'utf8').trim().split('\n'),
    };
  }
  const says = (token: string) => {
    const expires_on = Math.floor(Date.now() / 1000) + 3600;
    return `echo '${JSON.stringify({ accessToken: token, expiresOn: '', expires_on, tokenType: 'Bearer' })}'`;
  };

  it('asks for Graph’s token in the tenant, and starts the tool for a new one only', async () => {
    const { PATH, calls } = az(says(aToken(0)));
    expect(await signIn({ PATH }, { credential, tokens: 3 })).toEqual({
      tokens: [aToken(0), aToken(0), aToken(0)],
      logged: [],
    });
    expect(calls()).toEqual([
      `account get-access-token --output json --resource ${resource} --tenant ${TENANT_ID}`,
    ]);
  });

  it('S12: warns of a person', async () => {
    const person = `x.${Buffer.from('{"scp":"User.Read"}').toString('base64url')}.y`;
    const { PATH } = az(says(person));
    expect(await signIn({ PATH }, { credential, tokens: 2 })).toEqual({
      tokens: [person, person],
      logged: [expect.stringContaining('signed in as a person')],
    });
  });

  it('says that nobody is signed in', async () => {
    const { PATH } = az(`echo "ERROR: Please run 'az login' to setup account." >&2; exit 1`);
    expect(await signIn({ PATH }, { credential })).toMatchObject({
      reason: 'auth',
      message: expect.stringMatching(/^sign-in to tenant contoso: the Azure CLI gives no token: .*az login/),
    });
  });

  it('says that there is no Azure CLI', async () => {
    expect(await signIn({ PATH: testFolder() }, { credential })).toMatchObject({
      reason: 'auth',
      message: expect.stringContaining('Azure CLI could not be found'),
    });
  });

  it('S18: gives up a tool that never ends', async () => {
    const { PATH } = az('exec sleep 60');
    expect(await signIn({ PATH }, { credential, timeoutMs: 500 })).toMatchObject({
      reason: 'timeout',
      message: 'the Azure CLI gave no token within 0.5 s',
    });
  });
});

describe('client-secret', () => {
  it.each([
    ['by its address', (origin: string) => origin],
    // Azure's SDK reads the variable too, and does not take this form.
    ['by host and port', (origin: string) => new URL(origin).host],
  ])('G24: goes by the proxy of the environment (%s), with a CA of its own', async (_, named) => {
    const { settings } = await scriptGraph({ graph: () => expect.fail('Graph is not asked') });
    const { authorityHost, graphEndpoint } = settings;
    const proxy = await startProxy();
    const outcome = await signIn(
      { HTTPS_PROXY: named(proxy.origin) },
      {
        authorityHost,
        graphEndpoint,
        ca: proxy.caFile,
        credential: { type: 'client-secret', clientId: CLIENT_ID, clientSecret: CANARY_SECRET },
      },
    );
    expect(outcome).toEqual({ tokens: [aToken(0)], logged: [] });
    expect(proxy.inspected).toHaveLength(2);
  });
});

describe('a running relay', () => {
  it('S11: tells what is wrong with a credential, and no secret, in log and metrics', async () => {
    const secrets = ['canary-secret-in-file', 'canary-password-in-variable'];
    const { settings } = await scriptGraph({
      graph: () => expect.fail('Graph is not asked'),
      token: ({ body }) => {
        const error_description = `AADSTS7000215: Invalid client secret provided: ${body} ${secrets.join(' ')}`;
        return { status: 401, body: { error: 'invalid_client', error_description, error_codes: [7000215] } };
      },
    });
    const proxy = await startProxy();
    const folder = testFolder();
    writeFileSync(join(folder, 'secret'), `${secrets[0]}\n`, { mode: 0o600 });
    writeFileSync(
      join(folder, 'relay.yaml'),
      `
tenants:
  - name: contoso
    tenantId: ${TENANT_ID}
    graphEndpoint: ${settings.graphEndpoint}
    authorityHost: ${settings.authorityHost}
    ca: ${proxy.caFile}
    proxy: ${proxy.origin}
    proxyLogin: { user: relay, password: '\${env:PROXY_PASSWORD}' }
    credential:
      type: client-secret
      clientId: ${CLIENT_ID}
      clientSecret: \${file:secret}
      expires: 2001-02-03
sources: [{ name: alerts, type: graph-alerts, tenant: contoso }]
sinks: [{ name: out, type: stdout }]
server: { listen: 127.0.0.1:0 }
`,
    );
    const program = start(['run', '--config', join(folder, 'relay.yaml')], {
      env: { PROXY_PASSWORD: secrets[1]! },
    });
    const log = () => program.stderr;
    await expect
      .poll(log, { timeout: 20_000 })
      .toContain('set clientSecret to the secret’s value (not its ID)');
    expect(log()).toContain('the client secret of tenant contoso expired on 2001-02-03');
    const metrics = await (await fetch(/http:\S+\/metrics/.exec(log())?.[0] ?? '')).text();
    expect(metrics).toContain(
      `defender_relay_credential_expires_seconds{tenant="contoso"} ${Date.UTC(2001, 1, 3) / 1000}`,
    );
    program.child.kill('SIGTERM');
    expect(await program.ended).toEqual([0, null]);
    for (const secret of secrets) expect(log() + metrics + program.stdout).not.toContain(secret);
  });
});
