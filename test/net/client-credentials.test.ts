import { describe, expect, it, onTestFinished } from 'vitest';
import { Secret } from '../../src/lib/secret.ts';
import { HttpClient } from '../../src/net/client.ts';
import { ClientCredentials } from '../../src/net/client-credentials.ts';
import { tlsSchema } from '../../src/net/tls.ts';
import { type Answer, aReceiver, type Script } from '../support/http-receiver.ts';
import { collectLog } from '../support/log.ts';

async function someCredentials(script: Script, login: 'basic' | 'body' = 'basic') {
  const server = await aReceiver(script);
  const client = new HttpClient({ tls: tlsSchema.parse({}), log: collectLog(), env: {} });
  onTestFinished(() => client.close());
  const clock = { ms: 0 };
  const settings = {
    tokenUrl: `${server.origin}/token`,
    clientId: 'relay:1',
    clientSecret: new Secret('a b&ä'),
    audience: 'siem',
    login,
  };
  const credentials = new ClientCredentials(settings, client, 10_000, () => clock.ms);
  return { credentials, clock, server };
}

const token = (n: number, expires_in?: number | string): Answer => ({
  body: JSON.stringify({ access_token: `token-${n}`, expires_in }),
});

describe('ClientCredentials', () => {
  it('sends id and secret in the header, encoded as in a form, or in the body', async () => {
    const inHeader = await someCredentials(({ n }) => token(n));
    await inHeader.credentials.token();
    const pair = Buffer.from('relay%3A1:a+b%26%C3%A4').toString('base64');
    expect(inHeader.server.received).toMatchObject([
      { text: 'grant_type=client_credentials&audience=siem', headers: { authorization: `Basic ${pair}` } },
    ]);
    const inBody = await someCredentials(({ n }) => token(n), 'body');
    await inBody.credentials.token();
    expect(Object.fromEntries(new URLSearchParams(inBody.server.received[0]?.text))).toEqual({
      grant_type: 'client_credentials',
      audience: 'siem',
      client_id: 'relay:1',
      client_secret: 'a b&ä',
    });
    expect(inBody.server.received[0]?.headers.authorization).toBeUndefined();
  });

  it('asks once for all who want one, and again before it expires', async () => {
    const { credentials, clock, server } = await someCredentials(({ n }) => token(n, 3600));
    const all = await Promise.all([credentials.token(), credentials.token(), credentials.token()]);
    expect(all).toEqual(['token-0', 'token-0', 'token-0']);
    clock.ms = 3_539_000;
    expect(await credentials.token()).toBe('token-0');
    clock.ms = 3_540_000;
    expect(await credentials.token()).toBe('token-1');
    expect(server.received).toHaveLength(2);
  });

  it('takes one of a minute, and one that does not say for how long', async () => {
    const short = await someCredentials(({ n }) => token(n, '60'));
    await short.credentials.token();
    short.clock.ms = 53_000;
    expect(await short.credentials.token()).toBe('token-0');
    short.clock.ms = 54_000;
    expect(await short.credentials.token()).toBe('token-1');
    const silent = await someCredentials(({ n }) => token(n));
    await silent.credentials.token();
    silent.clock.ms = 269_000;
    expect(await silent.credentials.token()).toBe('token-0');
    silent.clock.ms = 271_000;
    expect(await silent.credentials.token()).toBe('token-1');
  });

  it('gives another one when one is refused, but not for one that has been replaced', async () => {
    const { credentials } = await someCredentials(({ n }) => token(n));
    const first = await credentials.token();
    expect(await credentials.token(first)).toBe('token-1');
    expect(await credentials.token(first)).toBe('token-1');
  });

  it.each<[string, Answer, object]>([
    [
      '401',
      { status: 401, body: '{"error":"invalid_client"}' },
      { reason: 'auth', message: expect.stringContaining('invalid_client') },
    ],
    ['400 without a word', { status: 400 }, { reason: 'auth' }],
    ['429', { status: 429, headers: { 'retry-after': '5' } }, { reason: 'throttled', retryAfterMs: 5000 }],
    ['503', { status: 503 }, { reason: 'server' }],
    ['a redirect', { status: 302, headers: { location: 'http://127.0.0.1:1/' } }, { reason: 'config' }],
    ['no token', { body: '{"access_token":7}' }, { reason: 'config' }],
    ['nonsense', { body: '<html>' }, { reason: 'config' }],
    ['JSON that is no object', { body: 'null' }, { reason: 'config' }],
  ])('waits when the answer is %s, and asks again', async (_, answer, failure) => {
    const { credentials } = await someCredentials(({ n }) => (n === 0 ? answer : token(n)));
    await expect(credentials.token()).rejects.toMatchObject(failure);
    expect(await credentials.token()).toBe('token-1');
  });

  it('gives up at close(), and works again after it', async () => {
    const { credentials, server } = await someCredentials(({ n }) =>
      n === 0 ? { after: new Promise(() => {}) } : token(n),
    );
    const asked = credentials.token();
    await expect.poll(() => server.received.length).toBe(1);
    credentials.close();
    await expect(asked).rejects.toThrow();
    expect(await credentials.token()).toMatch(/^token-\d$/);
  });
});
