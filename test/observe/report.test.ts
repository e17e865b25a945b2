import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Coverage } from '../../src/core/coverage.ts';
import type { JournalStats } from '../../src/core/journal.ts';
import { reportOn } from '../../src/observe/report.ts';
import { Vitals } from '../../src/observe/vitals.ts';

const NOW = Date.UTC(2025, 2, 4, 12);
const HOUR = 3_600_000;

const stats: JournalStats = {
  pending: 2,
  records: 9,
  bytes: 4_096,
  limitBytes: 8_192,
  paused: false,
  sinks: [{ name: 'siem', pending: 2, oldestPendingMs: NOW - 60_000 }],
  deadLetters: [{ kind: 'sink', name: 'siem', count: 1 }],
};

const coverage: Coverage = {
  source: 'alerts',
  tenant: 'contoso',
  product: 'microsoftSentinel',
  firstSeenMs: NOW - 10 * HOUR,
  lastSeenMs: NOW - HOUR,
  records: 7,
  rhythm: { alerts: 5, firstMs: NOW - 9 * HOUR, lastMs: NOW - HOUR, longestGapMs: 5 * HOUR },
  // 19 within half a minute, and one later than a day.
  lateness: [0, 0, 0, 0, 19, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
};

function scene(journal: Partial<Parameters<typeof reportOn>[0]['journal']> = {}) {
  const clock = { now: NOW, steady: 5_000 };
  const vitals = new Vitals({ now: () => clock.now, steady: () => clock.steady });
  const source = vitals.source({ name: 'alerts', tenant: 'contoso', type: 'graph-alerts', everyMs: 30_000 });
  source.is({ notes: () => ['overlap is too short'] });
  const notes = ['the receiver never answers'];
  const sink = vitals.sink('siem', { confirms: 'delay', notes: () => notes });
  const report = reportOn({
    version: '1.2.3',
    directory: '/var/lib/relay',
    vitals,
    journal: {
      stats: async () => stats,
      coverage: async () => [coverage, { ...coverage, tenant: 'fabrikam' }],
      checkpoint: async () => 'a checkpoint',
      fault: undefined,
      ...journal,
    },
    filling: { fullInSeconds: () => 3_600.4 },
    progressOf: (type, checkpoint) => {
      expect([type, checkpoint]).toEqual(['graph-alerts', 'a checkpoint']);
      return {
        watermarkMs: NOW - 90_000,
        setAside: 3,
        open: [{ reading: 'backfill', begunMs: NOW - HOUR, fromMs: NOW - 9 * HOUR, toMs: NOW - 2 * HOUR }],
      };
    },
    strike: (text) => text.replaceAll('canary', '***'),
  });
  return {
    report,
    source,
    sink,
    pass(ms: number) {
      clock.now += ms;
      clock.steady += ms;
    },
  };
}

describe('reportOn()', () => {
  it('says everything of a relay that works', async () => {
    const { report, source, sink, pass } = scene();
    source.healthy();
    source.read();
    sink.connected(true);
    sink.unconfirmed(2);
    sink.delivered();
    pass(1_500);
    expect(await report.status()).toEqual({
      configRefused: null,
      version: '1.2.3',
      directory: '/var/lib/relay',
      running: true,
      since: '2025-03-04T12:00:00.000Z',
      ready: true,
      problems: [],
      sources: [
        {
          name: 'alerts',
          tenant: 'contoso',
          watermark: '2025-03-04T11:58:30.000Z',
          lagSeconds: 1.5,
          lastRead: '2025-03-04T12:00:00.000Z',
          lastFailure: null,
          open: [
            {
              reading: 'backfill',
              begun: '2025-03-04T11:00:00.000Z',
              from: '2025-03-04T03:00:00.000Z',
              to: '2025-03-04T10:00:00.000Z',
            },
          ],
          setAside: 3,
          notes: ['overlap is too short'],
          compared: null,
          products: [
            {
              product: 'microsoftSentinel',
              firstSeen: '2025-03-04T02:00:00.000Z',
              lastSeen: '2025-03-04T11:00:00.000Z',
              records: 7,
              lateness: { medianSeconds: 30, p95Seconds: 30 },
              rhythm: { usualSeconds: 7_200, longestSeconds: 18_000 },
            },
          ],
        },
      ],
      journal: { bytes: 4_096, limitBytes: 8_192, records: 9, paused: false },
      sinks: [
        {
          name: 'siem',
          required: true,
          connected: true,
          pending: 2,
          oldestPending: '2025-03-04T11:59:00.000Z',
          gaps: null,
          fullInSeconds: 3_600,
          unconfirmed: 2,
          lastDelivered: '2025-03-04T12:00:00.000Z',
          lastFailure: null,
          failingSince: null,
          confirms: 'delay',
          notes: ['the receiver never answers'],
        },
      ],
      deadLetters: [{ kind: 'sink', name: 'siem', count: 1 }],
    });
    expect(await report.problems()).toEqual([]);
  });

  it('G18: says how far behind a source is that has not come to an end since the start', async () => {
    const { report, pass } = scene();
    pass(10_000);
    const { sources, ready } = await report.status();
    expect(sources[0]).toMatchObject({ lagSeconds: 100, lastRead: null });
    expect(ready).toBe(false);
  });

  it('says what failed, when, and since when, and keeps secrets to itself', async () => {
    const { report, source, sink, pass } = scene();
    source.failed('auth', 'refused: canary');
    sink.failed('network', 'nobody listens');
    pass(1_000);
    sink.failed('timeout', 'no answer to canary');
    expect(await report.status()).toMatchObject({
      sources: [{ lastFailure: { at: '2025-03-04T12:00:00.000Z', reason: 'auth', message: 'refused: ***' } }],
      sinks: [
        {
          connected: false,
          lastFailure: { at: '2025-03-04T12:00:01.000Z', reason: 'timeout', message: 'no answer to ***' },
          failingSince: '2025-03-04T12:00:00.000Z',
        },
      ],
    });
    expect(await report.problems()).toMatchObject([
      { message: 'source alerts (tenant contoso): nothing read since the start 1s ago: refused: ***' },
    ]);
  });

  it('does not know what a source has not begun', async () => {
    const { report } = scene({ checkpoint: async () => undefined, coverage: async () => [] });
    const { sources } = await report.status();
    expect(sources).toMatchObject([{ watermark: null, lagSeconds: null, open: [], products: [] }]);
  });

  it.each<[string, () => Promise<never>]>([
    ['fails', () => Promise.reject(new Error('the disk is gone'))],
    ['does not answer', () => new Promise(() => {})],
  ])('answers also when the journal %s', async (_, silent) => {
    const { report, source } = scene({ stats: silent, coverage: silent, checkpoint: silent });
    source.healthy();
    vi.spyOn(AbortSignal, 'timeout').mockImplementation(() => AbortSignal.abort());
    onTestFinished(() => void vi.restoreAllMocks());
    const problems = [{ part: 'journal', message: 'journal: it does not answer' }];
    expect(await report.problems()).toEqual(problems);
    expect(await report.status()).toMatchObject({
      ready: false,
      problems,
      journal: null,
      sinks: [],
      sources: [],
    });
  });
});
