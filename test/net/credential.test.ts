import { createHash, verify, X509Certificate } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Reread, type RereadOptions } from '../../src/lib/reread.ts';
import { Secret } from '../../src/lib/secret.ts';
import { openAgent } from '../../src/net/agent.ts';
import { openCredential } from '../../src/net/credential.ts';
import type { CredentialSettings } from '../../src/net/tenant.ts';
import { encryptKey, makeClientCertificate } from '../support/client-certificate.ts';
import { testFolder } from '../support/folder.ts';
import { collectLog } from '../support/log.ts';
import {
  aToken,
  CANARY_SECRET,
  CLIENT_ID,
  type Reply,
  type Script,
  scriptGraph,
  TENANT_ID,
  tokenReply,
} from '../support/scripted-graph.ts';

const SCOPE = 'https://graph.microsoft.com/.default';
const never = new AbortController().signal;

interface SignInOptions {
  readonly credential?: CredentialSettings;
  readonly timeoutMs?: number;
  readonly now?: () => number;
  readonly reread?: RereadOptions;
}

/** A credential against a token authority that answers by script. */
async function signIn(token?: Script['token'], options: SignInOptions = {}) {
  const graph = () => expect.fail('Graph is not asked');
  const scripted = await scriptGraph(token ? { graph, token } : { graph });
  const { credential: chosen, timeoutMs = 10_000, now = Date.now, reread = {} } = options;
  const settings = { ...scripted.settings, ...(chosen && { credential: chosen }) };
  const agent = openAgent(settings, {}, reread);
  const log = collectLog();
  const expires: number[] = [];
  const opened = { agent, timeoutMs, log, now, reread, expires: (atMs: number) => expires.push(atMs) };
  const credential = openCredential(settings, opened);
  onTestFinished(() => {
    credential.close();
    agent.close();
  });
  const forms = () => scripted.tokensAsked.map(({ body }) => new URLSearchParams(body));
  return { credential, asked: scripted.tokensAsked, forms, log, expires, origin: scripted.origin };
}

/** Entra ID's refusal of a token. */
function refused(status: number, code: number, text: string): Reply {
  const body = { error: 'invalid', error_description: `AADSTS${code}: ${text}`, error_codes: [code] };
  return { status, body };
}

async function failureOf(request: Promise<unknown>): Promise<Error> {
  const error = await request.then(
    () => expect.fail('it did not fail'),
    (failure: unknown) => failure,
  );
  expect(inspect(error, { depth: 20, showHidden: true })).not.toContain(CANARY_SECRET);
  return error as Error;
}

