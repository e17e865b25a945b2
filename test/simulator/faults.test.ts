import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  type FaultName,
  faultNames,
  parseFaults,
  type Simulator,
  type SimulatorOptions,
  startSimulator,
} from '../../src/simulator/index.ts';
import { ALERTS, Client, type Page, type Received } from './client.ts';

describe('parseFaults()', () => {
  it.each([
    ['throttle', { throttle: 0.05 }],
    ['throttle,reset=0.2', { throttle: 0.05, reset: 0.2 }],
    [' late=1 , update', { late: 1, update: 0.05 }],
    ['all', Object.fromEntries(faultNames.map((name) => [name, 0.05]))],
    ['all=0,html=1', { ...Object.fromEntries(faultNames.map((name) => [name, 0])), html: 1 }],
    ['', {}],
  ])('reads "%s"', (text, expected) => {
    expect(parseFaults(text)).toEqual(expected);
  });

  it.each([
    ['trottle', 'did you mean "throttle"'],
    ['resets=1', 'did you mean "reset"'],
    ['constructor', 'unknown fault "constructor"'],
    ['reset=2', 'a number from 0 to 1, not "2"'],
    ['reset=often', 'a number from 0 to 1, not "often"'],
    ['reset=', 'a number from 0 to 1, not ""'],
  ])('refuses "%s"', (text, message) => {
    expect(() => parseFaults(text)).toThrow(message);
  });
});

const opened: { close(): Promise<void> | void }[] = [];

afterEach(async () => {
  for (const thing of opened.splice(0).reverse()) await thing.close();
});

async function start(options: SimulatorOptions): Promise<{ simulator: Simulator; client: Client }> {
  const simulator = await startSimulator({ seed: 1, alerts: 3, rate: 0, quota: false, ...options });
  const client = new Client(simulator);
  opened.push(simulator, client);
  return { simulator, client };
}

const TRIES = 40;

/** What a client sees of a fault that hits each time: answers, and codes of broken connections. */
async function suffer(name: FaultName, tries = TRIES) {
  const { simulator, client } = await start({});
  const answers: Received[] = [];
  const errors: string[] = [];
  for (let n = 0; n < tries; n++) {
    simulator.heal();
    await client.signIn();
    simulator.setFaults({ [name]: 1 });
    await client.get(ALERTS).then(
      (answer) => answers.push(answer),
      (error: NodeJS.ErrnoException) => errors.push(error.code ?? error.message),
    );
  }
  return { simulator, client, answers, errors };
}

const statuses = (answers: readonly Received[]) => new Set(answers.map(({ status }) => status));

