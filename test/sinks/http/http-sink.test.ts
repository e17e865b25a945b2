import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { UnavailableError } from '../../../src/core/errors.ts';
import { Reread } from '../../../src/lib/reread.ts';
import type { Secret } from '../../../src/lib/secret.ts';
import { isAbort } from '../../../src/lib/wait.ts';
import type { HttpSettings } from '../../../src/sinks/http/index.ts';
import { describeSinkContract } from '../../contracts/sink.contract.ts';
import { testCertificates } from '../../support/certificates.ts';
import { aReceiver, type Script, startReceiver } from '../../support/http-receiver.ts';
import { utf8 } from '../../support/utf8.ts';
import { createSink, events, failureOf, linesOf, never, openSink, type Settings, send } from './support.ts';

const credentials: Settings = {
  auth: { type: 'bearer', token: 'canary-1' },
  headers: [{ name: 'X-Key', secret: 'canary-2' }],
};

/** The worst receiver repeats all that it was told. */
const failures: Readonly<Record<string, Script>> = {
  'server error': ({ path, headers }) => ({ status: 500, body: path + JSON.stringify(headers) }),
  'throttled receiver': () => ({ status: 429, headers: { 'Retry-After': '1' } }),
  'credential that is refused': ({ path, headers }) => ({
    status: 401,
    body: path + JSON.stringify(headers),
  }),
  'wrong address': ({ path }) => ({ status: 404, body: path }),
  redirect: ({ path }) => ({ status: 307, headers: { Location: `https://elsewhere.test${path}` } }),
  'login page': ({ path }) => ({ headers: { 'Content-Type': 'text/html' }, body: `<html>${path}` }),
  'answer cut off': () => ({ status: 500, after: Promise.reject(new Error('gone')) }),
};

describeSinkContract('http', { confirmsAtOnce: true, failures: Object.keys(failures) }, async () => {
  const receiver = await startReceiver();
  const { sink, lines } = createSink({ secretUrl: `${receiver.origin}/canary-3`, ...credentials });
  let taken = () => receiver.taken;
  return {
    sink,
    lines,
    secrets: ['canary'],
    arrived: () => taken(),
    breakDown(how = '') {
      const script = failures[how];
      if (!script) return receiver.breakDown();
      // What it answers in vain it has not got.
      const before = receiver.taken.length;
      taken = () => receiver.taken.slice(before);
      receiver.play(script);
    },
    refuse: (message) => receiver.play(({ lines: all }) => ({ status: all.includes(message) ? 422 : 200 })),
    mend() {
      receiver.mend();
      receiver.play(() => ({}));
    },
    stop: () => receiver.close(),
  };
});

const oauth2 = (origin: string) =>
  ({
    type: 'oauth2',
    tokenUrl: `${origin}/token`,
    clientId: 'relay',
    clientSecret: 'canary',
    scope: 'in',
  }) as const;
const token = (n: number, life?: number) => ({
  body: JSON.stringify({ access_token: `token-${n}`, token_type: 'Bearer', expires_in: life }),
});