describe('token()', () => {
  it('asks for the scope with id and secret, and keeps the token', async () => {
    const { credential, asked } = await signIn();
    expect(await credential.token(SCOPE, { signal: never })).toBe(aToken(0));
    expect(await credential.token(SCOPE, { signal: never })).toBe(aToken(0));
    expect(asked).toHaveLength(1);
    const form = new URLSearchParams(asked[0]?.body);
    expect(form.get('grant_type')).toBe('client_credentials');
    expect(form.get('scope')).toBe(SCOPE);
    expect(form.get('client_secret')).toBe(CANARY_SECRET);
  });

  it('gives another one, and keeps that, when a fresh one is asked for', async () => {
    const { credential } = await signIn();
    expect(await credential.token(SCOPE, { signal: never })).toBe(aToken(0));
    expect(await credential.token(SCOPE, { signal: never, fresh: true })).toBe(aToken(1));
    expect(await credential.token(SCOPE, { signal: never })).toBe(aToken(1));
  });

  it('passes the claims of a challenge on, and keeps the token', async () => {
    const { credential, asked } = await signIn();
    const claims = '{"access_token":{"nbf":{"essential":true,"value":"1604106651"}}}';
    await credential.token(SCOPE, { signal: never });
    expect(await credential.token(SCOPE, { signal: never, fresh: true, claims })).toBe(aToken(1));
    expect(new URLSearchParams(asked[1]?.body).get('claims')).toContain('1604106651');
    expect(await credential.token(SCOPE, { signal: never })).toBe(aToken(1));
  });

  it('says that it can answer claims challenges, so that Graph may send them', async () => {
    const { credential, forms } = await signIn();
    await credential.token(SCOPE, { signal: never });
    expect(JSON.parse(forms()[0]?.get('claims') ?? '')).toMatchObject({
      access_token: { xms_cc: { values: ['cp1'] } },
    });
    const claims = '{"access_token":{"nbf":{"essential":true,"value":"1604106651"}}}';
    await credential.token(SCOPE, { signal: never, fresh: true, claims });
    expect(JSON.parse(forms()[1]?.get('claims') ?? '')).toMatchObject({
      access_token: { nbf: { essential: true, value: '1604106651' }, xms_cc: { values: ['cp1'] } },
    });
  });

  it('tells each of two that ask at a time of its own failure', async () => {
    const { credential } = await signIn((asked) =>
      asked.body.includes('one.example') ? { status: 503 } : refused(401, 7000222, 'Expired.'),
    );
    const [one, two] = await Promise.all(
      ['one', 'two'].map((name) =>
        failureOf(credential.token(`https://${name}.example/.default`, { signal: never })),
      ),
    );
    expect(one).toMatchObject({ reason: 'server' });
    expect(two).toMatchObject({ reason: 'auth' });
  });

  it('renews a token before its end', async () => {
    const body = { token_type: 'Bearer', expires_in: 200, access_token: 'short' };
    const { credential, asked } = await signIn(() => ({ body }));
    await credential.token(SCOPE, { signal: never });
    await credential.token(SCOPE, { signal: never });
    expect(asked).toHaveLength(2);
  });

  it('S18: gives up an authority that accepts and never answers', async () => {
    const { credential } = await signIn(() => () => {}, { timeoutMs: 300 });
    const error = await failureOf(credential.token(SCOPE, { signal: never }));
    expect(error).toMatchObject({
      reason: 'timeout',
      message: expect.stringContaining('no token within 0.3 s'),
    });
  });

  it('S18: ends with an AbortError at the signal, and when it is closed', async () => {
    const stop = new AbortController();
    const { credential } = await signIn(() => () => stop.abort());
    expect(await failureOf(credential.token(SCOPE, { signal: stop.signal }))).toMatchObject({
      name: 'AbortError',
    });
    const waiting = failureOf(credential.token(SCOPE, { signal: never }));
    credential.close();
    expect(await waiting).toMatchObject({ name: 'AbortError' });
  });

  it.each([
    [401, 7000215, 'Invalid client secret provided.', 'the secret’s value (not its ID)'],
    [401, 7000222, 'The provided client secret keys are expired.', 'make a new one'],
    [400, 700016, 'Application was not found in the directory.', 'check clientId and tenantId'],
    [400, 90002, 'Tenant not found.', 'check tenantId and cloud (now global)'],
    [400, 70011, 'The scope is not valid.', 'check cloud (now global) and authorityHost'],
    [400, 50001, 'Something else.', 'AADSTS50001: Something else.'],
  ])('says what to do about HTTP %s with AADSTS%s', async (status, code, text, advice) => {
    const { credential } = await signIn(() => refused(status, code, text));
    const error = await failureOf(credential.token(SCOPE, { signal: never }));
    expect(error).toMatchObject({ reason: 'auth', message: expect.stringContaining(advice) });
    expect(error.message).toContain('tenant contoso');
    expect(error.message).toContain(`AADSTS${code}`);
  });

  it.each<[string, Reply, object]>([
    ['503', { status: 503, headers: { 'retry-after': '7' } }, { reason: 'server', retryAfterMs: 7000 }],
    ['429', { status: 429, headers: { 'retry-after': '7' } }, { reason: 'throttled', retryAfterMs: 7000 }],
    [
      '429 until a time of its own clock',
      {
        status: 429,
        headers: { date: 'Tue, 01 Jan 2030 12:00:00 GMT', 'retry-after': 'Tue, 01 Jan 2030 12:00:07 GMT' },
      },
      { reason: 'throttled', retryAfterMs: 7000 },
    ],
    ['a reset', (response) => response.destroy(), { reason: 'network' }],
    ['HTML', { headers: { 'content-type': 'text/html' }, body: '<html>log in</html>' }, { reason: 'answer' }],
    ['no token', { body: { token_type: 'Bearer' } }, { reason: 'answer' }],
  ])('tells what passes (%s) by status, and asks again at the next call', async (_, reply, expected) => {
    // The SDK would answer the next call from memory for a minute.
    const { credential } = await signIn((_asked, n) => (n === 0 ? reply : tokenReply('good')));
    expect(await failureOf(credential.token(SCOPE, { signal: never }))).toMatchObject(expected);
    expect(await credential.token(SCOPE, { signal: never })).toBe('good');
  });

  it('S11: leaks no secret that the authority echoes', async () => {
    const { credential } = await signIn((asked) =>
      refused(401, 7000215, `you sent ${asked.body} ${CANARY_SECRET}`),
    );
    const error = await failureOf(credential.token(SCOPE, { signal: never }));
    expect(error.message).toContain('***');
  });
});

