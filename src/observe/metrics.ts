import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { type Coverage, latenessSeconds, sightingsOf } from '../core/coverage.ts';
import { unavailableReasons } from '../core/errors.ts';
import type { Appended, JournalStats } from '../core/journal.ts';
import type { Reconciled } from '../core/reconciled.ts';
import { type Page, readingKinds } from '../core/source.ts';
import { msOfTicks } from '../core/ticks.ts';
import { orAbort } from '../lib/wait.ts';

/** Kinds of failure: what a part says of itself, and `bug` for what nobody foresaw. */
const reasons = [...unavailableReasons, 'bug'] as const;

/** Answers of Graph, and failures without one, that are counted from 0 on; others come when they come. */
const statuses = [
  '200',
  '400',
  '401',
  '403',
  '404',
  '429',
  '500',
  '502',
  '503',
  '504',
  ...unavailableReasons,
];

/** A journal that takes longer does not answer; a scraper waits ten seconds. */
const ANSWER_MS = 5_000;

/** From an event at Microsoft to its arrival at the SIEM: seconds to a day. */
const DELIVERY_BUCKETS = [...latenessSeconds];
const SEND_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/**
 * All metrics of the relay. Labels are configured names and closed sets, never ids, hosts or messages; every
 * series starts at 0, because `rate()` cannot see the step from "absent" to 1.
 */
