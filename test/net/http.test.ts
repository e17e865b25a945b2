import type { RequestListener } from 'node:http';
import { Agent } from 'node:https';
import { type AddressInfo, createServer } from 'node:net';
import { inspect } from 'node:util';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { UnavailableError } from '../../src/core/errors.ts';
import { exchange, type HttpRequest, httpDateMs, retryAfterMs, TooLargeError } from '../../src/net/http.ts';
import { startHttps, testCertificate } from '../support/https.ts';

const TOKEN = 'canary-token';
const never = new AbortController().signal;

async function asking(url: string, overrides: Partial<HttpRequest> = {}): Promise<HttpRequest> {
  const agent = new Agent({ keepAlive: true, ca: (await testCertificate()).ca });
  onTestFinished(() => agent.destroy());
  return {
    url,
    headers: { Authorization: `Bearer ${TOKEN}` },
    agent,
    maxBytes: 1000,
    timeouts: { connectMs: 10_000, firstByteMs: 10_000, wholeMs: 10_000 },
    signal: never,
    ...overrides,
  };
}

async function serve(listener: RequestListener): Promise<string> {
  const server = await startHttps(listener);
  onTestFinished(() => server.close());
  return `${server.origin}/v1.0/things?secret=query`;
}

/** The failure of a request, after a look whether it leaks anything. */
async function failureOf(request: Promise<unknown>): Promise<Error> {
  const error = await request.then(
    () => expect.fail('it did not fail'),
    (failure: unknown) => failure,
  );
  const dump = inspect(error, { depth: 20, showHidden: true });
  expect(dump).not.toContain(TOKEN);
  expect(dump).not.toContain('secret=query');
  return error as Error;
}