/** A JWT's parts. */
function decoded(jwt: string) {
  const [header = '', claims = '', signature = ''] = jwt.split('.');
  const read = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString());
  return { header: read(header), claims: read(claims), signed: `${header}.${claims}`, signature };
}

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

describe('client-certificate', () => {
  /** A file with this in it, and a clock for reading it again. */
  function scene(pem: string, password?: Secret) {
    const certificate = join(testFolder(), 'app.pem');
    writeFileSync(certificate, pem);
    const time = { now: 0 };
    const credential: CredentialSettings = {
      type: 'client-certificate',
      clientId: CLIENT_ID,
      certificate,
      ...(password && { password }),
    };
    return { certificate, time, credential, reread: { clock: () => time.now } };
  }

  it('signs with the key, and sends the certificate with its chain', async () => {
    const { key, cert, chain } = await makeClientCertificate();
    const pem = chain + encryptKey(key, 'canary-password') + cert;
    const { credential: settings, reread } = scene(pem, new Secret('canary-password'));
    const { credential, forms, origin } = await signIn(undefined, { credential: settings, reread });
    expect(await credential.token(SCOPE, { signal: never })).toBe(aToken(0));
    expect(forms()[0]?.get('client_assertion_type')).toBe(ASSERTION_TYPE);
    expect(forms()[0]?.get('client_secret')).toBeNull();
    const { header, claims, signed, signature } = decoded(forms()[0]?.get('client_assertion') ?? '');
    const own = new X509Certificate(cert);
    expect(header).toMatchObject({
      alg: 'PS256',
      'x5t#S256': createHash('sha256').update(own.raw).digest('base64url'),
      x5c: [own, new X509Certificate(chain)].map(({ raw }) => raw.toString('base64')),
    });
    expect(claims).toMatchObject({
      iss: CLIENT_ID,
      sub: CLIENT_ID,
      aud: `${origin}/${TENANT_ID}/oauth2/v2.0/token`,
    });
    const pss = { key: own.publicKey, padding: 6, saltLength: 32 };
    expect(verify('sha256', Buffer.from(signed), pss, Buffer.from(signature, 'base64url'))).toBe(true);
  });

  it('S12: signs in with the certificate that was put in place of the old one, and tells when it expires', async () => {
    const first = await makeClientCertificate(new Date(Date.now() + 10 * 86_400_000));
    const second = await makeClientCertificate(new Date(Date.now() + 400 * 86_400_000));
    const { certificate, time, credential: settings, reread } = scene(first.cert + first.key);
    const { credential, forms, log, expires } = await signIn(undefined, { credential: settings, reread });
    await credential.token(SCOPE, { signal: never });
    const told = () => log.lines.map(({ level, message }) => `${level}: ${message}`);
    expect(told()).toEqual([
      expect.stringMatching(/^warn: the client certificate of tenant contoso expires on/),
    ]);

    // Half of it is there.
    writeFileSync(certificate, second.cert + second.key.slice(0, 500));
    time.now += 30_000;
    await credential.token(SCOPE, { signal: never });
    await credential.token(SCOPE, { signal: never });
    expect(told().slice(1)).toEqual([
      `warn: file ${certificate} has no private key; put key and certificate into one PEM file; what was there before stays in use`,
    ]);
    expect(forms()).toHaveLength(1);

    // The same file, but the new key beside the old certificate.
    writeFileSync(certificate, first.cert + second.key);
    time.now += 30_000;
    expect(await credential.token(SCOPE, { signal: never })).toBe(aToken(0));
    expect(told().at(-1)).toContain('belongs to none of its certificates');

    writeFileSync(certificate, second.cert + second.key);
    time.now += 30_000;
    expect(await credential.token(SCOPE, { signal: never })).toBe(aToken(1));
    const { header } = decoded(forms()[1]?.get('client_assertion') ?? '');
    expect(header.x5c).toEqual([new X509Certificate(second.cert).raw.toString('base64')]);
    expect(told().slice(-2)).toEqual([
      'info: the client certificate has been replaced; signing in with the new one',
      'info: the files of this tenant can be read again',
    ]);
    expect(expires).toEqual([first, second].map(({ cert }) => Date.parse(new X509Certificate(cert).validTo)));
  });

  it('goes on with the old one when the file has gone', async () => {
    const { cert, key } = await makeClientCertificate();
    const { certificate, time, credential: settings, reread } = scene(cert + key);
    const { credential, log } = await signIn(undefined, { credential: settings, reread });
    rmSync(certificate);
    time.now += 30_000;
    expect(await credential.token(SCOPE, { signal: never, fresh: true })).toBe(aToken(0));
    expect(log.lines[0]?.message).toBe(
      `file ${certificate} does not exist; what was there before stays in use`,
    );
  });

  it('says what to do about one that is not known', async () => {
    const { cert, key } = await makeClientCertificate();
    const { credential: settings, reread } = scene(cert + key);
    const text = 'The certificate with identifier used to sign the client assertion is not registered.';
    const answer = (asked: { body: string }) => refused(401, 700027, `${text} You sent ${asked.body}`);
    const { credential, forms } = await signIn(answer, { credential: settings, reread });
    const error = await failureOf(credential.token(SCOPE, { signal: never }));
    expect(error.message).toContain(`upload it to app ${CLIENT_ID}`);
    expect(error.message).not.toContain(forms()[0]?.get('client_assertion'));
  });

  it('refuses one that cannot be used', async () => {
    const { cert } = await makeClientCertificate();
    const { credential, certificate } = scene(cert);
    await expect(signIn(undefined, { credential })).rejects.toThrow(
      `tenant contoso: file ${certificate} has no private key`,
    );
    const missing: CredentialSettings = {
      type: 'client-certificate',
      clientId: CLIENT_ID,
      certificate: '/absent',
    };
    await expect(signIn(undefined, { credential: missing })).rejects.toThrow('file /absent does not exist');
  });
});

