import { describe, expect, it } from 'vitest';
import type { Coverage } from '../../src/core/coverage.ts';
import type { Fault, JournalStats, Refusal, SinkStats } from '../../src/core/journal.ts';
import type { OwnEvent } from '../../src/core/own-event.ts';
import { News } from '../../src/observe/news.ts';
import { Vitals } from '../../src/observe/vitals.ts';
import { aRecord } from '../support/records.ts';

const SECOND = 1_000;
const MINUTE = 60_000;
const DAY = 86_400_000;

/** A relay with one source that polls each minute and two sinks, all well; it is looked at every ten seconds. */
function scene() {
  const clock = { now: 1_000 * DAY, steady: 0 };
  const vitals = new Vitals({ now: () => clock.now, steady: () => clock.steady });
  const source = vitals.source({ name: 'alerts', tenant: 'contoso', type: 'graph-alerts', everyMs: MINUTE });
  const sinks = { siem: vitals.sink('siem', {}), archive: vitals.sink('archive', {}) };
  source.healthy();
  for (const sink of Object.values(sinks)) sink.connected(true);
  const told: OwnEvent[] = [];
  const tell = (event: OwnEvent) => void told.push(event);
  const news = new News({ tell, vitals, strike: (text) => text.replaceAll('s3cret', '***') });
  const opening = { created: false, clean: true };
  const found: { stats: JournalStats; fault: Fault | undefined } = {
    stats: {
      pending: 0,
      records: 0,
      bytes: 99,
      limitBytes: 100,
      paused: false,
      sinks: [aSink('siem', 0), aSink('archive', 0)],
      deadLetters: [],
    },
    fault: undefined,
  };
  news.started('1.0.0', opening, found.stats);
  return {
    clock,
    vitals,
    source,
    sinks,
    news,
    told,
    found,
    kinds: () => told.map(({ kind }) => kind).slice(1),
    pending(sink: keyof typeof sinks, count: number) {
      const { stats } = found;
      const all = stats.sinks.map((each) => (each.name === sink ? { ...each, pending: count } : each));
      found.stats = { ...stats, sinks: all };
    },
    /** Time passes in which the source goes on reading, unless told otherwise. */
    pass(ms: number, { reads = true } = {}) {
      for (let left = ms; left > 0; left -= 10 * SECOND) {
        clock.steady += 10 * SECOND;
        clock.now += 10 * SECOND;
        if (reads) source.healthy();
        news.look(found.fault?.usable === false ? undefined : found.stats, found.fault);
      }
    },
  };
}

function aSink(name: string, pending: number): SinkStats {
  return { name, pending, oldestPendingMs: undefined };
}

const refusals = (count: number): Refusal[] =>
  Array.from({ length: count }, () => ({ record: aRecord(), reason: 'rejected', detail: 'no' }));

