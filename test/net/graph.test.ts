import { inspect } from 'node:util';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type GraphOptions, openGraph } from '../../src/net/graph.ts';
import { TooLargeError } from '../../src/net/http.ts';
import { collectLog } from '../support/log.ts';
import {
  aToken,
  CANARY_SECRET,
  graphError,
  type Reply,
  type Script,
  scriptGraph,
  tokenReply,
} from '../support/scripted-graph.ts';

const ROLE = 'SecurityAlert.Read.All';
const good: Reply = { body: { value: [{ id: 'a' }] } };

/** A Graph against a server that answers by script; each request is given by its number. */
async function open(script: Script, overrides: Partial<GraphOptions> = {}) {
  const scripted = await scriptGraph(script);
  const log = collectLog();
  const statuses: string[] = [];
  const throttled: number[] = [];
  const stop = new AbortController();
  const graph = openGraph(scripted.settings, {
    log,
    observer: {
      requested: (status) => statuses.push(status),
      throttled: (seconds) => throttled.push(seconds),
    },
    backoff: { initialMs: 1, maxMs: 4 },
    ...overrides,
  });
  onTestFinished(() => graph.close());
  const page = (path = '/v1.0/security/alerts_v2?$top=1', attempts?: number) =>
    graph.page(path.startsWith('/') ? scripted.origin + path : path, {
      maxBytes: 10_000,
      role: ROLE,
      signal: stop.signal,
      row,
      ...(attempts !== undefined && { attempts }),
    });
  return { ...scripted, graph, log, statuses, throttled, stop, page };
}

const row = (value: unknown) => value;

const replies = (...list: Reply[]): Script => ({
  graph: (_, n) => list[Math.min(n, list.length - 1)] ?? good,
});

/** The failure of a request, after a look whether it or the log leaks anything. */
async function failureOf(request: Promise<unknown>, log: ReturnType<typeof collectLog>): Promise<Error> {
  const error = await request.then(
    () => expect.fail('it did not fail'),
    (failure: unknown) => failure,
  );
  const dump = inspect([error, log.lines], { depth: 20, showHidden: true });
  expect(dump).not.toContain(CANARY_SECRET);
  expect(dump).not.toContain('canary-token');
  return error as Error;
}