describe('workload-identity', () => {
  function scene(text: string) {
    const tokenFile = join(testFolder(), 'token');
    writeFileSync(tokenFile, text);
    return { tokenFile, settings: { type: 'workload-identity', clientId: CLIENT_ID, tokenFile } as const };
  }

  it('sends the token of the workload, as it is in the file at that time', async () => {
    const { tokenFile, settings } = scene('a.b.first\n');
    const body = { token_type: 'Bearer', expires_in: 200, access_token: 'short' };
    const { credential, forms } = await signIn(() => ({ body }), { credential: settings });
    await credential.token(SCOPE, { signal: never });
    writeFileSync(tokenFile, 'a.b.second');
    await credential.token(SCOPE, { signal: never });
    expect(forms().map((form) => form.get('client_assertion'))).toEqual(['a.b.first', 'a.b.second']);
    expect(forms()[0]?.get('client_assertion_type')).toBe(ASSERTION_TYPE);
  });

  it.each([
    ['is gone', (file: string) => rmSync(file), 'does not exist'],
    ['is empty', (file: string) => writeFileSync(file, '\n'), 'is empty'],
  ])('says that the file %s, and works again when it is there', async (_, spoil, message) => {
    const { tokenFile, settings } = scene('a.b.c');
    const { credential } = await signIn(undefined, { credential: settings });
    spoil(tokenFile);
    const error = await failureOf(credential.token(SCOPE, { signal: never }));
    expect(error).toMatchObject({ reason: 'auth', message: `file ${tokenFile} ${message}` });
    writeFileSync(tokenFile, 'a.b.c');
    expect(await credential.token(SCOPE, { signal: never })).toBe(aToken(0));
  });

  it.each([
    [700024, 'Client assertion is not within its valid time range.', 'is too old; see why it is not renewed'],
    [700213, 'No matching federated identity record found.', 'compare its subject with the one named here'],
  ])('says what to do about AADSTS%s', async (code, text, advice) => {
    const { settings } = scene('a.b.canary-assertion');
    const answer = (asked: { body: string }) => refused(401, code, `${text} ${asked.body}`);
    const { credential } = await signIn(answer, { credential: settings });
    const error = await failureOf(credential.token(SCOPE, { signal: never }));
    expect(error).toMatchObject({ reason: 'auth', message: expect.stringContaining(advice) });
    expect(error.message).not.toContain('canary-assertion');
  });
});

