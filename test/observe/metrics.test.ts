import { spawnSync } from 'node:child_process';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Appended, JournalStats } from '../../src/core/journal.ts';
import type { Page } from '../../src/core/source.ts';
import { ticksOf } from '../../src/core/ticks.ts';
import { openMetrics } from '../../src/observe/metrics.ts';
import { whyMissing } from '../peers/missing.ts';
import { aSourceRecord } from '../support/records.ts';

const NOW = Date.UTC(2025, 2, 4, 10);

const stats: JournalStats = {
  pending: 3,
  records: 9,
  bytes: 4096,
  limitBytes: 8192,
  paused: true,
  sinks: [
    {
      name: 'siem',
      pending: 3,
      oldestPendingMs: NOW - 5_000,
      gaps: { count: 1, records: 40, oldestMs: 0, newestMs: 0, grownMs: 0, open: false },
    },
  ],
  deadLetters: [{ kind: 'sink', name: 'siem', count: 2 }],
};

/** What a sweep found: one new alert of a product that is known, and one of an unknown one, 90 minutes old. */
const page: Page = {
  reading: 'sweep',
  records: ['microsoftSentinel', 'x'.repeat(500)].map((product) =>
    aSourceRecord({ createdDateTime: '2025-03-04T08:30:00Z' }, { product }),
  ),
  dateMs: NOW,
  checkpoint: '{}',
  floor: 0n,
  watermark: ticksOf('2025-03-04T09:00:00.5Z')!,
};
const told: Appended['told'] = [
  { index: 0, outcome: 'new' },
  { index: 1, outcome: 'new' },
];

const PROMISED = [
  'build_info',
  'config_last_reload_successful',
  'config_reloads_total',
  'credential_expires_seconds',
  'dead_letters',
  'delivery_seconds',
  'graph_requests_total',
  'graph_throttled_seconds_total',
  'journal_bytes',
  'journal_full_in_seconds',
  'journal_limit_bytes',
  'journal_paused',
  'journal_records',
  'reconcile_last_seconds',
  'reconcile_missing',
  'reconcile_repaired_total',
  'sink_connected',
  'sink_failures_total',
  'sink_gap_records',
  'sink_oldest_pending_seconds',
  'sink_pending_records',
  'sink_records_total',
  'sink_send_seconds',
  'sink_unconfirmed_records',
  'source_found_total',
  'source_lag_seconds',
  'source_last_seen_seconds',
  'source_lateness_seconds',
  'source_miscounts_total',
  'source_polls_total',
  'source_records_total',
  'source_watermark_seconds',
];

/** Metrics of one source, tenant and sink. */
function scene(read: () => Promise<JournalStats> = async () => stats) {
  let now = NOW;
  const metrics = openMetrics('1.2.3');
  metrics.journal(read, { fullInSeconds: () => 3_600 }, () => now);
  return {
    metrics,
    source: metrics.source('alerts', 'contoso', () => now),
    graph: metrics.graph('contoso'),
    sink: metrics.sink('siem', () => now),
    pass: (ms: number) => {
      now += ms;
    },
  };
}

/** Our own series with their values. */
async function series(metrics: { text(): Promise<string> }): Promise<Record<string, number>> {
  const lines = (await metrics.text()).split('\n').filter((line) => line.startsWith('defender_relay_'));
  return Object.fromEntries(
    lines.map((line) => [
      line.slice('defender_relay_'.length, line.lastIndexOf(' ')),
      Number(line.split(' ').at(-1)),
    ]),
  );
}