describe('a fault that hits', () => {
  it.each([
    'throttle',
    'unavailable',
    'outage',
    'errors',
    'reset',
    'truncate',
    'html',
    'expire-token',
    'partial',
  ] as const)('%s leaves no complete answer in the account', async (name) => {
    const { simulator, client } = await suffer(name);
    expect(simulator.account.requests).toHaveLength(TRIES);
    expect(simulator.account.answers).toEqual([]);
    simulator.heal();
    await client.signIn();
    expect(await client.read(ALERTS)).toHaveLength(3);
    // The client may have the last byte before the server hears that it is gone.
    await vi.waitFor(() => expect(simulator.account.answers).toHaveLength(1));
  });

  it('throttle: 429, with Retry-After in seconds, as a date, and without', async () => {
    const { answers, simulator } = await suffer('throttle');
    expect(statuses(answers)).toEqual(new Set([429]));
    expect(simulator.account.throttled).toBe(TRIES);
    const kinds = answers.map(({ headers }) => {
      const after = headers['retry-after'];
      return after === undefined ? 'none' : Number.isNaN(Number(after)) ? 'date' : 'seconds';
    });
    expect(new Set(kinds)).toEqual(new Set(['seconds', 'date', 'none']));
  });

  it('unavailable: every kind of 5xx, with and without a message, and HTML', async () => {
    const { answers } = await suffer('unavailable');
    expect(statuses(answers)).toEqual(new Set([500, 502, 503, 504]));
    expect(answers.some(({ body }) => body.includes('"code":"UnknownError","message":""'))).toBe(true);
    expect(answers.some(({ body }) => body.startsWith('<html>'))).toBe(true);
  });

  it('reset: the connection breaks', async () => {
    const { answers, errors } = await suffer('reset');
    expect(answers).toEqual([]);
    expect(new Set(errors)).toEqual(new Set(['ECONNRESET']));
  });

  it('truncate: the JSON is cut, and Content-Length agrees or does not', async () => {
    const { answers, errors } = await suffer('truncate');
    expect(statuses(answers)).toEqual(new Set([200]));
    for (const { body } of answers) expect(() => JSON.parse(body)).toThrow(SyntaxError);
    expect(errors.length).toBeGreaterThan(0);
  });

  it('html: 200 with a page', async () => {
    const { answers } = await suffer('html');
    expect(statuses(answers)).toEqual(new Set([200]));
    expect(answers[0]).toMatchObject({ headers: { 'content-type': 'text/html' } });
    expect(answers[0]?.body).toMatch(/^<html>/);
  });

  it('expire-token: 401, sometimes with claims, and the token stays worthless', async () => {
    const { answers, simulator, client } = await suffer('expire-token');
    expect(statuses(answers)).toEqual(new Set([401]));
    const challenged = answers.filter(({ headers }) => headers['www-authenticate']?.includes('claims='));
    expect(challenged.length).toBeGreaterThan(0);
    expect(challenged.length).toBeLessThan(TRIES);
    simulator.heal();
    expect((await client.get(ALERTS)).status).toBe(401);
  });

  it('errors: each is odd in a way of its own', async () => {
    const { answers } = await suffer('errors', 3 * TRIES);
    expect(statuses(answers)).toEqual(new Set([200, 206, 429, 502, 503, 504]));
    const bodies = answers.map(({ body }) => body);
    expect(bodies).toContain('');
    expect(bodies.some((body) => body.includes('"value":[],"error":{'))).toBe(true);
    expect(bodies.some((body) => body.includes('"innerError":{"code":"429"'))).toBe(true);
    expect(bodies.some((body) => body.endsWith('{"id":"da63'))).toBe(true);
  });

  it('G9: partial: 206 with a warning, and rows that are missing', async () => {
    const { simulator, answers, client } = await suffer('partial');
    expect(statuses(answers)).toEqual(new Set([206]));
    for (const { headers, body } of answers) {
      expect(headers.warning).toMatch(/^199 - "Microsoft/);
      expect((JSON.parse(body) as Page).value.length).toBeLessThan(3);
    }
    expect(simulator.account.newest().size).toBe(3);
    expect((await client.read(ALERTS)).length).toBeLessThan(3);
  });

  it('timeout: no answer comes, and the connection stays', async () => {
    const { simulator, client } = await start({});
    await client.signIn();
    simulator.setFaults({ timeout: 1 });
    await expect(client.get(ALERTS, {}, AbortSignal.timeout(200))).rejects.toThrow('aborted');
    expect(simulator.account.requests).toMatchObject([{ status: 0 }]);
    expect(simulator.account.answers).toEqual([]);
  });

  it('S18: mute-authority: a token is asked for in vain, and one that is there serves on', async () => {
    const { simulator, client } = await start({});
    await client.signIn();
    simulator.setFaults({ 'mute-authority': 1 });
    await expect(client.askToken({}, AbortSignal.timeout(200))).rejects.toThrow('aborted');
    expect((await client.get(ALERTS)).status).toBe(200);
  });

  it('big-page: the answer is whole, and larger than anybody wants', async () => {
    const { simulator, client } = await start({ faults: { 'big-page': 1 } });
    await client.signIn();
    const { body, headers } = await client.get(ALERTS);
    expect(Number(headers['content-length'])).toBeGreaterThan(50 * 2 ** 20);
    expect((JSON.parse(body) as Page).value).toHaveLength(3);
    await vi.waitFor(() => expect(simulator.account.answers).toHaveLength(1));
  });

  it('outage: once begun, all fails until it is over', async () => {
    const { clock, wait } = aClock();
    const { simulator, client } = await start({ clock, outageMs: [5_000, 5_000] });
    await client.signIn();
    const works = () =>
      client.get(ALERTS).then(
        ({ status }) => status === 200,
        () => false,
      );
    simulator.setFaults({ outage: 0.5 });
    while (await works());
    wait(4_999);
    for (let n = 0; n < TRIES; n++) expect(await works()).toBe(false);
    const token = await client.askToken().catch(() => ({ status: 0 }));
    expect(token.status).not.toBe(200);
    do wait(5_000);
    while (!(await works()));
    simulator.setFaults({ outage: 1 });
    expect(await works()).toBe(false);
    simulator.heal();
    expect(await works()).toBe(true);
  });

  it('strikes the token endpoint too, in its own words', async () => {
    const { simulator, client } = await start({ faults: { throttle: 1 } });
    expect(JSON.parse((await client.askToken()).body)).toMatchObject({ error: 'temporarily_unavailable' });
    simulator.setFaults({ reset: 1 });
    await expect(client.askToken()).rejects.toThrow();
    simulator.setFaults({ html: 1, truncate: 1 });
    expect((await client.askToken()).status).toBe(200);
  });

  it('hits as often as its probability says', async () => {
    const { simulator, client } = await start({ faults: { html: 0.25 } });
    await client.signIn();
    for (let n = 0; n < 200; n++) await client.get(`${ALERTS}?$top=1`);
    const harmed = 200 - simulator.account.answers.length;
    expect(harmed).toBeGreaterThan(25);
    expect(harmed).toBeLessThan(75);
  });
});

/** The window of all that happened until `toMs`, as a path. */
const windowTo = (toMs: number, more = '') =>
  encodeURI(`${ALERTS}?$count=true&$filter=lastUpdateDateTime lt ${new Date(toMs).toISOString()}${more}`);

describe('a fault of what is read', () => {
  it('G27: leave: a closed window misses a row that nobody changed, and the count tells', async () => {
    const { clock, wait } = aClock();
    const { simulator, client } = await start({ clock, alerts: 0, backlog: 30, faults: { leave: 1 } });
    await client.signIn();
    const before = simulator.account.newest();
    const window = windowTo(clock(), '&$top=10');
    wait(1_000);
    const first = await client.page(window);
    const all = [...first.value, ...(await client.read(first['@odata.nextLink'] ?? ''))];
    expect(all.length).toBeLessThan(first['@odata.count'] ?? 0);
    const had = new Set(all.map(({ id }) => id));
    const after = simulator.account.newest();
    const skipped = [...before].filter(([id, revision]) => !had.has(id) && after.get(id) === revision);
    expect(skipped.length).toBeGreaterThan(0);
    expect(after.size).toBe(30);
  });

  it('leave: touches nothing in a window that is open, or whose end is still to come', async () => {
    const { clock } = aClock();
    const { simulator, client } = await start({ clock, alerts: 0, backlog: 30, faults: { leave: 1 } });
    await client.signIn();
    expect(await client.read(`${ALERTS}?$top=10`)).toHaveLength(30);
    expect(await client.read(windowTo(clock() + 60_000, '&$top=10'))).toHaveLength(30);
    expect(simulator.account.raised).toHaveLength(30);
  });

  it('shift-pages: rows move over the border of pages, until nothing is raised any more', async () => {
    const { simulator, client } = await start({ alerts: 0, backlog: 100, faults: { 'shift-pages': 1 } });
    await client.signIn();
    const all = await client.read(`${ALERTS}?$top=10`);
    expect(all.length).toBeGreaterThan(new Set(all.map(({ id }) => id)).size);
    expect(simulator.account.newest().size).toBeGreaterThan(100);
    simulator.stopRaising();
    const { length } = simulator.account.raised;
    await client.read(`${ALERTS}?$top=10`);
    expect(simulator.account.raised).toHaveLength(length);
  });

  it('G6: skip-limit: no further page is offered, and the count is right all the same', async () => {
    const options = { alerts: 0, backlog: 120, skipLimit: 50 } as const;
    const { simulator, client } = await start({ ...options, faults: { 'skip-limit': 1 } });
    await client.signIn();
    expect((await client.page(`${ALERTS}?$count=true&$top=20`))['@odata.count']).toBe(120);
    expect(await client.read(`${ALERTS}?$top=20`)).toHaveLength(60);
    expect(await client.read(`${ALERTS}?$top=1000`)).toHaveLength(120);
    await vi.waitFor(() => expect(simulator.account.answers).toHaveLength(5));
    const given = simulator.account.answers.slice(1, 4).map(({ alerts }) => alerts.length);
    expect(given).toEqual([20, 20, 20]);
  });

  it('count-off: the count is absent, or wrong', async () => {
    const { client } = await start({ faults: { 'count-off': 1 } });
    await client.signIn();
    const counts = new Set<number | undefined>();
    for (let n = 0; n < TRIES; n++) counts.add((await client.page(`${ALERTS}?$count=true`))['@odata.count']);
    expect(counts).toContain(undefined);
    expect(counts.size).toBeGreaterThan(3);
    expect(counts).not.toContain(3);
  });

  it('G5: ties: so many alerts at once with one and the same time, once', async () => {
    const { simulator, client } = await start({ alerts: 0, ties: 70, faults: { ties: 1 } });
    await client.signIn();
    const tied = await client.read(`${ALERTS}?$top=20`);
    expect(new Set(tied.map(({ id }) => id)).size).toBe(70);
    expect(new Set(tied.map(({ lastUpdateDateTime }) => lastUpdateDateTime)).size).toBe(1);
    expect(await client.read(ALERTS)).toHaveLength(70);
    simulator.setFaults({ ties: 1 });
    await client.read(ALERTS);
    expect(simulator.account.newest().size).toBe(140);
  });

  it.each([
    [{ ties: 1 }, 3_000],
    [{ ties: 1, 'skip-limit': 1 }, 400],
  ] as const)('ties: unless told otherwise with %j there are %i', async (faults, count) => {
    const { simulator, client } = await start({ alerts: 0, faults });
    await client.signIn();
    await client.page(`${ALERTS}?$top=1`);
    expect(simulator.account.newest().size).toBe(count);
  });

  it('G8: poison-page: each window that holds the tick fails, and no other', async () => {
    const { clock } = aClock();
    const { simulator, client } = await start({
      clock,
      alerts: 0,
      backlog: 20,
      faults: { 'poison-page': 1 },
    });
    await client.signIn();
    const status = async (filter: string) => {
      const query = encodeURI(`$top=1&$filter=${filter}`);
      return (await client.get(`${ALERTS}?${query}`)).status;
    };
    // The newest is spared, so the first choice may be none.
    while (simulator.account.poisoned === undefined) await client.page(`${ALERTS}?$top=1`);
    const tick = simulator.account.poisoned;
    expect(await status(`lastUpdateDateTime ge ${tick}`)).toBe(500);
    expect(await status(`lastUpdateDateTime le ${tick}`)).toBe(500);
    expect(await status(`lastUpdateDateTime eq ${tick} and serviceSource eq 'microsoftSentinel'`)).toBe(500);
    expect(await status(`lastUpdateDateTime gt ${tick}`)).toBe(200);
    expect(await status(`lastUpdateDateTime lt ${tick}`)).toBe(200);
    expect((await client.get(`${ALERTS}?$top=1`)).status).toBe(200);
    expect((await client.get(`${ALERTS}?$top=20`)).status).toBe(500);
    const id = simulator.account.raised.find(({ revision }) => revision === tick)?.id;
    expect((await client.get(`${ALERTS}/${id}`)).status).toBe(500);
    simulator.heal();
    expect(await client.read(ALERTS)).toHaveLength(20);
    expect(simulator.account.poisoned).toBeUndefined();
  });

  it('a tick can be poisoned by hand', async () => {
    const { simulator, client } = await start({ alerts: 0, backlog: 3 });
    await client.signIn();
    simulator.poison(simulator.account.raised[1]?.revision);
    expect((await client.get(windowTo(Date.now()))).status).toBe(500);
    simulator.poison(undefined);
    expect((await client.get(windowTo(Date.now()))).status).toBe(200);
    expect(() => simulator.poison('yesterday')).toThrow('not an ISO 8601 time');
  });

  it('quota: is kept though it is off, counts more, and does not say how long to wait', async () => {
    const { simulator, client } = await start({ quota: false, faults: { quota: 1 } });
    await client.signIn();
    const statuses: number[] = [];
    for (let n = 0; n < 16; n++) statuses.push((await client.get(`${ALERTS}?$top=1`)).status);
    expect(statuses).toEqual([...Array(15).fill(200), 429]);
    expect((await client.get(ALERTS)).headers).not.toHaveProperty('retry-after');
    expect(simulator.account.busiestMinute).toBe(17);
    simulator.heal();
    expect((await client.get(ALERTS)).status).toBe(200);
  });
});

describe('answerNext()', () => {
  it('answers the next requests as ordered, whatever the faults are, and the account does not count them', async () => {
    const { simulator, client } = await start({ faults: { html: 1 } });
    await client.signIn();
    const body = { error: { code: 'Forbidden', message: 'Tenant is not provisioned.' } };
    simulator.answerNext(403, body, { 'X-Mine': 'yes' });
    simulator.answerNext(200, '{"value":[', { 'Content-Type': 'text/plain' });
    const [first, second, third] = [
      await client.get(ALERTS),
      await client.get(ALERTS),
      await client.get(ALERTS),
    ];
    expect(first).toMatchObject({ status: 403, headers: { 'x-mine': 'yes' }, body: JSON.stringify(body) });
    expect(second).toMatchObject({ headers: { 'content-type': 'text/plain' }, body: '{"value":[' });
    expect(third?.body).toMatch(/^<html>/);
    expect(simulator.account.requests.map(({ status }) => status)).toEqual([403, 200, 200]);
    expect(simulator.account.answers).toEqual([]);
  });

  it('answers for the token endpoint', async () => {
    const { simulator, client } = await start({});
    simulator.answerNext(401, { error: 'invalid_client' }, {}, 'token');
    expect(await client.askToken()).toMatchObject({ status: 401, body: '{"error":"invalid_client"}' });
    expect((await client.askToken()).status).toBe(200);
  });
});

/** A clock that a test moves. */
function aClock() {
  let nowMs = Date.now();
  return {
    clock: () => nowMs,
    wait: (ms: number) => {
      nowMs += ms;
    },
  };
}

describe('late', () => {
  it('G1: an alert can be read only some time after its lastUpdateDateTime', async () => {
    const { clock, wait } = aClock();
    const { simulator, client } = await start({ clock, faults: { late: 1 }, lateMs: [2000, 2000] });
    simulator.heal();
    await client.signIn();
    expect(simulator.account.raised).toHaveLength(3);
    expect(simulator.account.pending).toBe(3);
    wait(1999);
    expect(await client.read(ALERTS)).toEqual([]);
    wait(1);
    const alerts = await client.read(ALERTS);
    expect(alerts).toHaveLength(3);
    for (const { lastUpdateDateTime } of alerts) {
      expect(clock() - Date.parse(lastUpdateDateTime)).toBeGreaterThanOrEqual(2000);
    }
    expect(simulator.account.pending).toBe(0);
  });
});

describe('very-late', () => {
  it('G1: an alert can be read only hours later', async () => {
    const { clock, wait } = aClock();
    const { simulator, client } = await start({ clock, faults: { 'very-late': 1 } });
    simulator.heal();
    wait(3_600_000 - 1);
    await client.signIn();
    expect(await client.read(ALERTS)).toEqual([]);
    wait(5 * 3_600_000 + 1);
    await client.signIn();
    expect(await client.read(ALERTS)).toHaveLength(3);
  });
});

describe('future', () => {
  it('an alert is dated tomorrow, and its changes come after that', async () => {
    const { clock } = aClock();
    const { simulator, client } = await start({ clock, faults: { future: 1 } });
    await client.signIn();
    const [alert] = await client.read(ALERTS);
    const tomorrow = clock() + 86_400_000;
    expect(tomorrow - Date.parse(alert?.lastUpdateDateTime ?? '')).toBeLessThanOrEqual(1);
    simulator.update([alert?.id ?? '']);
    const newest = simulator.account.newest().get(alert?.id ?? '') ?? '';
    expect(Date.parse(newest)).toBeGreaterThanOrEqual(tomorrow - 1);
    expect(newest).not.toBe(alert?.lastUpdateDateTime);
  });
});

describe('unrevised', () => {
  it('evidence is added and the revision stays, and the account tells the bodies apart', async () => {
    const { clock, wait } = aClock();
    const { simulator, client } = await start({ clock, faults: { unrevised: 1 }, updateMs: [1000, 3000] });
    await client.signIn();
    const before = await client.read(ALERTS);
    wait(60_000);
    const after = new Map((await client.read(ALERTS)).map((alert) => [alert.id, alert]));
    for (const { id, lastUpdateDateTime, evidence } of before) {
      const own = simulator.account.raised.filter((revision) => revision.id === id);
      expect(own.length).toBeGreaterThan(1);
      expect(own.map(({ unrevised }) => unrevised)).toEqual(own.map((_, index) => index));
      expect(after.get(id)?.lastUpdateDateTime).toBe(lastUpdateDateTime);
      const pieces = (some: unknown) => (some as unknown[]).length;
      expect(pieces(after.get(id)?.evidence)).toBe(pieces(evidence) + own.length - 1);
    }
    await vi.waitFor(() => expect(simulator.account.answers).toHaveLength(2));
    const given = simulator.account.answers.map(({ alerts }) => alerts.map(({ unrevised }) => unrevised > 0));
    expect(given).toEqual([Array(3).fill(false), Array(3).fill(true)]);
  });
});

describe('update', () => {
  const states = (simulator: Simulator, id: string) =>
    simulator.account.raised.filter((revision) => revision.id === id).map(({ revision }) => revision);

  it('G2: an alert gets further revisions, each later than the one before, and shows the last', async () => {
    const { clock, wait } = aClock();
    const options = { clock, alerts: 60, faults: { update: 1 }, updateMs: [1000, 3000] } as const;
    const { simulator, client } = await start(options);
    simulator.setFaults({ update: 1 });
    await client.signIn();
    const before = new Map((await client.read(ALERTS)).map((alert) => [alert.id, JSON.stringify(alert)]));
    wait(60_000);
    const newest = simulator.account.newest();
    const after = await client.read(ALERTS);
    expect(after).toHaveLength(60);
    for (const alert of after) {
      const revisions = states(simulator, alert.id);
      expect(revisions.length).toBeGreaterThan(1);
      expect(revisions.length).toBeLessThanOrEqual(4);
      expect(revisions.map((text) => Date.parse(text))).toEqual(
        revisions.map((text) => Date.parse(text)).toSorted((a, b) => a - b),
      );
      expect(alert.lastUpdateDateTime).toBe(revisions.at(-1));
      expect(newest.get(alert.id)).toBe(revisions.at(-1));
      expect(JSON.stringify(alert)).not.toBe(before.get(alert.id));
    }
    expect(new Set(after.map(({ status }) => status))).toEqual(new Set(['new', 'inProgress', 'resolved']));
    expect(simulator.account.pending).toBe(0);
  });

  it('changes nothing more once healed, even of what was late', async () => {
    const { clock, wait } = aClock();
    const options = { clock, alerts: 20, faults: { update: 1, late: 0.5 }, lateMs: [5000, 5000] } as const;
    const { simulator } = await start(options);
    simulator.heal();
    wait(60_000);
    expect(simulator.account.raised).toHaveLength(20);
    expect(simulator.account.newest().size).toBe(20);
    expect(simulator.account.pending).toBe(0);
  });

  it('keeps the order of the revisions of one alert, however late each of them is', async () => {
    const { clock, wait } = aClock();
    const { simulator } = await start({ clock, alerts: 50, faults: { update: 1, late: 0.5 } });
    const seen = new Map<string, number>();
    for (let second = 0; second < 120; second++) {
      for (const [id, revision] of simulator.account.newest()) {
        const time = Date.parse(revision);
        expect(time).toBeGreaterThanOrEqual(seen.get(id) ?? 0);
        seen.set(id, time);
      }
      wait(1000);
    }
    expect(seen.size).toBe(50);
    expect(simulator.account.raised.length).toBeGreaterThan(100);
  });
});