describe('page()', () => {
  it('G23: asks with token and Prefer, and gives rows, next link and the server’s time', async () => {
    const body = { value: [{ id: 1 }, null], '@odata.nextLink': 'https://x/next' };
    const headers = { date: 'Mon, 19 Aug 2024 12:00:00 GMT' };
    const { page, graphAsked, statuses } = await open(replies({ headers, body }));
    expect(await page()).toMatchObject({
      rows: [{ id: 1 }, null],
      next: 'https://x/next',
      dateMs: Date.parse('2024-08-19T12:00:00Z'),
    });
    expect(graphAsked[0]?.headers).toMatchObject({
      authorization: `Bearer ${aToken(0)}`,
      prefer: 'include-unknown-enum-members',
    });
    expect(statuses).toEqual(['200']);
  });

  it('keeps integers that a double cannot hold', async () => {
    const { page } = await open(replies({ body: '{"value":[{"n":9007199254740993123}]}' }));
    expect((await page()).rows).toEqual([{ n: 9007199254740993123n }]);
  });

  it('takes a missing next link and a null one for the end', async () => {
    const { page } = await open(
      replies({ body: { value: [] } }, { body: { value: [], '@odata.nextLink': null } }),
    );
    expect((await page()).next).toBeUndefined();
    expect((await page()).next).toBeUndefined();
  });

  it.each<[string, Reply]>([
    ['HTTP 500', graphError(500, 'UnknownError', '')],
    [
      'HTTP 502 with HTML',
      { status: 502, headers: { 'content-type': 'text/html' }, body: '<html>502</html>' },
    ],
    ['HTTP 503', graphError(503, 'ServiceUnavailable', 'The service is temporarily unavailable.')],
    ['HTTP 504', graphError(504, 'UnknownError', '')],
    ['429 without Retry-After', graphError(429, 'TooManyRequests', 'Too many requests.')],
    ['a partial answer', { status: 206, headers: { warning: '199 - "a/b/401/228"' }, body: { value: [] } }],
    ['a redirect', { status: 302, headers: { location: '/login' } }],
    ['cut JSON', { body: '{"value":[{"id":"da63' }],
    ['HTML', { headers: { 'content-type': 'text/html' }, body: '<html>log in</html>' }],
    ['an empty body', { body: '' }],
    ['an array', { body: [] }],
    ['no list', { body: { id: 'a' } }],
    [
      'an error inside',
      { body: { value: [], error: { code: 'UnknownError', message: 'An error has occurred.' } } },
    ],
    ['a next link that is no text', { body: { value: [], '@odata.nextLink': 7 } }],
    ['an empty next link', { body: { value: [], '@odata.nextLink': '' } }],
    ['a connection that is cut', (response) => response.destroy()],
    [
      'a body that is cut',
      (response) => {
        response.writeHead(200, { 'content-length': '999' }).write('{"value":[');
        setTimeout(() => response.destroy(), 10);
      },
    ],
    [
      'a gzip stream that stops early',
      (response) => {
        const whole = gzipSync('{"value":[{"id":"a"},{"id":"b"}]}');
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(whole.subarray(0, whole.length - 12));
      },
    ],
  ])('G9: waits %s out, and tells once when it begins and when it is over', async (_, fault) => {
    const { page, log, graphAsked } = await open(replies(fault, fault, good));
    expect((await page()).rows).toEqual([{ id: 'a' }]);
    expect(graphAsked).toHaveLength(3);
    expect(log.lines.map(({ level }) => level)).toEqual(['warn', 'info']);
    expect(log.lines[1]?.message).toBe('Graph answers again');
  });

  it('waits a mute Graph out', async () => {
    const timeouts = { connectMs: 10_000, firstByteMs: 300, wholeMs: 10_000 };
    const { page, statuses } = await open(
      replies(() => {}, good),
      { timeouts },
    );
    await page();
    expect(statuses[0]).toBe('timeout');
    expect(statuses.at(-1)).toBe('200');
  });

  it('G10: outlasts a storm of 429 that is longer than any budget of retries', async () => {
    const storm = graphError(429, 'TooManyRequests', 'Too many requests.');
    const { page, throttled, log } = await open({ graph: (_, n) => (n < 200 ? storm : good) });
    await page();
    expect(throttled).toHaveLength(200);
    expect(log.lines).toHaveLength(2);
    expect(log.lines[1]).toMatchObject({ level: 'info', fields: { tries: 200 } });
  });

  it('tells who asks of each fault that is waited out, and how long', async () => {
    const busy = graphError(429, 'TooManyRequests', 'Too many requests.');
    const { graph, origin, stop } = await open({ graph: (_, n) => (n < 2 ? busy : good) });
    const waits: [string, number][] = [];
    await graph.page(`${origin}/v1.0/security/alerts_v2`, {
      maxBytes: 10_000,
      role: ROLE,
      signal: stop.signal,
      row,
      waits: ({ reason }, waitMs) => waits.push([reason, waitMs]),
    });
    expect(waits).toEqual([
      ['throttled', expect.any(Number)],
      ['throttled', expect.any(Number)],
    ]);
  });

  it.each([
    ['seconds', '120', 120],
    ['a date', 'Mon, 19 Aug 2024 12:01:30 GMT', 90],
    ['an absurd number', '999999999', 3600],
  ])('G10: waits as long as Retry-After says (%s)', async (_, retryAfter, seconds) => {
    const headers = { 'retry-after': retryAfter, date: 'Mon, 19 Aug 2024 12:00:00 GMT' };
    const throttled: number[] = [];
    const observer = {
      requested: () => {},
      throttled: (waiting: number) => {
        throttled.push(waiting);
        stop.abort();
      },
    };
    const { page, stop, log } = await open(replies(graphError(429, 'TooManyRequests', '', headers)), {
      observer,
    });
    expect(await failureOf(page(), log)).toMatchObject({ name: 'AbortError' });
    expect(throttled).toEqual([seconds]);
  });

  it('waits with back-off where there is no Retry-After, and obeys a signal in it', async () => {
    const observer = { requested: () => {}, throttled: () => setImmediate(() => stop.abort()) };
    const backoff = { initialMs: 3_600_000, maxMs: 3_600_000 };
    const { page, stop, log } = await open(replies(graphError(429, '', '')), { observer, backoff });
    expect(await failureOf(page(), log)).toMatchObject({ name: 'AbortError' });
  });

  it('gives up after the attempts that were asked for', async () => {
    const { page, graphAsked, log } = await open(replies(graphError(503, 'ServiceUnavailable', 'Busy.')));
    const error = await failureOf(page(undefined, 3), log);
    expect(error).toMatchObject({
      reason: 'server',
      message: expect.stringContaining('Busy. (request-id req-1)'),
    });
    expect(graphAsked).toHaveLength(3);
  });

  it('G10: waits throttling out however few attempts were asked for', async () => {
    const { page, graphAsked, log } = await open({
      graph: (_, n) => (n < 5 ? graphError(429, 'TooManyRequests', '') : { body: { value: [] } }),
    });
    expect(await page(undefined, 3), JSON.stringify(log.lines)).toMatchObject({ rows: [] });
    expect(graphAsked).toHaveLength(6);
  });

  it.each([
    [400, 'BadRequest', 'Invalid filter clause'],
    [404, 'ResourceNotFound', 'Not found.'],
    [410, 'Gone', 'The link has expired.'],
  ])('does not repeat what Graph refuses (HTTP %s)', async (status, code, message) => {
    const { page, graphAsked, log } = await open(replies(graphError(status, code, message)));
    const error = await failureOf(page(), log);
    expect(error).toMatchObject({ reason: 'request' });
    expect(error.message).toContain(`HTTP ${status}: ${code}: ${message} (request-id req-1)`);
    expect(graphAsked).toHaveLength(1);
  });

  it('G11: goes on with a fresh token at the same page when the old one has expired', async () => {
    const script: Script = {
      graph: ({ headers }) =>
        headers.authorization === `Bearer ${aToken(0)}`
          ? graphError(401, 'InvalidAuthenticationToken', 'Lifetime validation failed, the token is expired.')
          : good,
    };
    const { page, tokensAsked, statuses, log } = await open(script);
    await page('/v1.0/security/alerts_v2?$skiptoken=7');
    await page();
    expect(tokensAsked).toHaveLength(2);
    expect(statuses).toEqual(['401', '200', '200']);
    expect(log.lines).toEqual([]);
  });

  it('asks for a token with the claims of a challenge', async () => {
    const claims = '{"access_token":{"nbf":{"essential":true, "value":"1604106651"}}}';
    const challenge = `Bearer realm="", error="insufficient_claims", claims="${Buffer.from(claims).toString('base64')}"`;
    const refusal = graphError(401, 'InvalidAuthenticationToken', 'challenge', {
      'www-authenticate': challenge,
    });
    const { page, tokensAsked } = await open(replies(refusal, good));
    await page();
    expect(new URLSearchParams(tokensAsked[1]?.body).get('claims')).toContain('1604106651');
  });

  it('ends a loop of 401 with a message', async () => {
    const { page, graphAsked, log } = await open(
      replies(graphError(401, 'InvalidAuthenticationToken', 'Wrong audience.')),
    );
    const error = await failureOf(page(), log);
    expect(error).toMatchObject({
      reason: 'auth',
      message: expect.stringContaining('check that tenantId and cloud'),
    });
    expect(error.message).toContain('Wrong audience.');
    expect(graphAsked).toHaveLength(2);
  });

  const missing = graphError(
    403,
    'Forbidden',
    'Missing application roles. API required roles: SecurityAlert.Read.All,SecurityAlert.ReadWrite.All, application roles: .',
  );

  it('G12: names the missing role and what to do', async () => {
    const script: Script = {
      graph: () => missing,
      token: (_, n) => tokenReply(aToken(n, ['User.Read.All'])),
    };
    const { page, log } = await open(script);
    const error = await failureOf(page(), log);
    expect(error).toMatchObject({ reason: 'auth' });
    expect(error.message).toContain('SecurityAlert.Read.All,SecurityAlert.ReadWrite.All is required');
    expect(error.message).toContain('its token has User.Read.All;');
    expect(error.message).toContain('add the application permission SecurityAlert.Read.All');
    expect(error.message).toContain('grant admin consent');
  });

  it('G12: says what is missing also where Graph does not refuse a token without roles', async () => {
    const roles = [[], [], [ROLE], []];
    const script: Script = {
      graph: (_, n) => (n === 2 ? graphError(401, '', '') : { body: { value: [] } }),
      token: (_, n) => tokenReply(aToken(n, roles[n])),
    };
    const { page, log } = await open(script);
    await page();
    await page();
    expect(log.lines).toMatchObject([
      {
        level: 'warn',
        fields: { role: ROLE },
        message: expect.stringMatching(
          /^the token of app .* has no role, and SecurityAlert\.Read\.All is needed/,
        ),
      },
    ]);
    await page();
    expect(log.lines).toHaveLength(1);
  });

  it('G28: sees a consent that was given later, at once', async () => {
    const withRole = `Bearer ${aToken(1)}`;
    const script: Script = {
      graph: ({ headers }) => (headers.authorization === withRole ? good : missing),
      token: (_, n) => tokenReply(aToken(n, n === 0 ? undefined : [ROLE])),
    };
    const { page, tokensAsked } = await open(script);
    expect((await page()).rows).toHaveLength(1);
    await page();
    expect(tokensAsked).toHaveLength(2);
  });

  it('waits an authority out that cannot be reached, and not one that refuses', async () => {
    const refusal = {
      error: 'invalid_client',
      error_description: 'AADSTS7000222: expired.',
      error_codes: [7000222],
    };
    const script: Script = {
      graph: () => good,
      token: (_, n) => (n < 2 ? { status: 503 } : { status: 401, body: refusal }),
    };
    const { page, log, tokensAsked } = await open(script);
    expect(await failureOf(page(), log)).toMatchObject({ reason: 'auth' });
    expect(tokensAsked).toHaveLength(3);
  });

  it('S18: waits a mute authority out', async () => {
    const script: Script = {
      graph: () => good,
      token: (_, n) => (n === 0 ? () => {} : tokenReply(aToken(n))),
    };
    const { page, log } = await open(script, { tokenTimeoutMs: 300 });
    await page();
    expect(log.lines[0]?.message).toContain('no token within 0.3 s');
  });

  it.each([
    'https://attacker.example/v1.0/security/alerts_v2',
    'http://127.0.0.1/v1.0/security/alerts_v2',
    'https://127.0.0.1:1/v1.0/security/alerts_v2',
    'https://127.0.0.1@attacker.example/',
    '//attacker.example/',
    'not an address',
  ])('sends nothing to another origin: %s', async (link) => {
    const { graph, log, tokensAsked, graphAsked, stop } = await open(replies(good));
    const asked = graph.page(link, { maxBytes: 10_000, role: ROLE, signal: stop.signal, row });
    expect(await failureOf(asked, log)).toMatchObject({ reason: 'answer' });
    expect([...tokensAsked, ...graphAsked]).toEqual([]);
  });

  it('does not repeat a request whose answer is too large', async () => {
    const { page, graphAsked, log } = await open(replies({ body: { value: ['x'.repeat(20_000)] } }));
    expect(await failureOf(page(), log)).toBeInstanceOf(TooLargeError);
    expect(graphAsked).toHaveLength(1);
  });

  it('S11: leaks no token that Graph echoes, and no line break into the log', async () => {
    const echo: Script['graph'] = ({ headers }, n) =>
      graphError(n === 0 ? 503 : 400, 'BadRequest', `you sent\r\n${headers.authorization}\u2028\u001b[31m`);
    const { page, log } = await open({ graph: echo });
    const error = await failureOf(page(), log);
    expect(error.message).toContain('Bearer ***');
    expect(`${error.message}${log.lines[0]?.message}`).not.toMatch(/[\p{Cc}\p{Zl}]/u);
  });

  it('ends what waits when it is closed', async () => {
    const backoff = { initialMs: 3_600_000, maxMs: 3_600_000 };
    const { page, graph, log } = await open(
      replies(() => {}),
      { backoff },
    );
    const failed = failureOf(page(), log);
    await graph.close();
    await graph.close();
    expect(await failed).toMatchObject({ name: 'AbortError' });
  });
});

describe('openGraph()', () => {
  it('S12: tells when the credential expires', async () => {
    const expires = Date.parse('2031-02-03T00:00:00Z');
    const { settings } = await scriptGraph(replies(good));
    const told: number[] = [];
    const observer = {
      requested: () => {},
      throttled: () => {},
      credentialExpires: (atMs: number) => told.push(atMs),
    };
    const credential = { ...settings.credential, expires } as typeof settings.credential;
    const log = collectLog();
    const graph = openGraph({ ...settings, credential }, { log, observer, now: () => expires - 1 });
    onTestFinished(() => graph.close());
    expect(told).toEqual([expires]);
    expect(log.lines).toMatchObject([{ level: 'error' }]);
  });
});