/** Speaks for itself on each connection, and need not speak HTTP. */
async function aPeer(speak: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    speak(socket);
  }).listen(0, '127.0.0.1');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('a request', () => {
  it('has a line for each event, and says what it is', async () => {
    const { origin, received } = await aReceiver();
    const { sink } = await openSink({ url: `${origin}/in?source=defender` });
    await send(sink, events(2));
    expect(received).toMatchObject([
      {
        method: 'POST',
        path: '/in?source=defender',
        text: '{"event":1}\n{"event":2}\n',
        headers: { 'content-type': 'application/x-ndjson', 'user-agent': 'defender-relay' },
      },
    ]);
  });

  it('is an array, or one event alone, where that is wanted', async () => {
    const { origin, received } = await aReceiver();
    const array = await openSink({ url: origin, body: 'array', method: 'PUT' });
    await send(array.sink, events(2));
    const single = await openSink({ url: origin, body: 'single' });
    await send(single.sink, events(2, 3));
    expect(received.map(({ method, text }) => `${method} ${text}`)).toEqual([
      'PUT [{"event":1},{"event":2}]',
      'POST {"event":3}',
      'POST {"event":4}',
    ]);
    expect(received.map(({ headers }) => headers['content-type'])).toEqual(
      Array.from({ length: 3 }, () => 'application/json'),
    );
  });

  it('has no more bytes than it may', async () => {
    const { origin, received } = await aReceiver();
    const { sink } = await openSink({ url: origin, maxRequestBytes: '16KiB' });
    const batch = events(10).map((one) => ({ ...one, events: utf8(`{"text":"${'x'.repeat(4000)}"}`) }));
    await send(sink, batch);
    expect(received.map(({ lines }) => lines.length)).toEqual([4, 4, 2]);
  });

  it.each(['gzip', 'zstd'] as const)('is compressed by %s', async (compression) => {
    const { origin, received, taken } = await aReceiver();
    const { sink } = await openSink({ url: origin, compression });
    await send(sink, events(3));
    expect(received[0]?.headers['content-encoding']).toBe(compression);
    expect(taken).toEqual(linesOf(events(3)));
  });

  it('is not compressed any more once the receiver has said 415, and that is told', async () => {
    const { origin, received, taken } = await aReceiver(({ headers }) => ({
      status: headers['content-encoding'] ? 415 : 200,
    }));
    const { sink, lines } = await openSink({ url: origin, compression: 'zstd' });
    await send(sink, events(1));
    await send(sink, events(1, 2));
    expect(received).toHaveLength(3);
    expect(taken).toEqual(linesOf(events(2)));
    expect(lines).toMatchObject([{ level: 'warn', message: expect.stringContaining('not compressed') }]);
    expect(sink.notes?.()).toEqual([expect.stringContaining('does not take zstd')]);
  });

  it('is sent again as it is by each that was under way with compression', async () => {
    const { origin, taken } = await aReceiver(({ headers }) => ({
      status: headers['content-encoding'] ? 415 : 200,
    }));
    const { sink, lines } = await openSink({ url: origin, compression: 'gzip' });
    await Promise.all([1, 2, 3].map((from) => send(sink, events(1, from))));
    expect(taken.toSorted()).toEqual(linesOf(events(3)));
    expect(lines).toHaveLength(1);
  });

  it('has the credentials and headers of the config', async () => {
    const { origin, received } = await aReceiver();
    const headers = [
      { name: 'X-Source', value: 'defender' },
      { name: 'X-Key', secret: 'canary-1' },
    ];
    const auths = [
      { type: 'basic', user: 'relay', password: 'pässword' },
      { type: 'bearer', token: 'canary-2' },
      { type: 'api-key', key: 'canary-3' },
    ] as const;
    for (const auth of auths) await send((await openSink({ url: origin, headers, auth })).sink, events(1));
    expect(received).toMatchObject([
      { headers: { authorization: `Basic ${Buffer.from('relay:pässword').toString('base64')}` } },
      { headers: { authorization: 'Bearer canary-2', 'x-source': 'defender', 'x-key': 'canary-1' } },
      { headers: { 'x-api-key': 'canary-3' } },
    ]);
  });
});

