import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  type FaultName,
  faultNames,
  faultTable,
  parseFaults,
  type Simulator,
  type SimulatorOptions,
  startSimulator,
} from '../../src/simulator/index.ts';
import { ALERTS, Client, type Received } from './client.ts';

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
async function suffer(name: FaultName) {
  const { simulator, client } = await start({});
  const answers: Received[] = [];
  const errors: string[] = [];
  for (let n = 0; n < TRIES; n++) {
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
  it.each(faultNames.filter((name) => faultTable[name].per === 'request'))(
    '%s leaves no complete answer in the account',
    async (name) => {
      const { simulator, client } = await suffer(name);
      expect(simulator.account.requests).toHaveLength(TRIES);
      expect(simulator.account.answers).toEqual([]);
      simulator.heal();
      await client.signIn();
      expect(await client.read(ALERTS)).toHaveLength(3);
      // The client may have the last byte before the server hears that it is gone.
      await vi.waitFor(() => expect(simulator.account.answers).toHaveLength(1));
    },
  );

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