describe('openMetrics()', () => {
  it('starts every series of a counter, and all that a sink has, at 0', async () => {
    const { metrics } = scene(async () => ({ ...stats, sinks: [], deadLetters: [] }));
    const found = await series(metrics);
    for (const name of [
      'source_records_total{source="alerts",tenant="contoso",result="new"}',
      'source_records_total{source="alerts",tenant="contoso",result="duplicate"}',
      'source_records_total{source="alerts",tenant="contoso",result="filtered"}',
      'source_polls_total{source="alerts",tenant="contoso",result="read"}',
      'source_polls_total{source="alerts",tenant="contoso",result="auth"}',
      'source_polls_total{source="alerts",tenant="contoso",result="bug"}',
      'graph_requests_total{tenant="contoso",status="429"}',
      'graph_requests_total{tenant="contoso",status="network"}',
      'graph_throttled_seconds_total{tenant="contoso"}',
      'dead_letters{kind="source",name="alerts"}',
      'dead_letters{kind="sink",name="siem"}',
      'sink_records_total{sink="siem",result="delivered"}',
      'sink_records_total{sink="siem",result="refused"}',
      'sink_failures_total{sink="siem",reason="network"}',
      'sink_failures_total{sink="siem",reason="timeout"}',
      'sink_failures_total{sink="siem",reason="bug"}',
      'sink_connected{sink="siem"}',
      'sink_unconfirmed_records{sink="siem"}',
      'sink_pending_records{sink="siem"}',
      'sink_gap_records{sink="siem"}',
      'reconcile_missing{sink="siem"}',
      'reconcile_repaired_total{sink="siem"}',
      'sink_oldest_pending_seconds{sink="siem"}',
      'sink_send_seconds_count{sink="siem"}',
      'delivery_seconds_count{sink="siem"}',
    ])
      expect(found, name).toHaveProperty([name], 0);
  });

  it('G18: knows before the first reading how far behind a source is', async () => {
    const { metrics, source, pass } = scene();
    pass(10_000);
    source.begins(NOW - 50_000, []);
    expect(await series(metrics)).toMatchObject({
      'source_watermark_seconds{source="alerts",tenant="contoso"}': NOW / 1000 - 50,
      'source_lag_seconds{source="alerts",tenant="contoso"}': 60,
    });
    source.read();
    expect(await series(metrics)).toHaveProperty(['source_lag_seconds{source="alerts",tenant="contoso"}'], 0);
  });

  it('counts from the start for a source that begins', async () => {
    const { metrics, source, pass } = scene();
    source.begins(undefined, []);
    pass(10_000);
    expect(await series(metrics)).toHaveProperty(
      ['source_lag_seconds{source="alerts",tenant="contoso"}'],
      10,
    );
  });

  it('G12: knows before the first reading when a product was seen last', async () => {
    const { metrics, source } = scene();
    const covered = {
      source: 'alerts',
      tenant: 'contoso',
      product: 'microsoftSentinel',
      lastSeenMs: NOW - 60_000,
    };
    source.begins(NOW, [{ ...covered, firstSeenMs: 0, records: 7, rhythm: undefined, lateness: [] }]);
    expect(await series(metrics)).toHaveProperty(
      ['source_last_seen_seconds{source="alerts",tenant="contoso",product="microsoftSentinel"}'],
      NOW / 1000 - 60,
    );
  });

  it('counts what it is told', async () => {
    const { metrics, source, graph, sink, pass } = scene();
    source.kept(page, { new: 2, duplicate: 3, filtered: 4, told });
    source.failed('auth');
    source.read();
    pass(1_500);
    graph.requested('200');
    graph.throttled(2.5);
    sink.connected(true);
    sink.sent(20);
    sink.unconfirmed(7);
    sink.delivered([NOW, NOW - 60_000, NOW + 3_600_000]);
    sink.refused(2);
    sink.failed('network');
    expect(await series(metrics)).toMatchObject({
      'build_info{version="1.2.3"}': 1,
      'source_records_total{source="alerts",tenant="contoso",result="new"}': 2,
      'source_records_total{source="alerts",tenant="contoso",result="duplicate"}': 3,
      'source_records_total{source="alerts",tenant="contoso",result="filtered"}': 4,
      'source_polls_total{source="alerts",tenant="contoso",result="auth"}': 1,
      'source_polls_total{source="alerts",tenant="contoso",result="read"}': 1,
      'source_watermark_seconds{source="alerts",tenant="contoso"}': NOW / 1000 - 3599.5,
      'source_lag_seconds{source="alerts",tenant="contoso"}': 1.5,
      'graph_requests_total{tenant="contoso",status="200"}': 1,
      'graph_throttled_seconds_total{tenant="contoso"}': 2.5,
      'sink_records_total{sink="siem",result="delivered"}': 3,
      'sink_records_total{sink="siem",result="refused"}': 2,
      'sink_failures_total{sink="siem",reason="network"}': 1,
      'sink_connected{sink="siem"}': 1,
      'sink_unconfirmed_records{sink="siem"}': 7,
      'sink_send_seconds_sum{sink="siem"}': 0.02,
      // An alert from the future is no negative time.
      'delivery_seconds_sum{sink="siem"}': 1.5 + 61.5,
      'delivery_seconds_count{sink="siem"}': 3,
      journal_records: 9,
      journal_bytes: 4096,
      journal_limit_bytes: 8192,
      journal_paused: 1,
      'dead_letters{kind="sink",name="siem"}': 2,
      'sink_pending_records{sink="siem"}': 3,
      'sink_gap_records{sink="siem"}': 40,
      'journal_full_in_seconds{sink="siem"}': 3_600,
      'sink_oldest_pending_seconds{sink="siem"}': 6.5,
    });
  });

  it('shows what the last comparison of each source has found missing, and when that was', async () => {
    const { metrics } = scene();
    const counts = { given: 7, waiting: 0, filtered: 0, refused: 0, unknown: 0, replaced: 0 };
    const result = (source: string, missing: number, repaired: number) => ({
      source,
      tenant: 'contoso',
      from: '2025-03-02T12:00:00.0000000Z',
      to: '2025-03-04T12:00:00.0000000Z',
      complete: true,
      listed: 7 + missing,
      sinks: [{ sink: 'siem', ...counts, missing, repaired }],
      left: [],
      deviations: [],
      extra: [],
      unread: [],
      notes: [],
    });
    metrics.compared(result('alerts', 5, 4), NOW);
    metrics.compared(result('others', 2, 2), NOW + 5_000);
    expect(await series(metrics)).toMatchObject({
      'reconcile_missing{sink="siem"}': 7,
      'reconcile_repaired_total{sink="siem"}': 6,
      'reconcile_last_seconds{source="others",tenant="contoso"}': NOW / 1000 + 5,
    });
    metrics.compared(result('alerts', 0, 0), NOW);
    await metrics.forget({ source: 'others', tenant: 'contoso' });
    metrics.compared(result('alerts', 1, 0), NOW);
    const found = await series(metrics);
    expect(found).toMatchObject({ 'reconcile_missing{sink="siem"}': 1 });
    expect(found).not.toHaveProperty(['reconcile_last_seconds{source="others",tenant="contoso"}']);
  });

  it('G1: shows how late each product becomes visible, and which reading finds it', async () => {
    const { metrics, source } = scene();
    source.kept(page, { new: 2, duplicate: 0, filtered: 0, told });
    source.kept({ ...page, reading: 'backfill' }, { new: 2, duplicate: 0, filtered: 0, told });
    const labels = (product: string) => `source="alerts",tenant="contoso",product="${product}"`;
    expect(await series(metrics)).toMatchObject({
      'source_found_total{source="alerts",tenant="contoso",reading="sweep"}': 2,
      'source_found_total{source="alerts",tenant="contoso",reading="overlap"}': 0,
      [`source_lateness_seconds_sum{${labels('microsoftSentinel')}}`]: 5_400,
      [`source_lateness_seconds_count{${labels('other')}}`]: 1,
      [`source_last_seen_seconds{${labels('microsoftSentinel')}}`]: NOW / 1000,
    });
  });

  it('G18: lag grows while a source is not read to its end, also before the first reading', async () => {
    const { metrics, source, pass } = scene();
    const lag = async () => (await series(metrics))['source_lag_seconds{source="alerts",tenant="contoso"}'];
    pass(60_000);
    expect(await lag()).toBe(60);
    source.kept(page, { new: 1, duplicate: 0, filtered: 0, told: [] });
    expect(await lag()).toBe(60);
    source.read();
    expect(await lag()).toBe(0);
  });

  it('forgets dead letters that are gone, and the age of what is delivered', async () => {
    let present = stats;
    const { metrics } = scene(async () => present);
    await metrics.text();
    present = {
      ...stats,
      sinks: [{ name: 'siem', pending: 0, oldestPendingMs: undefined }],
      deadLetters: [],
    };
    const found = await series(metrics);
    expect(found['dead_letters{kind="sink",name="siem"}'] ?? 0).toBe(0);
    expect(found['sink_oldest_pending_seconds{sink="siem"}']).toBe(0);
  });

  it('answers with what it has when the journal does not', async () => {
    const { metrics } = scene(() => Promise.reject(new Error('lost')));
    expect(await series(metrics)).toHaveProperty(['build_info{version="1.2.3"}'], 1);
  });

  it('answers in time when the journal does not answer', async () => {
    // As five seconds later.
    const timeout = vi.spyOn(AbortSignal, 'timeout').mockImplementation(() => AbortSignal.abort());
    onTestFinished(() => timeout.mockRestore());
    const { metrics } = scene(() => new Promise(() => {}));
    expect(await series(metrics)).toHaveProperty(['build_info{version="1.2.3"}'], 1);
  });

  it('has all metrics that are promised, with the words that explain them', async () => {
    const { metrics } = scene();
    const text = await metrics.text();
    const missing = PROMISED.filter(
      (name) => !new RegExp(`^# HELP defender_relay_${name} .*\\.$`, 'm').test(text),
    );
    expect(missing).toEqual([]);
    // Nothing that this list does not know, so that it is kept.
    const names = [...text.matchAll(/^# TYPE defender_relay_(\w+) /gm)].map(([, name]) => name!);
    expect(names.filter((name) => !PROMISED.includes(name))).toEqual([]);
  });

  it('G12: has only labels of names and closed sets, whatever happens', async () => {
    const { metrics, source, graph, sink } = scene();
    source.failed('server');
    graph.requested('503');
    sink.failed('timeout');
    const labels = [...(await metrics.text()).matchAll(/defender_relay_\w+\{([^}]*)\}/g)].flatMap(
      ([, text]) => [...text!.matchAll(/(\w+)="/g)].map(([, label]) => label),
    );
    const allowed = [
      'source',
      'tenant',
      'result',
      'status',
      'sink',
      'reason',
      'kind',
      'name',
      'reading',
      'product',
      'version',
      'le',
    ];
    expect([...new Set(labels)].filter((label) => !allowed.includes(label!))).toEqual([]);
  });

  it('S12: tells when a credential expires, once that is known', async () => {
    const { metrics, graph } = scene();
    const name = 'credential_expires_seconds{tenant="contoso"}';
    expect((await series(metrics))[name]).toBeUndefined();
    graph.credentialExpires(Date.UTC(2027, 2, 1));
    expect((await series(metrics))[name]).toBe(Date.UTC(2027, 2, 1) / 1000);
  });

  it.skipIf(whyMissing('promtool'))('has no fault that promtool knows', async () => {
    const { metrics, source, graph, sink } = scene();
    source.kept(page, { new: 1, duplicate: 0, filtered: 0, told });
    graph.requested('200');
    sink.sent(1);
    sink.delivered([NOW]);
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
      input: await metrics.text(),
      encoding: 'utf8',
    });
    expect(`${stdout}${stderr}`).toBe('');
    expect(status).toBe(0);
  });
});