export function openMetrics(version: string) {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  // promtool refuses these: they end in `_total` and are gauges.
  for (const kind of ['handles', 'requests', 'resources'])
    registry.removeSingleMetric(`nodejs_active_${kind}_total`);

  const all: (Counter | Gauge | Histogram)[] = [];
  const keep = <M extends Counter<string> | Gauge<string> | Histogram<string>>(metric: M): M => {
    all.push(metric);
    return metric;
  };
  const counter = <L extends string>(name: string, help: string, ...labelNames: L[]) =>
    keep(new Counter<L>({ name: `defender_relay_${name}`, help, labelNames, registers }));
  const gauge = <L extends string>(name: string, help: string, ...labelNames: L[]) =>
    keep(new Gauge<L>({ name: `defender_relay_${name}`, help, labelNames, registers }));
  const histogram = <L extends string>(name: string, help: string, buckets: number[], ...labelNames: L[]) =>
    keep(new Histogram<L>({ name: `defender_relay_${name}`, help, buckets, labelNames, registers }));

  /** Brings gauges up to date that are read rather than told; run before each answer. */
  const refreshers = new Map<string, () => void | Promise<void>>();

  /** What the last comparison of each source has found. */
  const missing = new Map<string, Reconciled['sinks']>();

  /** The parts that may set records aside, by kind and name. */
  const setAside = new Map<string, { readonly kind: 'source' | 'sink'; readonly name: string }>();
  const maySetAside = (kind: 'source' | 'sink', name: string) =>
    setAside.set(`${kind} ${name}`, { kind, name });

  const info = gauge('build_info', 'Always 1; the label tells the version.', 'version');
  info.set({ version }, 1);
  const reload = {
    count: counter('config_reloads_total', 'Configs loaded while running, by what became of them.', 'result'),
    isGood: gauge('config_last_reload_successful', '0 while the config of the file was refused.'),
  };
  for (const result of ['used', 'refused']) reload.count.inc({ result }, 0);
  reload.isGood.set(1);

  const source = {
    records: counter(
      'source_records_total',
      'Records read, by what became of them.',
      'source',
      'tenant',
      'result',
    ),
    polls: counter('source_polls_total', 'Readings, by how they ended.', 'source', 'tenant', 'result'),
    watermark: gauge(
      'source_watermark_seconds',
      'Time up to which the source has been read (Unix time).',
      'source',
      'tenant',
    ),
    miscounted: counter(
      'source_miscounts_total',
      'Lists of which Graph’s own count did not agree with what it gave, however often they were read.',
      'source',
      'tenant',
    ),
    found: counter(
      'source_found_total',
      'Records put in the journal, by the reading that found them.',
      'source',
      'tenant',
      'reading',
    ),
    lateness: histogram(
      'source_lateness_seconds',
      'From the creation of an alert to its first sight, by product.',
      DELIVERY_BUCKETS,
      'source',
      'tenant',
      'product',
    ),
    lastSeen: gauge(
      'source_last_seen_seconds',
      'When something new of a product was seen last (Unix time).',
      'source',
      'tenant',
      'product',
    ),
    compared: gauge(
      'reconcile_last_seconds',
      'When the source was last compared by schedule with what the sinks were given (Unix time).',
      'source',
      'tenant',
    ),
    lag: gauge('source_lag_seconds', 'Time since the source was last read to its end.', 'source', 'tenant'),
  };
  const graph = {
    requests: counter(
      'graph_requests_total',
      'Requests to Graph, by HTTP status or kind of failure.',
      'tenant',
      'status',
    ),
    throttled: counter('graph_throttled_seconds_total', 'Time that Graph asked us to wait.', 'tenant'),
    expires: gauge(
      'credential_expires_seconds',
      'When secret or certificate expire (Unix time), if that is known.',
      'tenant',
    ),
  };
  const journal = {
    records: gauge('journal_records', 'Records in the journal, delivered ones included.'),
    bytes: gauge('journal_bytes', 'Size of the journal: used pages and write-ahead log.'),
    limit: gauge('journal_limit_bytes', 'Size that the journal may have; the sources pause 1 % below it.'),
    paused: gauge('journal_paused', '1 while the sources pause because the journal is full.'),
    fullIn: gauge(
      'journal_full_in_seconds',
      'Time until what waits for the sink fills the journal, if it grows on as it does; +Inf: not in sight.',
      'sink',
    ),
    deadLetters: gauge('dead_letters', 'Records set aside.', 'kind', 'name'),
  };
  const sink = {
    records: counter('sink_records_total', 'Records, by what became of them.', 'sink', 'result'),
    pending: gauge('sink_pending_records', 'Records that the sink has still to be given.', 'sink'),
    gap: gauge(
      'sink_gap_records',
      'Records, at most, that the sink was not given because they filled the journal, and that nothing has refilled.',
      'sink',
    ),
    missing: gauge(
      'reconcile_missing',
      'Records that the last scheduled comparison of each source found missing; they are repaired then.',
      'sink',
    ),
    repaired: counter(
      'reconcile_repaired_total',
      'Records that scheduled comparisons found missing and put in the journal.',
      'sink',
    ),
    oldest: gauge('sink_oldest_pending_seconds', 'Age of the oldest of them in the journal.', 'sink'),
    unconfirmed: gauge('sink_unconfirmed_records', 'Records written and not yet confirmed.', 'sink'),
    connected: gauge('sink_connected', '1 while the sink is open.', 'sink'),
    failures: counter('sink_failures_total', 'Failures, by kind.', 'sink', 'reason'),
    send: histogram('sink_send_seconds', 'Duration of one send.', SEND_BUCKETS, 'sink'),
    delivery: histogram(
      'delivery_seconds',
      'From the creation of an alert to its delivery.',
      DELIVERY_BUCKETS,
      'sink',
    ),
  };

  return {
    contentType: registry.contentType,

    /** All metrics in Prometheus' text format, as they are now. */
    async text(): Promise<string> {
      await Promise.all([...refreshers.values()].map((refresh) => refresh()));
      return registry.metrics();
    },

    /** A config was loaded while running. */
    reloaded(isUsed: boolean): void {
      reload.count.inc({ result: isUsed ? 'used' : 'refused' });
      reload.isGood.set(isUsed ? 1 : 0);
    },

    /** A source was compared by schedule. */
    compared({ source: name, tenant, sinks }: Reconciled, atMs: number): void {
      source.compared.set({ source: name, tenant }, atMs / 1000);
      missing.set(JSON.stringify([name, tenant]), sinks);
      for (const { sink: which, repaired } of sinks) {
        sink.repaired.inc({ sink: which }, repaired);
        const all = [...missing.values()].flat().filter((each) => each.sink === which);
        sink.missing.set(
          { sink: which },
          all.reduce((sum, each) => sum + each.missing, 0),
        );
      }
    },

    /** Takes out what was told of a part that has left the config: all series with these labels. */
    async forget(labels: Readonly<Record<string, string>>): Promise<void> {
      refreshers.delete(JSON.stringify(labels));
      missing.delete(JSON.stringify([labels.source, labels.tenant]));
      for (const kind of ['source', 'sink'] as const) setAside.delete(`${kind} ${labels[kind]}`);
      for (const metric of all) {
        const { values } = await metric.get();
        for (const { labels: found } of values) {
          const { le, ...own } = found as Record<string, string>;
          if (Object.entries(labels).every(([name, value]) => own[name] === value)) metric.remove(own);
        }
      }
    },

    /** What happens to one source. */
    source(name: string, tenant: string, now: () => number) {
      const labels = { source: name, tenant };
      maySetAside('source', name);
      for (const result of ['new', 'duplicate', 'filtered', 'unknown'])
        source.records.inc({ ...labels, result }, 0);
      for (const result of ['read', ...reasons]) source.polls.inc({ ...labels, result }, 0);
      source.miscounted.inc(labels, 0);
      for (const reading of readingKinds) source.found.inc({ ...labels, reading }, 0);
      /** Which products there are, how late their alerts become visible, and which reading finds them. */
      const coverage = (page: Page, { told }: Appended) => {
        source.found.inc({ ...labels, reading: page.reading }, told.length);
        for (const { product, atMs, latenessMs } of sightingsOf(page, told, now())) {
          source.lastSeen.set({ ...labels, product }, atMs / 1000);
          if (latenessMs !== undefined) source.lateness.observe({ ...labels, product }, latenessMs / 1000);
        }
      };
      let lastRead = now();
      refreshers.set(JSON.stringify(labels), () => source.lag.set(labels, (now() - lastRead) / 1000));
      return {
        /**
         * @param watermarkMs where it goes on from; `undefined`: it begins
         * @param covered what it has shown before: a product that is silent from now on must be seen to be so
         */
        begins(watermarkMs: number | undefined, covered: readonly Coverage[]) {
          for (const { product, lastSeenMs } of covered)
            source.lastSeen.set({ ...labels, product }, lastSeenMs / 1000);
          if (watermarkMs === undefined) return;
          source.watermark.set(labels, watermarkMs / 1000);
          // It was last read to its end before this process began.
          lastRead = Math.min(lastRead, watermarkMs);
        },
        kept(page: Page, appended: Appended) {
          for (const result of ['new', 'duplicate', 'filtered', 'unknown'] as const) {
            source.records.inc({ ...labels, result }, appended[result] ?? 0);
          }
          source.watermark.set(labels, msOfTicks(page.watermark) / 1000);
          coverage(page, appended);
        },
        miscounted: () => source.miscounted.inc(labels),
        read() {
          lastRead = now();
          source.polls.inc({ ...labels, result: 'read' });
        },
        failed: (reason: string) => source.polls.inc({ ...labels, result: reason }),
      };
    },

    /** What happens between the relay and Graph of one tenant. */
    graph(tenant: string) {
      graph.throttled.inc({ tenant }, 0);
      for (const status of statuses) graph.requests.inc({ tenant, status }, 0);
      return {
        requested: (status: string) => graph.requests.inc({ tenant, status }),
        throttled: (seconds: number) => graph.throttled.inc({ tenant }, seconds),
        credentialExpires: (atMs: number) => graph.expires.set({ tenant }, atMs / 1000),
      };
    },

    /** What happens to one sink. */
    sink(name: string, now: () => number) {
      const labels = { sink: name };
      maySetAside('sink', name);
      for (const result of ['delivered', 'filtered', 'refused']) sink.records.inc({ ...labels, result }, 0);
      for (const reason of reasons) sink.failures.inc({ ...labels, reason }, 0);
      sink.repaired.inc(labels, 0);
      for (const start of [
        sink.connected,
        sink.unconfirmed,
        sink.pending,
        sink.gap,
        sink.missing,
        sink.oldest,
      ])
        start.set(labels, 0);
      for (const start of [sink.send, sink.delivery]) start.zero(labels);
      return {
        connected: (connected: boolean) => sink.connected.set(labels, connected ? 1 : 0),
        sent: (ms: number) => sink.send.observe(labels, ms / 1000),
        unconfirmed: (records: number) => sink.unconfirmed.set(labels, records),
        failed: (reason: string) => sink.failures.inc({ ...labels, reason }),
        filtered: (records: number) => sink.records.inc({ ...labels, result: 'filtered' }, records),
        refused: (records: number) => sink.records.inc({ ...labels, result: 'refused' }, records),
        delivered(createdMs: readonly number[]) {
          sink.records.inc({ ...labels, result: 'delivered' }, createdMs.length);
          for (const created of createdMs) sink.delivery.observe(labels, Math.max(0, now() - created) / 1000);
        },
      };
    },

    /** The journal is asked when somebody asks for the metrics. */
    journal(
      stats: () => Promise<JournalStats>,
      filling: { fullInSeconds(sink: string): number },
      now: () => number,
    ) {
      refreshers.set('journal', async () => {
        const found = await orAbort(stats(), AbortSignal.timeout(ANSWER_MS)).catch(() => undefined);
        if (!found) return;
        journal.records.set(found.records);
        journal.bytes.set(found.bytes);
        journal.limit.set(found.limitBytes);
        journal.paused.set(found.paused ? 1 : 0);
        journal.deadLetters.reset();
        for (const part of setAside.values()) journal.deadLetters.set({ ...part }, 0);
        for (const { kind, name, count } of found.deadLetters) journal.deadLetters.set({ kind, name }, count);
        for (const { name, pending, oldestPendingMs, gaps } of found.sinks) {
          sink.pending.set({ sink: name }, pending);
          sink.gap.set({ sink: name }, gaps?.records ?? 0);
          journal.fullIn.set({ sink: name }, filling.fullInSeconds(name));
          sink.oldest.set(
            { sink: name },
            oldestPendingMs === undefined ? 0 : (now() - oldestPendingMs) / 1000,
          );
        }
      });
    },
  };
}

export type Metrics = ReturnType<typeof openMetrics>;
