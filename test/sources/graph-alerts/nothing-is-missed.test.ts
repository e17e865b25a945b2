import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UnavailableError } from '../../../src/core/errors.ts';
import type { Unread } from '../../../src/core/source.ts';
import { ticksOfMs } from '../../../src/core/ticks.ts';
import { parseCheckpoint } from '../../../src/sources/graph-alerts/checkpoint.ts';
import { GraphAlerts } from '../../../src/sources/graph-alerts/source.ts';
import { collectLog } from '../../support/log.ts';
import { type ModelAlert, ModelGraph } from '../../support/model-graph.ts';

const RUNS = Number(process.env.RUNS ?? 1_000);
const minute = 60_000;
const hour = 60 * minute;
const noon = Date.parse('2025-03-04T12:00:00Z');
const overlap = 10 * minute;

/** What can happen while alerts are read; probabilities are of a request. */
interface Course {
  readonly seed: number;
  /** Alerts that are there at the start, and that come with each reading. */
  readonly before: number;
  readonly fresh: number;
  /** Alerts that share one time. */
  readonly tied: number;
  /** Alerts on a page, at most. */
  readonly clamp: number;
  /** Rows beyond which no further page is offered, and whether it is refused. */
  readonly skipLimit: number;
  readonly refuses: boolean;
  readonly order: 'newest' | 'oldest' | 'random';
  /** An alert changes while somebody reads. */
  readonly moves: number;
  readonly fails: number;
  readonly miscounts: number;
  /** The process ends after a page. */
  readonly ends: number;
  /** Share of alerts that can be read only some time after their time; never more than `overlap`. */
  readonly late: number;
  /** The server's `Date` is off by so much, for a while. */
  readonly jumps: number;
  /** A machine that was off. */
  readonly pauseMs: number;
}

const chance = fc.constantFrom(0, 0, 0.02, 0.1, 0.3);
const course: fc.Arbitrary<Course> = fc.record({
  seed: fc.nat(),
  before: fc.nat(40),
  fresh: fc.nat(6),
  tied: fc.constantFrom(0, 0, 3, 12, 30),
  clamp: fc.integer({ min: 2, max: 12 }),
  skipLimit: fc.constantFrom(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 24),
  refuses: fc.boolean(),
  order: fc.constantFrom('newest', 'oldest', 'random'),
  moves: chance,
  fails: chance,
  miscounts: chance,
  ends: chance,
  late: chance,
  jumps: fc.constant(0),
  pauseMs: fc.constantFrom(0, 0, 0, 20 * minute, 5 * hour),
});