describe('an answer', () => {
  it.each([200, 201, 202, 204])('of %i is the receipt', async (status) => {
    const { origin } = await aReceiver(() => ({ status }));
    const { sink } = await openSink({ url: origin });
    expect(await send(sink, events(2))).toEqual({ refused: [] });
  });

  it('is the receipt if it says a plain word under the type of a page', async () => {
    const { origin } = await aReceiver(() => ({ headers: { 'content-type': 'text/html' }, body: 'ok' }));
    const { sink } = await openSink({ url: origin });
    expect(await send(sink, events(1))).toEqual({ refused: [] });
  });

  it('may be long: only its beginning is read', async () => {
    const { origin } = await aReceiver(() => ({ body: 'x'.repeat(1_000_000) }));
    const { sink } = await openSink({ url: origin });
    expect(await send(sink, events(1))).toEqual({ refused: [] });
  });

  it('is no receipt from one who has not read the request, and the connection goes', async () => {
    const sockets: Socket[] = [];
    const origin = await aPeer((socket) => {
      sockets.push(socket);
      socket.once('data', () => socket.pause().write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'));
    });
    const { sink } = await openSink({ url: origin });
    // More than the buffers of both ends take.
    const [one] = events(1);
    const error = await failureOf(
      send(sink, [{ ...one!, events: utf8(`{"text":"${'x'.repeat(20_000_000)}"}`) }]),
    );
    expect(error).toMatchObject({ reason: 'answer', message: expect.stringContaining('before it has read') });
    await once(sockets[0]!.resume(), 'close');
    expect(sockets).toHaveLength(1);
  });

  it.each([
    ['401', { status: 401 }, 'auth', 'check auth'],
    ['403', { status: 403 }, 'auth', 'rights'],
    ['404', { status: 404 }, 'config', 'check url'],
    ['405', { status: 405 }, 'config', 'check method'],
    ['410', { status: 410 }, 'config', 'another url'],
    ['501', { status: 501 }, 'config', 'check method'],
    ['415 without compression', { status: 415 }, 'config', 'check body'],
    ['an unknown refusal', { status: 418 }, 'config', 'check url'],
    ['verdicts on each event', { status: 207 }, 'config', 'check url'],
    ['500', { status: 500, body: 'out of\norder' }, 'server', 'HTTP 500 (out of order)'],
    ['503', { status: 503 }, 'server', 'HTTP 503'],
    ['409', { status: 409 }, 'server', 'the same request'],
    ['408', { status: 408 }, 'timeout', 'HTTP 408'],
    ['425', { status: 425 }, 'timeout', 'HTTP 425'],
    ['a login page', { body: '\n<!DOCTYPE html><title>Sign in' }, 'answer', 'login page'],
    [
      'a page by its type',
      { headers: { 'content-type': 'text/html' }, body: '<p>Sign in' },
      'answer',
      'login page',
    ],
  ])('of %s keeps everything, and says why', async (_, answer, reason, says) => {
    const { origin } = await aReceiver(() => answer);
    const { sink } = await openSink({ url: origin });
    const error = await failureOf(send(sink, events(20)));
    expect(error).toBeInstanceOf(UnavailableError);
    expect(error).toMatchObject({ reason, message: expect.stringContaining(says) });
  });

  it.each([
    ['seconds', { 'retry-after': '7' }, 7_000],
    [
      'a date, by the clock of the receiver',
      {
        date: 'Tue, 04 Mar 2025 10:00:00 GMT',
        'retry-after': 'Tue, 04 Mar 2025 10:01:30 GMT',
      },
      90_000,
    ],
    ['a day, of which an hour is enough', { 'retry-after': '86400' }, 3_600_000],
    ['nothing', {}, undefined],
    ['nonsense', { 'retry-after': 'later' }, undefined],
  ])('of 429 is waited for: %s', async (_, headers, retryAfterMs) => {
    const { origin } = await aReceiver(() => ({ status: 429, headers }));
    const { sink } = await openSink({ url: origin });
    expect(await failureOf(send(sink, events(1)))).toMatchObject({ reason: 'throttled', retryAfterMs });
  });

  it('S11: that is a redirect is not followed, and the credentials stay', async () => {
    const other = await aReceiver();
    const { origin } = await aReceiver(() => ({
      status: 307,
      headers: { location: `${other.origin}/?to=me` },
    }));
    const { sink } = await openSink({ url: origin, auth: { type: 'bearer', token: 'canary' } });
    const { message } = await failureOf(send(sink, events(1)));
    expect(message).toContain(`a redirect to ${other.origin}, which is not followed`);
    expect(other.received).toEqual([]);
  });

  it('S11: that echoes what it was told tells nobody', async () => {
    const { origin } = await aReceiver(({ headers }) => ({ status: 500, body: JSON.stringify(headers) }));
    const auths = [
      { type: 'basic', user: 'relay', password: 'canary-1' },
      { type: 'bearer', token: 'canary-2' },
      { type: 'api-key', key: 'canary-3' },
    ] as const;
    for (const auth of auths) {
      const { sink } = await openSink({
        url: origin,
        auth,
        headers: [{ name: 'X-Key', secret: 'canary-4' }],
      });
      const { message } = await failureOf(send(sink, events(1)));
      expect(message).not.toMatch(/canary|cmVsYXk6/);
      expect(message).toContain('***');
    }
  });

  it('S11: that echoes a secret address tells nobody', async () => {
    const { origin, received } = await aReceiver(({ path }) => ({ status: 500, body: `no ${path} here` }));
    const { sink } = await openSink({ secretUrl: `${origin}/canary-1?key=canary-2` });
    const { message } = await failureOf(send(sink, events(1)));
    expect(received[0]?.path).toBe('/canary-1?key=canary-2');
    expect(message).toContain('(no *** here)');
  });

  it('S11: of a proxy that tells what it was told tells nobody its login, and has the newest', async () => {
    const proxy = await aReceiver(({ headers }) => {
      const login = headers['proxy-authorization'] ?? '';
      return { status: 500, body: `${login} ${Buffer.from(login.replace('Basic ', ''), 'base64')}` };
    });
    let password = 'canary-1';
    const settings = {
      url: 'http://siem.example.com',
      tls: { insecure: true },
      proxy: proxy.origin,
      proxyLogin: { user: 'relay', password },
    };
    const { sink } = await openSink(settings, undefined, ({ proxyLogin }) =>
      proxyLogin?.password.follow(new Reread(password, () => password, { everyMs: 0 }), '/run/secrets/x'),
    );
    for (password of ['canary-1', 'canary-2']) {
      const { message } = await failureOf(send(sink, events(1)));
      expect(message).toContain('answers HTTP 500 (Basic *** relay:***)');
    }
    const logins = proxy.received.map(({ headers }) => headers['proxy-authorization']);
    expect(logins).toEqual(
      ['canary-1', 'canary-2'].map((text) => `Basic ${Buffer.from(`relay:${text}`).toString('base64')}`),
    );
  });

  it.each([
    ['canary-1', 'no hook ***'],
    ['canary-2', 'no hook ***'],
  ])('S11: that echoes a part of a secret address (%s) tells nobody', async (part, says) => {
    const { origin } = await aReceiver(() => ({ status: 404, body: `no hook ${part}` }));
    const { sink } = await openSink({ secretUrl: `${origin}/hooks/canary-1/in?key=canary-2` });
    const { message } = await failureOf(send(sink, events(1)));
    expect(message).toContain(says);
    expect(message).not.toContain('canary');
  });

  it.each<[string, Settings, (settings: HttpSettings) => Secret | undefined]>([
    [
      'the token',
      { auth: { type: 'bearer', token: 'old' } },
      ({ auth }) => (auth.type === 'bearer' ? auth.token : undefined),
    ],
    [
      'a header',
      { headers: [{ name: 'Authorization', secret: 'old' }] },
      ({ headers }) => headers[0]?.secret,
    ],
  ])('of 401 has %s read again, which is used at once', async (_, settings, secretOf) => {
    const { origin, received } = await aReceiver(({ headers }) => ({
      status: headers.authorization?.endsWith('new') ? 200 : 401,
    }));
    let text = 'old';
    const { sink } = await openSink({ url: origin, ...settings }, undefined, (parsed) =>
      secretOf(parsed)?.follow(new Reread(text, () => text), '/run/secrets/x'),
    );
    expect(await failureOf(send(sink, events(1)))).toMatchObject({ reason: 'auth' });
    // Nobody asks twice with the same.
    expect(received).toHaveLength(1);
    text = 'new';
    expect(await send(sink, events(1))).toEqual({ refused: [] });
    expect(received).toHaveLength(3);
  });

  it('that is no HTTP at all, or none, keeps everything', async () => {
    const { origin } = await aReceiver(() => ({ after: new Promise(() => {}) }));
    const slow = await openSink({ url: origin }, 150);
    expect(await failureOf(send(slow.sink, events(1)))).toMatchObject({ reason: 'timeout' });
    const garbage = await aPeer((socket) => void socket.end('SSH-2.0-OpenSSH_9.2\r\n'));
    const other = await openSink({ url: garbage });
    expect(await failureOf(send(other.sink, events(1)))).toMatchObject({
      reason: 'network',
      message: expect.stringContaining('does not speak HTTP'),
    });
    const cut = await aPeer((socket) => {
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok'));
    });
    expect(await failureOf(send((await openSink({ url: cut })).sink, events(1)))).toMatchObject({
      reason: 'answer',
      message: expect.stringContaining('cut off'),
    });
    const nobody = await openSink({ url: 'http://127.0.0.1:1/canary-path' });
    const error = await failureOf(send(nobody.sink, events(1)));
    expect(error).toMatchObject({
      reason: 'network',
      message: expect.stringContaining('127.0.0.1:1 cannot be reached'),
    });
    expect(error.message).not.toContain('canary');
  });
});

it('ends at the signal, whatever the receiver does, and sends the same again', async () => {
  const { origin, received } = await aReceiver(({ n }) => (n === 0 ? { after: new Promise(() => {}) } : {}));
  const { sink } = await openSink({ url: origin });
  const stop = new AbortController();
  const sent = failureOf(sink.send(events(3), stop.signal));
  await expect.poll(() => received.length).toBe(1);
  stop.abort();
  expect(await sent).toSatisfy(isAbort);
  expect(await send(sink, events(5))).toEqual({ refused: [] });
  const keys = received.map(({ headers }) => headers['idempotency-key']);
  expect(keys[1]).toBe(keys[0]);
  expect(received.map(({ lines }) => lines.length)).toEqual([3, 3, 2]);
});

it.each<[string, (origin: string) => string]>([
  ['no address', () => 'canary'],
  ['another scheme', (origin) => `${origin.replace('http:', 'https:')}/canary`],
  ['another host', (origin) => `${origin.replace('127.0.0.1', 'localhost')}/canary`],
  ['a login', (origin) => `${origin.replace('//', '//canary:canary@')}/`],
])('S11: a secret address in which stands %s by now is told, and not used', async (_, next) => {
  const { origin, received } = await aReceiver();
  let text = `${origin}/canary`;
  const { sink } = await openSink({ secretUrl: text }, undefined, ({ secretUrl }) =>
    secretUrl?.follow(new Reread(text, () => text, { everyMs: 0 }), '/run/secrets/x'),
  );
  await send(sink, events(1));
  text = next(origin);
  const error = await failureOf(send(sink, events(1, 2)));
  expect(error).toMatchObject({ reason: 'config', message: expect.stringContaining(origin) });
  expect(error.message).not.toContain('canary');
  expect(received).toHaveLength(1);
});

it('S11: a secret that no header may hold is told, and not what it is', async () => {
  const { origin, received } = await aReceiver();
  const { sink } = await openSink({ url: origin, auth: { type: 'bearer', token: 'canary\u0001\u20ac' } });
  const error = await failureOf(send(sink, events(1)));
  expect(error).toMatchObject({ reason: 'config', message: expect.stringContaining('check auth') });
  expect(error.message).not.toContain('canary');
  expect(received).toEqual([]);
});

it('does not stop to warn of an address at which anybody can listen in', async () => {
  const { sink, lines } = await openSink({ url: 'http://siem.example.com', tls: { insecure: true } });
  await sink.close();
  await sink.open(never);
  expect(lines).toMatchObject([{ level: 'warn', message: expect.stringContaining('http://') }]);
  expect(sink.notes?.()).toEqual([
    expect.stringContaining('tls.insecure'),
    expect.stringContaining('begins with http://'),
  ]);
});

it('does not stop to warn while a connection is kept: of whom it trusts, and of what is sent in clear', async () => {
  vi.useFakeTimers({ toFake: ['Date', 'performance'] });
  onTestFinished(() => void vi.useRealTimers());
  const secure = await aReceiver(undefined, (await testCertificates()).server.good);
  const trusting = await openSink({ url: secure.origin, tls: { insecure: true } });
  const proxy = await aReceiver(({ n, path }) => (path.endsWith('/token') ? token(n) : {}));
  const auth = { ...oauth2('http://login.example.com'), tls: { insecure: true } };
  const url = 'http://siem.example.com';
  const open = await openSink({ url, auth, tls: { insecure: true }, proxy: proxy.origin });
  for (let hour = 0; hour < 3; hour++) {
    for (const { sink } of [trusting, open]) await send(sink, events(2, 1 + 2 * hour));
    vi.advanceTimersByTime(3_600_000);
  }
  const times = ({ lines }: typeof open, said: string) =>
    lines.filter(({ level, message }) => level === 'warn' && message.includes(said)).length;
  expect(times(trusting, 'tls.insecure')).toBe(3);
  expect(times(open, 'url begins with http://')).toBe(3);
  expect(times(open, 'auth.tokenUrl begins with http://')).toBe(3);
  expect(open.sink.notes?.()).toEqual([
    expect.stringMatching(/^tls.insecure.*Give tls.ca/),
    expect.stringMatching(/^auth.tls.insecure.*Give auth.tls.ca or auth.tls.fingerprint/),
    expect.stringContaining('url begins with http://'),
    expect.stringContaining('auth.tokenUrl begins with http://'),
  ]);
});

describe('a receiver that refuses', () => {
  it('one event of twenty is sent the others, and the one is told', async () => {
    const { origin, taken } = await aReceiver(({ text }) =>
      text.includes('"event":13}') ? { status: 400, body: 'no such field' } : {},
    );
    const { sink } = await openSink({ url: origin });
    const { refused } = await send(sink, events(20));
    expect(refused).toEqual([
      { index: 12, reason: 'rejected', detail: expect.stringContaining('HTTP 400 (no such field)') },
    ]);
    expect(taken).toEqual(linesOf(events(20)).filter((_, index) => index !== 12));
  });

  it('what is too much gets less at a time', async () => {
    const { origin, taken, received } = await aReceiver(({ lines }) => ({
      status: lines.length > 6 ? 413 : 200,
    }));
    const { sink, lines } = await openSink({ url: origin });
    expect(await send(sink, events(20))).toEqual({ refused: [] });
    expect(taken).toEqual(linesOf(events(20)));
    expect(received).toHaveLength(7);
    // Not in vain again, and told.
    expect(await send(sink, events(20, 21))).toEqual({ refused: [] });
    expect(received.slice(7).filter(({ lines }) => lines.length > 6)).toEqual([]);
    const told = 'the receiver answered 413 to larger requests';
    expect(lines.filter(({ message }) => message.includes(told))).not.toHaveLength(0);
    expect(sink.notes?.().join()).toContain(told);
  });

  it('an event that is too large is not asked for it again', async () => {
    const { origin } = await aReceiver(({ text }) => ({ status: text.includes('"event":2}') ? 413 : 200 }));
    const { sink } = await openSink({ url: origin });
    const { refused } = await send(sink, events(3));
    expect(refused).toMatchObject([{ index: 1, reason: 'too-large' }]);
    // That was it, and not the request.
    expect(sink.notes?.()).not.toContainEqual(expect.stringContaining('413'));
  });

  it('one part of a record is refused the record', async () => {
    const { origin } = await aReceiver(({ text }) => ({ status: text.includes('bad') ? 422 : 200 }));
    const { sink } = await openSink({ url: origin });
    const [first, second] = events(2);
    const { refused } = await send(sink, [
      { ...first!, events: utf8('{"good":1}', '{"bad":1}', '{"bad":2}') },
      second!,
    ]);
    expect(refused).toMatchObject([{ index: 0, reason: 'rejected' }]);
  });

  it('S4: everything is not asked about every event, and all is kept', async () => {
    const { origin, received } = await aReceiver(() => ({ status: 400 }));
    const { sink } = await openSink({ url: origin });
    expect(await failureOf(send(sink, events(200)))).toMatchObject({ reason: 'config' });
    expect(received.length).toBeLessThan(40);
  });
});

describe('what was sent and not answered for', () => {
  it('comes again in the same request with the same key, and only that', async () => {
    const receiver = await aReceiver(({ n }) => (n === 0 ? { lost: true } : {}));
    const { sink } = await openSink({ url: receiver.origin });
    await failureOf(send(sink, events(3)));
    // Meanwhile more has come.
    await send(sink, events(5));
    const keys = receiver.received.map(({ headers }) => headers['idempotency-key']);
    expect(receiver.received.map(({ lines }) => lines)).toEqual([
      linesOf(events(3)),
      linesOf(events(3)),
      linesOf(events(2, 4)),
    ]);
    expect(keys[0]).toMatch(/^[0-9a-f]{64}$/);
    expect(keys[1]).toBe(keys[0]);
    expect(keys[2]).not.toBe(keys[0]);
  });

  it('has the same key after a restart', async () => {
    const { origin, received } = await aReceiver();
    for (let start = 0; start < 2; start++) await send((await openSink({ url: origin })).sink, events(3));
    expect(received[1]?.headers['idempotency-key']).toBe(received[0]?.headers['idempotency-key']);
  });

  it('is all that comes again of a batch of many requests', async () => {
    const { origin, taken } = await aReceiver(({ n }) => ({ status: n === 3 ? 503 : 200 }));
    const { sink } = await openSink({ url: origin, body: 'single' });
    await failureOf(send(sink, events(6)));
    expect(await send(sink, events(6))).toEqual({ refused: [] });
    expect(taken).toEqual(linesOf(events(6)));
    // Told once more by somebody's wish, it is sent once more.
    const again = events(6).map((one) => ({ ...one, stream: 77 }));
    await send(sink, again);
    expect(taken).toHaveLength(12);
  });
});

it('S4: a single record is sent even if it was accepted before: it shows whether the receiver is well', async () => {
  const receiver = await aReceiver();
  const { sink } = await openSink({ url: receiver.origin });
  await send(sink, events(2));
  receiver.breakDown();
  await failureOf(send(sink, events(1)));
});

describe('several receivers', () => {
  it('take over from each other, and give back', async () => {
    const [a, b] = [await aReceiver(), await aReceiver()];
    const { sink, lines } = await openSink({ urls: [a.origin, b.origin] });
    await send(sink, events(1));
    a.breakDown();
    await send(sink, events(1, 2));
    a.mend();
    b.breakDown();
    await send(sink, events(1, 3));
    expect([a.taken, b.taken]).toEqual([
      [...linesOf(events(1)), ...linesOf(events(1, 3))],
      linesOf(events(1, 2)),
    ]);
    expect(lines.map(({ message }) => message)).toEqual([
      `goes on with ${new URL(b.origin).host}`,
      `goes on with ${new URL(a.origin).host}`,
    ]);
  });

  it('that all fail are told together', async () => {
    const [a, b] = [await aReceiver(() => ({ status: 503 })), await aReceiver(() => ({ status: 404 }))];
    const { sink } = await openSink({ urls: [a.origin, b.origin] });
    const error = await failureOf(send(sink, events(1)));
    expect(error).toMatchObject({
      reason: 'server',
      message: expect.stringMatching(/HTTP 503.*And.*HTTP 404/),
    });
  });
});

describe('OAuth2', () => {
  it('asks for a token once, and again when it is refused', async () => {
    const authority = await aReceiver(({ n }) => token(n, 3600));
    const { origin, received } = await aReceiver(({ n, headers }) => ({
      status: headers.authorization === `Bearer token-${n < 2 ? 0 : 1}` ? 200 : 401,
    }));
    const { sink } = await openSink({ url: origin, auth: oauth2(authority.origin) });
    for (let from = 1; from <= 4; from++) await send(sink, events(1, from));
    expect(authority.received).toHaveLength(2);
    expect(authority.received[0]).toMatchObject({
      text: 'grant_type=client_credentials&scope=in',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        authorization: `Basic ${Buffer.from('relay:canary').toString('base64')}`,
      },
    });
    expect(received.map(({ headers }) => headers.authorization?.slice(-1))).toEqual([
      '0',
      '0',
      '0',
      '1',
      '1',
    ]);
  });

  it('asks once for a new token of a receiver that takes none, and then waits', async () => {
    const authority = await aReceiver(({ n }) => token(n));
    const { origin, received } = await aReceiver(() => ({ status: 401 }));
    const { sink } = await openSink({ url: origin, auth: oauth2(authority.origin) });
    expect(await failureOf(send(sink, events(1)))).toMatchObject({ reason: 'auth' });
    expect([received.length, authority.received.length]).toEqual([2, 2]);
  });

  it('that gives no token is no fault of a receiver, and is told once', async () => {
    const authority = await aReceiver(({ n }) => (n === 0 ? { status: 503 } : token(n)));
    const [a, b] = [await aReceiver(), await aReceiver()];
    const { sink } = await openSink({ urls: [a.origin, b.origin], auth: oauth2(authority.origin) });
    const { message } = await failureOf(send(sink, events(1)));
    expect(message).toBe(`${new URL(authority.origin).host} (auth.tokenUrl) answers HTTP 503`);
    await send(sink, events(1));
    expect([a.received.length, b.received.length, authority.received.length]).toEqual([1, 0, 2]);
    authority.play(() => ({ lost: true }));
    const lost = await openSink({ urls: [a.origin, b.origin], auth: oauth2(authority.origin) });
    expect((await failureOf(send(lost.sink, events(1)))).message).toMatch(
      /^127\.0\.0\.1:\d+ \(auth\.tokenUrl\) cannot be reached: ECONNRESET[^.]*$/,
    );
  });

  it('names the settings of the token server where they are wrong', async () => {
    const authority = await aReceiver(undefined, (await testCertificates()).server.good);
    const { sink } = await openSink({ url: 'http://127.0.0.1:1', auth: oauth2(authority.origin) });
    const { message } = await failureOf(send(sink, events(1)));
    expect(message).toContain('(auth.tokenUrl)');
    expect(message).toContain('as auth.tls.ca');
  });

  it('tells what the token server says, and no secret', async () => {
    const authority = await aReceiver(({ headers, text }) => ({
      status: 401,
      body: JSON.stringify({
        error: 'invalid_client',
        error_description: `${headers.authorization} ${text} canary`,
      }),
    }));
    const { sink } = await openSink({ url: 'http://127.0.0.1:1', auth: oauth2(authority.origin) });
    const error = await failureOf(send(sink, events(1)));
    expect(error).toMatchObject({ reason: 'auth', message: expect.stringContaining('check auth.clientId') });
    expect(error.message).toContain('invalid_client');
    expect(error.message).not.toMatch(/canary|cmVsYXk6/);
  });
});