describe('exchange()', () => {
  it('gives status, headers and text of any answer', async () => {
    const url = await serve((_, response) => response.writeHead(418, { 'X-Kind': 'pot' }).end('tëa'));
    const answer = await exchange(await asking(url));
    expect(answer).toMatchObject({ status: 418, text: 'tëa' });
    expect(answer.header('x-kind')).toBe('pot');
    expect(answer.header('x-other')).toBeUndefined();
  });

  it('decompresses', async () => {
    const url = await serve((request, response) => {
      expect(request.headers['accept-encoding']).toContain('gzip');
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('{"a":1}'));
    });
    expect((await exchange(await asking(url))).text).toBe('{"a":1}');
  });

  it('does not follow a redirect', async () => {
    let asked = 0;
    const url = await serve((_, response) => {
      asked += 1;
      response.writeHead(302, { location: '/elsewhere' }).end();
    });
    expect((await exchange(await asking(url))).status).toBe(302);
    expect(asked).toBe(1);
  });

  it('refuses more than maxBytes, counted after decompression', async () => {
    const bomb = gzipSync('x'.repeat(100_000));
    const url = await serve((_, response) =>
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb),
    );
    const request = await asking(url);
    expect(bomb.length).toBeLessThan(request.maxBytes);
    expect(await failureOf(exchange(request))).toBeInstanceOf(TooLargeError);
    expect((await exchange({ ...request, maxBytes: 100_000 })).text).toHaveLength(100_000);
  });

  it('S3: gives up a peer that accepts and never shakes hands', async () => {
    const mute = createServer(() => {});
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void mute.close());
    const request = await asking(`https://127.0.0.1:${(mute.address() as AddressInfo).port}/`);
    const timeouts = { ...request.timeouts, connectMs: 50 };
    const error = await failureOf(exchange({ ...request, timeouts }));
    expect(error).toMatchObject({
      reason: 'timeout',
      message: expect.stringContaining('no connection within'),
    });
  });

  it('gives up a server that never answers', async () => {
    const request = await asking(await serve(() => {}));
    const timeouts = { ...request.timeouts, firstByteMs: 100 };
    const error = await failureOf(exchange({ ...request, timeouts }));
    expect(error).toMatchObject({
      reason: 'timeout',
      message: expect.stringContaining('no answer within 0.1 s'),
    });
  });

  it('gives up a body that trickles without end', async () => {
    const url = await serve((_, response) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write('.'), 10);
      response.on('close', () => clearInterval(timer));
    });
    const request = await asking(url);
    const timeouts = { ...request.timeouts, wholeMs: 200 };
    const error = await failureOf(exchange({ ...request, timeouts }));
    expect(error).toMatchObject({
      reason: 'timeout',
      message: expect.stringContaining('no whole answer within'),
    });
  });

  it.each<[string, RequestListener]>([
    ['with a length', (_, response) => response.writeHead(200, { 'content-length': '99' }).write('{"a"')],
    ['in chunks', (_, response) => response.writeHead(200).write('{"a"')],
    [
      'compressed',
      (_, response) => {
        response.writeHead(200, { 'content-encoding': 'gzip' });
        response.write(gzipSync('{"a":1}').subarray(0, 20));
      },
    ],
  ])('fails at a body that is cut off (%s)', async (_, begin) => {
    const url = await serve((request, response) => {
      begin(request, response);
      setTimeout(() => response.socket?.destroy(), 20);
    });
    expect(await failureOf(exchange(await asking(url)))).toMatchObject({ reason: 'answer' });
  });

  it('fails at a body that is not compressed as it says', async () => {
    const url = await serve((_, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end('not gzip');
    });
    expect(await failureOf(exchange(await asking(url)))).toMatchObject({ reason: 'answer' });
  });

  it('says what to do about a refused connection and an unknown CA', async () => {
    const server = await startHttps(() => {});
    await server.close();
    const refused = await failureOf(exchange(await asking(server.origin)));
    expect(refused).toMatchObject({ reason: 'network', message: expect.stringContaining('ECONNREFUSED') });

    const agent = new Agent();
    const url = await serve((_, response) => response.end());
    const untrusted = await failureOf(exchange(await asking(url, { agent })));
    expect(untrusted).toMatchObject({
      reason: 'network',
      message: expect.stringContaining('as `ca` of the tenant'),
    });
  });

  it.each<[string, RequestListener]>([
    ['before the head', () => {}],
    ['in the body', (_, response) => response.writeHead(200).write('x')],
  ])('ends with an AbortError at the signal (%s)', async (_, listener) => {
    const stop = new AbortController();
    const url = await serve((request, response) => {
      listener(request, response);
      setTimeout(() => stop.abort(), 20);
    });
    const request = await asking(url, { signal: stop.signal });
    expect(await failureOf(exchange(request))).toMatchObject({ name: 'AbortError' });
    expect(await failureOf(exchange(request))).toMatchObject({ name: 'AbortError' });
  });

  it('asks once more when an idle connection was closed just as it was used again', async () => {
    let asked = 0;
    const url = await serve((request, response) => {
      asked += 1;
      if (asked === 2) request.socket.destroy();
      else response.end(String(asked));
    });
    const request = await asking(url);
    expect((await exchange(request)).text).toBe('1');
    expect((await exchange(request)).text).toBe('3');
  });

  it('does not ask again when a fresh connection is reset', async () => {
    let asked = 0;
    const url = await serve((request) => {
      asked += 1;
      request.socket.destroy();
    });
    expect(await failureOf(exchange(await asking(url)))).toBeInstanceOf(UnavailableError);
    expect(asked).toBe(1);
  });
});

describe('retryAfterMs()', () => {
  const now = Date.parse('2024-08-19T12:00:00Z');
  it.each([
    ['nothing', undefined, undefined],
    ['seconds', '10', 10_000],
    ['seconds with a fraction', ' 1.5 ', 1500],
    ['a date', 'Mon, 19 Aug 2024 12:01:30 GMT', 90_000],
    ['a date that has passed', 'Mon, 19 Aug 2024 11:59:00 GMT', undefined],
    ['no wait', '0', undefined],
    ['a negative number', '-5', undefined],
    ['nonsense', 'soon', undefined],
    ['an empty text', '', undefined],
    ['more than an hour, in seconds', '99999999999', 3_600_000],
    ['more than an hour, as a date', 'Mon, 19 Aug 2054 12:01:30 GMT', 3_600_000],
  ])('reads %s', (_, header, expected) => {
    expect(retryAfterMs(header, now)).toBe(expected);
  });
});

describe('httpDateMs()', () => {
  it('reads a date, and nothing else', () => {
    expect(httpDateMs('Mon, 19 Aug 2024 12:01:30 GMT')).toBe(Date.parse('2024-08-19T12:01:30Z'));
    expect(httpDateMs(undefined)).toBeUndefined();
    expect(httpDateMs('today')).toBeUndefined();
  });
});