describe('client-secret', () => {
  /** A secret from a file that the test changes. */
  function scene() {
    const outside = { text: CANARY_SECRET, now: 0 };
    const read = () => {
      if (outside.text === '') throw new Error('file x is empty');
      return outside.text;
    };
    const clientSecret = new Secret(CANARY_SECRET);
    clientSecret.follow(new Reread(CANARY_SECRET, read, { clock: () => outside.now }), '/run/secrets/x');
    const settings: CredentialSettings = { type: 'client-secret', clientId: CLIENT_ID, clientSecret };
    return { outside, settings };
  }

  it('signs in anew with the secret that was put in place of the old one', async () => {
    const { outside, settings } = scene();
    const { credential, forms, log } = await signIn(undefined, { credential: settings });
    await credential.token(SCOPE, { signal: never });
    outside.text = '';
    outside.now += 30_000;
    await credential.token(SCOPE, { signal: never });
    await credential.token(SCOPE, { signal: never });
    outside.text = 'canary-second';
    outside.now += 30_000;
    expect(await credential.token(SCOPE, { signal: never })).toBe(aToken(1));
    expect(forms().map((form) => form.get('client_secret'))).toEqual([CANARY_SECRET, 'canary-second']);
    expect(log.lines.map(({ level, message }) => `${level}: ${message}`)).toEqual([
      'warn: file x is empty; what was there before stays in use',
      'info: the client secret has been replaced; signing in with the new one',
      'info: the files of this tenant can be read again',
    ]);
    expect(inspect(log.lines, { depth: 9 })).not.toContain('canary');
  });

  it('looks at the file at once after a refusal, and does not wait for 30 s', async () => {
    const { outside, settings } = scene();
    const { credential, forms } = await signIn(
      (asked, n) =>
        asked.body.includes('canary-second') ? tokenReply('good') : refused(401, 7000222, `${n}`),
      { credential: settings },
    );
    await failureOf(credential.token(SCOPE, { signal: never }));
    outside.text = 'canary-second';
    expect(await credential.token(SCOPE, { signal: never })).toBe('good');
    expect(forms()).toHaveLength(2);
  });

  it('G12: warns at the start and daily that it expires soon', async () => {
    const { settings } = scene();
    const end = Date.parse('2027-03-01T00:00:00Z');
    const time = { now: end - 8.5 * 86_400_000 };
    const { credential, log, expires } = await signIn(undefined, {
      credential: { ...settings, expires: end } as CredentialSettings,
      now: () => time.now,
    });
    expect(expires).toEqual([end]);
    expect(log.lines.map(({ level }) => level)).toEqual(['warn']);
    for (let hour = 0; hour < 48; hour++) {
      time.now += 3_600_000;
      await credential.token(SCOPE, { signal: never });
    }
    expect(log.lines.map(({ level }) => level)).toEqual(['warn', 'warn', 'error']);
    expect(expires).toEqual([end]);
  });
});