describe('News', () => {
  it('tells first that the relay has started, and what it found', () => {
    const { told } = scene();
    expect(told).toEqual([{ kind: 'relay-started', version: '1.0.0', reason: 'clean-end', count: 0 }]);
  });

  it('keeps what happens before that', () => {
    const { vitals } = scene();
    const told: string[] = [];
    const news = new News({ tell: ({ kind }) => told.push(kind), vitals, strike: (text) => text });
    news.expires('contoso', 0);
    expect(told).toEqual([]);
    news.started('1.0.0', { created: true, clean: true }, scene().found.stats);
    expect(told).toEqual(['relay-started', 'credential-expired']);
  });

  it('tells nothing of a relay that is well, or that stops', () => {
    const { pass, kinds, vitals } = scene();
    pass(30 * MINUTE);
    vitals.stop();
    pass(30 * MINUTE, { reads: false });
    expect(kinds()).toEqual([]);
  });

  it('S4: tells that a sink fails when that has lasted for a minute, why, and that it is over', () => {
    const { sinks, pending, pass, told, kinds } = scene();
    sinks.siem.connected(false);
    sinks.siem.failed('network', 'connect to s3cret refused');
    pending('siem', 3);
    pass(50 * SECOND);
    expect(kinds()).toEqual([]);
    pass(20 * SECOND);
    expect(told.slice(1)).toEqual([
      {
        kind: 'sink-failing',
        sink: 'siem',
        reason: 'network',
        detail: 'connect to *** refused',
        sinceMs: 1_000 * DAY,
        count: 3,
      },
    ]);
    // It can be reached, and nothing is known to have come through.
    sinks.siem.connected(true);
    pass(20 * SECOND);
    expect(kinds()).toEqual(['sink-failing']);
    sinks.siem.healthy();
    pending('siem', 2);
    pass(10 * SECOND);
    expect(told.at(-1)).toEqual({ kind: 'sink-healed', sink: 'siem', sinceMs: 1_000 * DAY, count: 2 });
  });

  it('tells nothing of a sink that is back within a minute, again and again', () => {
    const { sinks, pass, kinds } = scene();
    for (let count = 0; count < 50; count++) {
      sinks.siem.connected(false);
      pass(40 * SECOND);
      sinks.siem.connected(true);
      pass(20 * SECOND);
    }
    expect(kinds()).toEqual([]);
  });

  it('does not take a sink for well that was put in the place of one that failed', () => {
    const { sinks, vitals, pass, kinds } = scene();
    sinks.siem.connected(false);
    pass(2 * MINUTE);
    const next = vitals.sink('siem', {});
    pass(2 * MINUTE);
    expect(kinds()).toEqual(['sink-failing']);
    next.connected(true);
    pass(10 * SECOND);
    expect(kinds()).toEqual(['sink-failing', 'sink-healed']);
  });

  it('F2: tells that a source fails when nothing good came for five of its intervals', () => {
    const { source, pass, told, kinds } = scene();
    pass(10 * SECOND, { reads: false });
    source.failed('auth', 'the secret s3cret has expired');
    pass(290 * SECOND, { reads: false });
    expect(kinds()).toEqual([]);
    pass(10 * SECOND, { reads: false });
    const key = { source: 'alerts', tenant: 'contoso' };
    const sinceMs = 1_000 * DAY;
    expect(told.slice(1)).toEqual([
      { kind: 'source-failing', ...key, reason: 'auth', detail: 'the secret *** has expired', sinceMs },
    ]);
    pass(10 * SECOND);
    expect(told.at(-1)).toEqual({ kind: 'source-healed', ...key, sinceMs });
  });

  it('gives a source that has only just come the same time', () => {
    const { vitals, pass, kinds } = scene();
    pass(DAY);
    vitals.source({ name: 'late', tenant: 'contoso', type: 'graph-alerts', everyMs: MINUTE });
    pass(5 * MINUTE);
    expect(kinds()).toEqual([]);
    pass(10 * SECOND);
    expect(kinds()).toEqual(['source-failing']);
  });

  it('takes a relay that was held for no failing source', () => {
    const { clock, pass, kinds } = scene();
    pass(MINUTE);
    clock.steady += 3_600_000;
    pass(4 * MINUTE, { reads: false });
    expect(kinds()).toEqual([]);
  });

  it('K6: tells that all sources wait, for whom, and that they go on; and blames no source for it', () => {
    const { found, pending, pass, told, kinds } = scene();
    pending('archive', 7);
    found.stats = { ...found.stats, paused: true };
    pass(30 * MINUTE, { reads: false });
    found.stats = { ...found.stats, paused: false };
    pass(MINUTE, { reads: false });
    expect(kinds()).toEqual(['queue-paused', 'queue-resumed']);
    expect(told[1]).toEqual({ kind: 'queue-paused', reason: 'full', sink: 'archive', percent: 99 });
  });

  it('tells of a disk at fault, and not of one that is for a moment', () => {
    const { found, pass, told, kinds } = scene();
    found.fault = { message: 'disk s3cret is full', usable: false };
    pass(10 * SECOND);
    found.fault = undefined;
    pass(10 * SECOND);
    expect(kinds()).toEqual([]);
    found.fault = { message: 'disk s3cret is full', usable: false };
    pass(30 * SECOND);
    expect(told.at(-1)).toEqual({ kind: 'queue-paused', reason: 'disk', detail: 'disk *** is full' });
  });

  it('tells dead letters together, the first at once, and none of those that told of the relay', () => {
    const { news, pass, told, kinds } = scene();
    news.refused('siem', refusals(3));
    news.refused('siem', [{ record: aRecord({}, { kind: 'relay' }), reason: 'rejected', detail: 'no' }]);
    pass(10 * SECOND);
    expect(told.at(-1)).toEqual({ kind: 'dead-letters', sink: 'siem', reason: 'rejected', count: 3 });
    for (let count = 0; count < 50; count++) {
      news.refused('siem', refusals(1));
      pass(10 * SECOND);
    }
    expect(kinds()).toEqual(['dead-letters']);
    pass(10 * MINUTE);
    expect(told.at(-1)).toMatchObject({ count: 50 });
    expect(kinds()).toHaveLength(2);
  });

  it('R5: tells what a source cannot read, and not again what it has tried again', () => {
    const { news, pass, told, kinds } = scene();
    const key = { source: 'alerts', tenant: 'contoso' };
    const unread = [{ at: 5n, to: 6n, reason: 'unreadable', detail: 's3cret' }] as const;
    news.unread(key, { unread });
    news.unread(key, { unread, readAgain: [5n] });
    pass(20 * MINUTE);
    expect(kinds()).toEqual(['dead-letters']);
    expect(told.at(-1)).toEqual({ kind: 'dead-letters', ...key, reason: 'unreadable', count: 1 });
  });

  it('K6: tells of a gap when it begins, now and then while it grows, and when the sink comes on', () => {
    const { found, pass, told, kinds } = scene();
    const gap = (records: number, open: boolean) => {
      const gaps = { count: 1, records, oldestMs: 1, newestMs: 2, grownMs: 3, open };
      found.stats = { ...found.stats, sinks: [{ ...aSink('siem', 9), gaps }, aSink('archive', 0)] };
    };
    pass(10 * SECOND);
    gap(5, true);
    pass(10 * SECOND);
    gap(6, true);
    pass(30 * MINUTE);
    expect(told.slice(1)).toEqual([
      { kind: 'gap-found', sink: 'siem', reason: 'let-go', count: 5, sinceMs: 1, untilMs: 2 },
    ]);
    gap(7, true);
    pass(31 * MINUTE);
    gap(8, false);
    pass(MINUTE);
    gap(2, false);
    pass(MINUTE);
    expect(kinds()).toEqual(['gap-found', 'gap-found', 'gap-found']);
    expect(told.map((event) => ('count' in event ? event.count : 0)).slice(1)).toEqual([5, 7, 8]);
  });

  it('D16: tells that a product is silent against its rhythm, and that it speaks again', () => {
    const { clock, news, told, kinds, pass, source } = scene();
    const seenMs = clock.now;
    const rhythm = { alerts: 20, firstMs: seenMs - 19 * DAY, lastMs: seenMs, longestGapMs: 2 * DAY };
    const product = { source: 'alerts', tenant: 'contoso', product: 'microsoftSentinel' };
    const coverage = (lastSeenMs: number, alerts = 20): Coverage => ({
      ...product,
      firstSeenMs: 0,
      lastSeenMs,
      records: 20,
      rhythm: { ...rhythm, alerts },
      lateness: [],
    });
    clock.now += 6 * DAY;
    source.healthy();
    news.cover([coverage(seenMs)]);
    clock.now += 1;
    news.cover([coverage(seenMs, 9)]);
    expect(kinds()).toEqual([]);
    news.cover([coverage(seenMs)]);
    news.cover([coverage(seenMs)]);
    expect(told.slice(1)).toEqual([
      {
        kind: 'product-silent',
        ...product,
        lastSeenMs: seenMs,
        usualSeconds: 86_400,
        longestSeconds: 172_800,
      },
    ]);
    news.cover([coverage(clock.now)]);
    expect(told.at(-1)).toEqual({ kind: 'product-speaking', ...product, lastSeenMs: clock.now });
    // Nothing can be read: that is told, and it is not the product.
    pass(6 * MINUTE, { reads: false });
    clock.now += 60 * DAY;
    news.cover([coverage(seenMs)]);
    expect(kinds()).toEqual(['product-silent', 'product-speaking', 'source-failing']);
  });

  it('tells the rest as it comes', () => {
    const { clock, news, told } = scene();
    news.filling({ sink: 'siem', percent: 51, fullInSeconds: 60 });
    news.filling({ sink: 'siem', percent: 81, fullInSeconds: Number.POSITIVE_INFINITY });
    news.expires('contoso', clock.now + 1);
    news.changedConfig(2);
    news.refusedConfig('password: s3cret is not a number');
    expect(told.slice(1)).toEqual([
      { kind: 'journal-filling', sink: 'siem', percent: 51, untilMs: clock.now + MINUTE },
      { kind: 'journal-filling', sink: 'siem', percent: 81 },
      { kind: 'credential-expiring', tenant: 'contoso', expiresMs: clock.now + 1 },
      { kind: 'config-reloaded', count: 2 },
      { kind: 'config-refused', detail: 'password: *** is not a number' },
    ]);
  });
});
