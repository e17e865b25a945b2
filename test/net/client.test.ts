import { X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { UsageError } from '../../src/core/errors.ts';
import { Secret } from '../../src/lib/secret.ts';
import { type ClientOptions, HttpClient } from '../../src/net/client.ts';
import { type TlsSettings, tlsSchema } from '../../src/net/tls.ts';
import { testCertificates, writeKeyPair } from '../support/certificates.ts';
import { testFolder } from '../support/folder.ts';
import { aReceiver } from '../support/http-receiver.ts';
import { collectLog } from '../support/log.ts';
import { startProxy } from '../support/proxy.ts';

const never = new AbortController().signal;

function aClient(tls: Partial<TlsSettings> = {}, more: Partial<ClientOptions> = {}) {
  const log = collectLog();
  const client = new HttpClient({ tls: { ...tlsSchema.parse({}), ...tls }, log, env: {}, ...more });
  onTestFinished(() => client.close());
  const ask = (url: string) =>
    client.ask({
      url,
      method: 'POST',
      headers: { authorization: 'Bearer canary' },
      body: Buffer.from('body'),
      maxBytes: 1000,
      timeoutMs: 10_000,
      signal: never,
    });
  const failure = async (url: string) =>
    await ask(url).then(
      () => expect.fail('it did not fail'),
      (error: Error) => error,
    );
  return { client, ask, failure, log };
}

async function aTlsReceiver(more: object = {}) {
  const { server, ca } = await testCertificates();
  const caFile = join(testFolder(), 'ca.pem');
  writeFileSync(caFile, ca);
  const receiver = await aReceiver(undefined, { ...server.good, ...more });
  const fingerprint = new X509Certificate(server.good.cert).fingerprint256.replaceAll(':', '');
  return { receiver, caFile, fingerprint };
}

describe('HttpClient', () => {
  it('sends over TLS to whom the CA vouches for, and keeps the connection', async () => {
    const { receiver, caFile } = await aTlsReceiver();
    const { ask } = aClient({ ca: caFile });
    expect(await ask(receiver.origin)).toMatchObject({ status: 200 });
    expect(await ask(receiver.origin)).toMatchObject({ status: 200 });
    expect(receiver.received).toMatchObject([
      { text: 'body' },
      { headers: { authorization: 'Bearer canary' } },
    ]);
  });

  it('sends nothing to whom it does not trust, and says what to do', async () => {
    const { receiver, caFile, fingerprint } = await aTlsReceiver();
    const untrusted = await aClient().failure(receiver.origin);
    expect(untrusted).toMatchObject({ reason: 'auth', message: expect.stringContaining('tls.ca') });
    const other = `${'0'.repeat(63)}1`;
    const pinned = await aClient({ fingerprint: [other] }).failure(receiver.origin);
    expect(pinned).toMatchObject({
      reason: 'auth',
      message: expect.stringContaining('not the one that is pinned'),
    });
    const named = await aClient({ ca: caFile, serverName: 'other.example' }).failure(receiver.origin);
    expect(named).toMatchObject({ reason: 'auth', message: expect.stringContaining('another name') });
    expect(receiver.received).toEqual([]);
    expect(await aClient({ fingerprint: [other, fingerprint] }).ask(receiver.origin)).toMatchObject({
      status: 200,
    });
  });

  it('shows its certificate', async () => {
    const { client, ca } = await testCertificates();
    const { receiver, caFile } = await aTlsReceiver({ requestCert: true, rejectUnauthorized: true, ca });
    const { cert, key } = writeKeyPair(testFolder(), 'client', client.good);
    expect(await aClient({ ca: caFile, cert, key }).ask(receiver.origin)).toMatchObject({ status: 200 });
    const without = await aClient({ ca: caFile }).failure(receiver.origin);
    expect(without).toMatchObject({ reason: 'auth', message: expect.stringContaining('tls.cert') });
  });

  it('trusts anybody when told to, and does not stop to warn of it', async () => {
    const { receiver } = await aTlsReceiver();
    const { ask, client, log } = aClient({ insecure: true });
    expect(await ask(receiver.origin)).toMatchObject({ status: 200 });
    expect(client.notes()).toEqual([expect.stringContaining('tls.insecure')]);
    expect(log.lines).toMatchObject([{ level: 'warn' }]);
  });

  it('says so when its files cannot be used', async () => {
    const { receiver } = await aTlsReceiver();
    const error = await aClient({ ca: '/nowhere/ca.pem' }).failure(receiver.origin);
    expect(error).toMatchObject({ reason: 'auth', message: expect.stringContaining('/nowhere/ca.pem') });
  });

  it('goes by the proxy of its settings, with login, or by that of the environment', async () => {
    const { receiver } = await aTlsReceiver();
    const proxy = await startProxy();
    const tls = { ca: proxy.caFile };
    const proxyLogin = { user: 'relay', password: new Secret('canary') };
    expect(await aClient(tls, { proxy: proxy.origin, proxyLogin }).ask(receiver.origin)).toMatchObject({
      status: 200,
    });
    const env = { HTTPS_PROXY: proxy.origin };
    expect(await aClient(tls, { env }).ask(receiver.origin)).toMatchObject({ status: 200 });
    expect(proxy.connects).toHaveLength(2);
    expect(proxy.logins).toEqual([`Basic ${Buffer.from('relay:canary').toString('base64')}`, undefined]);
    const direct = await aClient(tls, { env: { ...env, NO_PROXY: '127.0.0.1' } }).failure(receiver.origin);
    expect(direct).toMatchObject({ message: expect.stringContaining('tls.ca') });
    expect(proxy.connects).toHaveLength(2);
    const pinned = await aClient({ ...tls, fingerprint: ['0'.repeat(64)] }, { env }).failure(receiver.origin);
    expect(pinned).toMatchObject({
      reason: 'auth',
      message: expect.stringContaining('not the one that is pinned'),
    });
    expect(receiver.received).toHaveLength(2);
  });

  it('tells that a proxy is on the way which refuses', async () => {
    const proxy = await startProxy();
    proxy.refuses = true;
    const error = await aClient({}, { proxy: proxy.origin }).failure('https://siem.example.com');
    expect(error).toMatchObject({
      reason: 'network',
      message: expect.stringContaining(`proxy ${proxy.origin}`),
    });
  });

  it('tells that a proxy is on the way which says nothing', async () => {
    const proxy = await startProxy();
    proxy.mutes = () => true;
    const { client } = aClient({}, { proxy: proxy.origin });
    const asked = client.ask({
      url: 'https://siem.example.com',
      method: 'POST',
      headers: {},
      body: Buffer.from('body'),
      maxBytes: 1000,
      timeoutMs: 100,
      signal: never,
    });
    await expect(asked).rejects.toMatchObject({
      reason: 'timeout',
      message: expect.stringContaining(`siem.example.com (proxy ${proxy.origin}): no `),
    });
  });

  it('refuses a proxy of the environment that is no address', () => {
    expect(() => aClient({}, { env: { HTTPS_PROXY: 'http://' } })).toThrow(UsageError);
  });
});