function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Lives through a course; returns what is owed and was not given. */
async function live(given: Course) {
  const random = randomOf(given.seed);
  const chosen = (probability: number) => random() < probability;
  const pick = (count: number) => Math.floor(random() * count);
  const graph = new ModelGraph();
  const log = collectLog();
  let time = noon;
  let skew = 0;
  let calm = false;
  graph.date = () => time + skew;
  graph.clamp = given.clamp;
  graph.skipLimit = given.skipLimit;
  graph.refusesSkip = given.refuses;
  const lots = new Map<string, number>();
  const lot = ({ id }: ModelAlert) => lots.get(id) ?? lots.set(id, random()).get(id)!;
  const byTime = (a: ModelAlert, b: ModelAlert) => Number(a.revision - b.revision);
  graph.order = {
    oldest: byTime,
    newest: (a: ModelAlert, b: ModelAlert) => byTime(b, a),
    random: (a: ModelAlert, b: ModelAlert) => lot(a) - lot(b),
  }[given.order];

  let made = 0;
  /** Revisions are never of the millisecond that is still going on. */
  const stamp = (ms: number) => ticksOfMs(Math.floor(ms) - 1) + BigInt(pick(10_000));
  const raise = (ms: number, revision = stamp(ms)) => {
    const lateMs = chosen(given.late) ? random() * overlap * 0.95 : 0;
    const created = ticksOfMs(Math.floor(ms) - pick(5) * 1_000);
    graph.alerts.push({ id: `a${made++}`, revision, created, visibleMs: Math.max(ms + lateMs, time) });
  };
  const change = () => {
    const alert = graph.alerts[pick(graph.alerts.length)];
    if (!alert || (alert.visibleMs ?? 0) > time) return;
    alert.revision = stamp(time);
    alert.visibleMs = time;
  };
  for (let n = 0; n < given.before; n++) raise(noon - random() * 20 * hour);
  const tie = stamp(noon - random() * 2 * hour);
  for (let n = 0; n < given.tied; n++) raise(noon - 3 * hour, tie);

  graph.fault = () => {
    time += 100;
    if (!calm && chosen(given.fails)) throw new UnavailableError('HTTP 503', { reason: 'server' });
  };
  graph.count = (real) => {
    if (calm || !chosen(given.miscounts)) return real;
    return chosen(0.5) ? undefined : pick(real + 5);
  };
  graph.after = () => {
    if (!calm && chosen(given.moves)) change();
  };

  /** What stood in a whole answer is owed once the same process has asked for two things more. */
  const answers: { readonly ordinal: number; readonly process: number; readonly keys: string[] }[] = [];
  const ends: number[] = [];
  const answer = graph.page.bind(graph);
  graph.page = async (url, options) => {
    const ordinal = graph.asked.length + 1;
    const page = await answer(url, options);
    // Of a control request nothing is made.
    const rows = page.rows as readonly unknown[] as readonly ({ id: string; revision: bigint } | undefined)[];
    const keys = rows.flatMap((row) => (row ? [`${row.id}@${row.revision}`] : []));
    if (url.includes('filter')) answers.push({ ordinal, process: ends.length, keys });
    return page;
  };

  const started = () =>
    new GraphAlerts(
      {
        every: 30_000,
        settle: 10_000,
        overlap,
        sweep: { every: hour, window: 24 * hour },
        compared: 48 * 3_600_000,
        startFrom: 24 * hour,
        response: { maxBytes: 2 ** 24 },
        filter: { serviceSource: [], severity: [], status: [] },
      },
      { name: 'alerts', graph, log, now: () => time, steady: () => time, miscounted: () => {} },
    );
  let source = started();
  let checkpoint: string | undefined;
  let watermark = 0n;
  let backwards = 0;
  const setAside: Unread[] = [];
  const wasAside = (time: bigint) => setAside.some(({ at, to }) => at <= time && time < to);
  /** What the sweep has found first, though the overlap should have. */
  const tooLate: string[] = [];
  const told = new Set<string>();
  const never = new AbortController().signal;
  const read = async () => {
    try {
      for await (const page of source.read(checkpoint, never)) {
        checkpoint = page.checkpoint;
        if (page.watermark < watermark) backwards += 1;
        watermark = page.watermark;
        setAside.push(...(page.unread ?? []));
        for (const { id, revision } of page.records) {
          const key = `${id}@${revision}`;
          const { visibleMs = time } = graph.alerts.find((alert) => alert.id === id)!;
          // While an overlap is open, that may still come to it.
          const isOpen = parseCheckpoint(page.checkpoint).open.some(({ kind }) => kind === 'overlap');
          const isLive = !isOpen && visibleMs > noon && visibleMs < time - overlap / 2 - minute;
          if (page.reading === 'sweep' && isLive && !wasAside(revision) && !told.has(key)) tooLate.push(key);
          told.add(key);
        }
        if (!calm && chosen(given.ends)) {
          source = started();
          ends.push(graph.asked.length);
          return;
        }
      }
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error;
    }
    time += 30_000;
  };

  for (let n = 0; n < 8; n++) {
    for (let each = 0; each < given.fresh; each++) raise(time - random() * 20_000);
    if (given.fresh > 0) change();
    skew = chosen(given.jumps) ? (random() - 0.5) * 4 * hour : 0;
    await read();
    if (n === 4) time += given.pauseMs;
  }
  calm = true;
  skew = 0;
  /** Nothing before `startFrom` is owed, and that counts from the first answer ever: some time may have passed until then. */
  const isOwed = ({ revision }: ModelAlert) =>
    checkpoint === undefined || revision >= parseCheckpoint(checkpoint).start;
  const missing = () =>
    graph.alerts.filter((alert) => isOwed(alert) && !told.has(`${alert.id}@${alert.revision}`));
  /** What may have been set aside by a fault is due again after an hour; the overlap after five minutes. */
  for (let n = 0; n < 30 && (n < 3 || missing().length > 0); n++) {
    time += n < 20 ? minute : hour;
    await read();
  }
  const committed = answers.filter(
    ({ ordinal, process }) => ordinal + 2 <= (ends[process] ?? graph.asked.length),
  );
  const dropped = committed.flatMap(({ keys }) => keys).filter((key) => !told.has(key));
  return { missing: missing().map(({ id }) => id), dropped, tooLate, backwards };
}

/** All requests fail until five hours have passed: what is a day old by then was before the start. */
const lateStart: Course = {
  ...{ seed: 1425431613, before: 28, fresh: 2, tied: 3, clamp: 2, skipLimit: Number.POSITIVE_INFINITY },
  ...{ refuses: false, order: 'newest', moves: 0, fails: 0.3, miscounts: 0, ends: 0, late: 0.1, jumps: 0 },
  pauseMs: 5 * hour,
};

describe('nothing is missed', () => {
  const nothing = { missing: [], dropped: [], tooLate: [], backwards: 0 };

  it('R2, R3, R4: whatever moves, fails, comes late, or ends while it is read', async () => {
    await fc.assert(
      fc.asyncProperty(course, async (given) => {
        expect(await live(given)).toEqual(nothing);
      }),
      { numRuns: RUNS, examples: [[lateStart]] },
    );
  }, 60_000);

  it('R4: whatever the server’s clock says in between; then the sweep may be the first to find it', async () => {
    await fc.assert(
      fc.asyncProperty(course, fc.constantFrom(0.1, 0.5), async (given, jumps) => {
        expect(await live({ ...given, jumps })).toMatchObject({ missing: [], dropped: [], backwards: 0 });
      }),
      { numRuns: RUNS / 4 },
    );
  }, 60_000);
});
