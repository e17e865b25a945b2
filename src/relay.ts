import { createHash } from 'node:crypto';
import type { Logger } from 'pino';
import type { Config } from './config/schema.ts';
import type { Appended } from './core/journal.ts';
import { buildPlugin } from './core/plugin.ts';
import type { RelayRecord } from './core/record.ts';
import type { Page } from './core/source.ts';
import { formats } from './formats/index.ts';
import { openJournal } from './journal/journal.ts';
import { Closers } from './lib/closers.ts';
import { runTogether } from './lib/group.ts';
import type { Stop } from './lib/stop.ts';
import { orAbort } from './lib/wait.ts';
import { type Graph, openGraph } from './net/graph.ts';
import { openMetrics } from './observe/metrics.ts';
import { openServer } from './observe/server.ts';
import { type DeliverObserver, delivery } from './pipeline/deliver.ts';
import { ingest } from './pipeline/ingest.ts';
import { withTimeout } from './pipeline/policies/timeout.ts';
import { restarted } from './pipeline/restarted.ts';
import { sinks } from './sinks/index.ts';
import { sources } from './sources/index.ts';

/** What the relay is given from outside besides its config. */
export interface RelayContext {
  readonly version: string;
  readonly log: Logger;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** From 0 to below 1. */
  readonly random: () => number;
  /** Told of what is kept and delivered; for the demo's closing account. */
  readonly watch?: {
    kept?(appended: Appended): void;
    delivered?(sink: string, records: readonly RelayRecord[]): void;
    listening?(port: number): void;
  };
}

/** Ceiling of written and unconfirmed text for every sink, whatever it has room for (S1). */
const WINDOW_BYTES = 32 * 2 ** 20;
/** Pause after a reading that failed for another reason than those a source waits out itself. */
const SOURCE_BACKOFF = { initialMs: 1_000, maxMs: 60_000 };

/** Wires the relay and runs it until `stop`. To know the program, read this function. */
export async function runRelay(config: Config, context: RelayContext, stop: Stop): Promise<void> {
  const { log, now, random, watch } = context;
  const closers = new Closers();
  try {
    const metrics = openMetrics(context.version);
    const { directory, maxBytes, retention } = config.state;
    const journal = closers.add(
      'journal',
      await openJournal({ directory, maxBytes, retentionMs: retention, log: log.child({ part: 'journal' }) }),
    );
    metrics.journal(() => journal.stats(), now);
    log.info(
      { directory, ...journal.opening },
      journal.opening.created ? 'first start: a new journal' : 'journal opened',
    );

    const graphs = new Map<string, Graph>();
    const graph = (tenant: string) => graphs.get(tenant)!;
    for (const settings of config.tenants) {
      const observer = metrics.graph(settings.name);
      const opened = openGraph(settings, {
        log: log.child({ tenant: settings.name }),
        observer,
        now,
        random,
      });
      graphs.set(settings.name, closers.add(`tenant ${settings.name}`, opened));
    }

    // Cursors before records: what is journaled from here on is owed to each of these sinks (K8).
    const positions = await journal.register(
      config.sinks.map((sink) => ({ name: sink.name, startFrom: sink.startFrom, shape: shapeOf(sink) })),
    );

    const ingests = config.sources.map((settings) => {
      const { name, tenant } = settings;
      const partLog = log.child({ source: name, tenant });
      const source = closers.add(
        `source ${name}`,
        buildPlugin(sources, settings, { name, log: partLog, graph }),
      );
      const counts = metrics.source(name, tenant, now);
      const observer = {
        read: counts.read,
        kept(page: Page, appended: Appended) {
          counts.kept(page.watermark, { ...appended, filtered: appended.filtered + page.filtered });
          watch?.kept?.(appended);
        },
      };
      const options = { name, source, journal, everyMs: settings.every, updates: settings.updates, observer };
      return async (signal: AbortSignal) => {
        const found = await journal.checkpoint({ source: name, tenant });
        partLog.info(
          { checkpoint: found },
          found ? 'goes on from its checkpoint' : 'reads for the first time',
        );
        const task = (healthy: () => void) => ingest(options, signal, healthy);
        await restarted(task, {
          log: partLog,
          backoff: SOURCE_BACKOFF,
          random,
          signal,
          failed: counts.failed,
        });
      };
    });

    const delivers = config.sinks.map((settings) => {
      const { name, delivery: limits, maxEventBytes } = settings;
      const partLog = log.child({ sink: name });
      const timeoutMs = limits.timeout;
      const bare = closers.add(
        `sink ${name}`,
        buildPlugin(sinks, settings, { name, log: partLog, timeoutMs }),
      );
      const counts = metrics.sink(name, now);
      const observer: DeliverObserver = {
        ...counts,
        refused(refusals) {
          counts.refused(refusals.length);
          for (const { record, reason, detail } of refusals) {
            partLog.error({ id: record.id, reason, detail }, 'set aside as a dead letter');
          }
        },
        delivered(records) {
          counts.delivered(records.map(({ createdMs }) => createdMs));
          watch?.delivered?.(name, records);
        },
      };
      const from = positions.get(name)!;
      const session = delivery({
        name,
        sink: withTimeout(bare, timeoutMs),
        format: buildPlugin(formats, settings.format, { version: context.version }),
        journal,
        from,
        batchSize: limits.batchSize,
        window: { records: limits.window, bytes: WINDOW_BYTES },
        maxInFlight: limits.maxInFlight,
        maxEventBytes,
        now,
        observer,
      });
      const backoff = { initialMs: limits.retry.initial, maxMs: limits.retry.max };
      return async (signal: AbortSignal) => {
        partLog.info(
          { cursor: from.cursor, sequence: from.sequence, stream: from.stream },
          'goes on from its cursor',
        );
        const task = (healthy: () => void) => session({ soft: signal, hard: stop.hard }, healthy);
        await restarted(task, { log: partLog, backoff, random, signal, failed: counts.failed });
      };
    });

    if (config.server.listen !== 'off') {
      const server = await openServer(config.server.listen, {
        contentType: metrics.contentType,
        metrics: metrics.text,
        alive: async () => {
          await journal.stats();
        },
      });
      closers.add('server', server);
      watch?.listening?.(server.port);
    }

    // Only a lost journal or a signal ends the relay; all else is started again (F1).
    const lost = (signal: AbortSignal) => orAbort(journal.failed, signal);
    await runTogether([lost, ...ingests, ...delivers], stop.soft);
  } finally {
    await closers.close();
  }
}

/** What makes a sink's events: when it changes, the running numbers begin anew in a stream of their own (S6). */
function shapeOf(sink: Config['sinks'][number]): string {
  const { format, maxEventBytes } = sink;
  return createHash('sha256').update(JSON.stringify({ format, maxEventBytes })).digest('hex').slice(0, 16);
}
