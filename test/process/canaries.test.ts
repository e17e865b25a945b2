/** S11: every secret that a relay has is a canary here, and every far end tells all that it was told. */
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { type Program, start } from '../cli/child.ts';
import { testCertificates } from '../support/certificates.ts';
import { encryptKey, makeClientCertificate } from '../support/client-certificate.ts';
import { testFolder } from '../support/folder.ts';
import { aReceiver } from '../support/http-receiver.ts';
import { startProxy } from '../support/proxy.ts';
import { type Asked, aToken, CLIENT_ID, scriptGraph, TENANT_ID } from '../support/scripted-graph.ts';

const TIMEOUT = { timeout: 25_000 };

const canaries = {
  clientSecret: 'canary~client/secret=1',
  newClientSecret: 'canary~client/secret=2',
  proxyPassword: 'canary proxy pässword',
  hubKey: 'canary~hub+key==',
  hubProxyPassword: 'canary of the hub’s proxy',
  keyPassword: 'canary-key-password',
  sinkPassphrase: 'canary"sink\\passphrase',
  environmentPassword: 'canary-of-the-environment',
  webPassword: 'canary web pässword',
  webKey: 'canary-web-key',
  webClientSecret: 'canary:web/client secret',
} as const;

/** All that a far end was told, told to everybody. */
const echo = ({ url, body, headers }: Asked) =>
  `${url} ${body} ${decodeURIComponent(body.replaceAll('+', ' '))} ${JSON.stringify(headers)} ${headers.authorization}`;

/** Token authority and Graph: refuse, fail and answer nonsense in turn, each time with an echo. */
async function startTelltales() {
  const { origin, settings, graphAsked, tokensAsked } = await scriptGraph({
    token(asked, n) {
      const error_description = `AADSTS7000215: Invalid client secret provided: ${echo(asked)}`;
      const refusal = { error: 'invalid_client', error_description, error_codes: [7000215] };
      if (asked.body.includes('client_assertion') || n < 1) return { status: 401, body: refusal };
      return { body: { token_type: 'Bearer', expires_in: 3599, access_token: aToken(n) } };
    },
    graph(asked, n) {
      const error = { code: 'Forbidden', message: echo(asked), innerError: { 'request-id': echo(asked) } };
      const statuses = [401, 403, 400, 500, 503];
      if (n % 6 === 5) return { headers: { warning: `199 - "${asked.headers.authorization}"` }, status: 206 };
      return { status: statuses[n % 6]!, headers: { 'retry-after': '0' }, body: { error } };
    },
  });
  return { origin, ca: settings.ca, graphAsked, tokensAsked };
}

/** A receiver and token server by HTTP that tell all that they were told, as it came and decoded. */
async function startTelltaleReceiver() {
  return await aReceiver(({ n, path, headers, text }) => {
    if (path === '/token') return { body: JSON.stringify({ access_token: `canary-token-${n}` }) };
    const login = (headers.authorization ?? '').replace(/^\w+ /, '');
    const told = `${path} ${text} ${JSON.stringify(headers)} ${Buffer.from(login, 'base64')}`;
    return { status: [500, 401, 403, 429, 404][n % 5]!, headers: { 'x-told': 'all' }, body: told };
  });
}

/** A proxy that refuses the login, and says which. */
async function startTelltaleProxy() {
  const server = createServer().listen(0, '127.0.0.1');
  let logins = 0;
  server.on('connect', (request, socket) => {
    logins += 1;
    const login = request.headers['proxy-authorization'] ?? '';
    const plain = Buffer.from(login.replace('Basic ', ''), 'base64').toString();
    socket.on('error', () => {});
    socket.end(
      `HTTP/1.1 407 No ${login} ${plain}\r\nproxy-authenticate: Basic realm="${plain}"\r\n\r\n${login} ${plain}`,
    );
  });
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  return { port, logins: () => logins };
}

/** Files and config of a relay with three tenants, by secret, by certificate, and through the environment's proxy. */
async function aRelay() {
  const folder = testFolder();
  const telltales = await startTelltales();
  const proxy = await startProxy();
  const environment = await startTelltaleProxy();
  const web = await startTelltaleReceiver();
  const write = (name: string, text: string) => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const app = await makeClientCertificate();
  write('secret', `${canaries.clientSecret}\n`);
  write('app.pem', encryptKey(app.key, canaries.keyPassword) + app.cert);
  const { client } = await testCertificates();
  write('sink.key', encryptKey(client.good.key, canaries.sinkPassphrase));
  write('sink.crt', client.good.cert);
  const tenant = (name: string, rest: string) => `
  - name: ${name}
    tenantId: ${TENANT_ID}
    graphEndpoint: ${telltales.origin}
    authorityHost: ${telltales.origin}
${rest}`;
  const secret = `{ type: client-secret, clientId: ${CLIENT_ID}, clientSecret: '\${file:secret}' }`;
  const text = `log: { level: debug }
tenants:${tenant(
    'by-secret',
    `    ca: ${proxy.caFile}
    proxy: ${proxy.origin}
    proxyLogin: { user: relay, password: '\${env:PROXY_PASSWORD}' }
    credential: ${secret}`,
  )}${tenant(
    'by-certificate',
    `    ca: ${telltales.ca}
    proxy: ${proxy.origin}
    proxyLogin: { user: relay, password: '\${env:PROXY_PASSWORD}' }
    credential: { type: client-certificate, clientId: ${CLIENT_ID}, certificate: app.pem, password: '\${env:KEY_PASSWORD}' }`,
  )}${tenant('by-environment', `    ca: ${telltales.ca}\n    credential: ${secret}`)}
sources:
${['by-secret', 'by-certificate', 'by-environment']
  .map((name) => `  - { name: from-${name}, type: graph-alerts, tenant: ${name}, every: 1s }`)
  .join('\n')}
sinks:
  - name: siem
    type: syslog
    transport: tls
    host: 127.0.0.1
    port: ${environment.port}
    tls: { cert: sink.crt, key: sink.key, passphrase: '\${env:SINK_PASSPHRASE}', insecure: true }
    delivery: { timeout: 2s, retry: { initial: 100ms, max: 1s } }
  - name: web
    type: http
    secretUrl: '\${env:WEB_URL}'
    auth: { type: basic, user: relay, password: '\${env:WEB_PASSWORD}' }
    headers: [{ name: X-Key, secret: '\${env:WEB_KEY}' }]
    delivery: { timeout: 2s, retry: { initial: 100ms, max: 1s } }
  - name: web-token
    type: http
    url: ${web.origin}/
    auth: { type: oauth2, tokenUrl: '${web.origin}/token', clientId: relay, clientSecret: '\${env:WEB_CLIENT_SECRET}' }
    delivery: { timeout: 2s, retry: { initial: 100ms, max: 1s } }
  - name: hub
    type: event-hubs
    connectionString: '\${env:HUB}'
    proxy: http://127.0.0.1:${environment.port}
    proxyLogin: { user: relay, password: '\${env:HUB_PROXY_PASSWORD}' }
    delivery: { timeout: 2s, retry: { initial: 100ms, max: 1s } }
  - { name: out, type: stdout }
heartbeat: { every: 10s }
server: { listen: 127.0.0.1:0 }
`;
  // The second tenant must be able to reach its authority for it to be told anything.
  const config = write(
    'relay.yaml',
    text.replaceAll(`    ca: ${telltales.ca}\n    proxy:`, `    ca: ${proxy.caFile}\n    proxy:`),
  );
  const env = {
    PROXY_PASSWORD: canaries.proxyPassword,
    KEY_PASSWORD: canaries.keyPassword,
    SINK_PASSPHRASE: canaries.sinkPassphrase,
    WEB_URL: `${web.origin}/canary-path?canary=query`,
    HUB: `Endpoint=sb://hub.example/;SharedAccessKeyName=relay;SharedAccessKey=${canaries.hubKey};EntityPath=alerts`,
    HUB_PROXY_PASSWORD: canaries.hubProxyPassword,
    WEB_PASSWORD: canaries.webPassword,
    WEB_KEY: canaries.webKey,
    WEB_CLIENT_SECRET: canaries.webClientSecret,
    HTTPS_PROXY: `http://relay:${canaries.environmentPassword}@127.0.0.1:${environment.port}`,
  };
  return { folder, telltales, environment, web, config, env, write };
}

/** All that must stand nowhere: the secrets, as they are and as they travel, the private keys, and tokens. */
function everySecret(files: readonly string[], asked: readonly Asked[]): string[] {
  const texts = Object.values(canaries);
  const logins = [
    canaries.proxyPassword,
    canaries.environmentPassword,
    canaries.webPassword,
    canaries.hubProxyPassword,
  ].map((password) => Buffer.from(`relay:${password}`).toString('base64'));
  const keyLines = files.flatMap((text) => /KEY-----\n([^-]+)\n-----END/.exec(text)?.[1]?.split('\n') ?? []);
  const assertions = asked.flatMap(({ body }) => new URLSearchParams(body).get('client_assertion') ?? []);
  expect(assertions.length).toBeGreaterThan(0);
  return [
    ...texts.flatMap((text) => [text, encodeURIComponent(text), JSON.stringify(text).slice(1, -1)]),
    ...logins,
    ...keyLines.filter((line) => line.length > 20),
    ...assertions.map((assertion) => assertion.split('.').at(-1)!),
    'canary',
  ];
}

async function outputOf(program: Program): Promise<string> {
  await program.ended;
  return program.stdout + program.stderr;
}

it('S11: a canary secret appears in no log, metric, status, event, file or error', async () => {
  const { folder, telltales, environment, web, config, env, write } = await aRelay();
  const relay = start(['run', '--config', config], { env });
  const log = () => relay.stderr;
  // Everybody has been told something, and has told it.
  await expect.poll(() => telltales.graphAsked.length, TIMEOUT).toBeGreaterThan(2);
  await expect.poll(log, TIMEOUT).toContain('set clientSecret to the secret’s value (not its ID)');
  await expect.poll(() => environment.logins(), TIMEOUT).toBeGreaterThan(1);
  for (const sink of ['siem', 'hub'])
    await expect.poll(log, TIMEOUT).toMatch(new RegExp(`"sink":"${sink}".*next try`));
  await expect.poll(() => web.received.length, TIMEOUT).toBeGreaterThan(8);
  await expect.poll(log, TIMEOUT).toMatch(/"sink":"web".*next try/);
  await expect.poll(log, TIMEOUT).toMatch(/"sink":"web-token".*next try/);
  // Replaced while it runs.
  write('secret', canaries.newClientSecret);

  // What they have told was written down, without the secrets.
  expect(log()).toContain('Invalid client secret provided: ');
  expect(log()).toContain('***');

  const origin = /(http:\S+)\/metrics/.exec(log())![1]!;
  const shown = await Promise.all(
    ['/metrics', '/status', '/readyz', '/healthz'].map(async (path) =>
      (await fetch(`${origin}${path}`)).text(),
    ),
  );
  expect(shown.join()).toContain('by-certificate');
  // `sinks forget` speaks to the running relay, over its socket.
  const commands = [
    ['status'],
    ['show'],
    ['sinks', 'list'],
    ['sinks', 'forget', 'siem'],
    ['dead-letters', 'list'],
  ];
  const answers = await Promise.all(
    commands.map(([name = '', ...rest]) => outputOf(start([name, ...rest, '--config', config], { env }))),
  );
  expect(answers[1]).toMatch(/clientSecret: \S*\*\*\*/);
  expect(answers[3]).toContain('siem');
  relay.child.kill('SIGTERM');
  expect(await relay.ended).toEqual([0, null]);

  // What is wrong with a config is told without what stands in it.
  const broken = write(
    'broken.yaml',
    readFileSync(config, 'utf8')
      .replaceAll(`'\${file:secret}'`, canaries.clientSecret)
      .replace('every: 1s', 'evry: 1s'),
  );
  const mistakes = await outputOf(start(['validate', '--config', broken], { env }));
  expect(mistakes).toContain('evry');
  const wrongKey = await outputOf(
    start(['run', '--config', config], {
      env: { ...env, KEY_PASSWORD: canaries.sinkPassphrase, SINK_PASSPHRASE: canaries.keyPassword },
    }),
  );
  expect(wrongKey).toContain('password');

  const state = join(folder, 'state');
  const kept = readdirSync(state).map((name) => readFileSync(join(state, name), 'latin1'));
  const everything = [log(), relay.stdout, ...shown, ...answers, mistakes, wrongKey, ...kept].join('\n');
  const keys = ['app.pem', 'sink.key'].map((name) => readFileSync(join(folder, name), 'utf8'));
  const found = everySecret(keys, telltales.tokensAsked).filter((text) => everything.includes(text));
  const where = everything.split('\n').filter((line) => found.some((text) => line.includes(text)));
  expect(where.slice(0, 5)).toEqual([]);
}, 60_000);
