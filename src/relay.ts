import { createHash } from 'node:crypto';
import type { Logger } from 'pino';
import type { Config } from './config/schema.ts';
import { secretsOf } from './config/secrets.ts';
import { commandsOn } from './control/protocol.ts';
import { openControl } from './control/server.ts';
import { JournalUnavailableError } from './core/errors.ts';
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
import { attended } from './net/attended.ts';
import { openGraph, type TenantGraph } from './net/graph.ts';
import { journalFound, sinkBegins, sourceBegins, whatRemains } from './observe/account.ts';
import { Filling, watchFilling } from './observe/filling.ts';
import { striker } from './observe/logger.ts';
import { watchLoop } from './observe/loop.ts';
import { openMetrics } from './observe/metrics.ts';
import { sinkObserver, sourceObserver } from './observe/observers.ts';
import { reportOn } from './observe/report.ts';
import { openServer } from './observe/server.ts';
import { Vitals } from './observe/vitals.ts';
import { type DeliverObserver, delivery } from './pipeline/deliver.ts';
import { type IngestOptions, ingest } from './pipeline/ingest.ts';
import { withTimeout } from './pipeline/policies/timeout.ts';
import { restarted } from './pipeline/restarted.ts';
import { Activity, unlessStalled } from './pipeline/stall.ts';
import { sinks } from './sinks/index.ts';
import { progressOf, sources } from './sources/index.ts';

/** What the relay is given from outside besides its config. */
export interface RelayContext {
  readonly version: string;
  readonly log: Logger;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** From 0 to below 1. */
  readonly random: () => number;
  /** Told of what is kept and delivered, for the demo's closing account, and of being ready, for the service manager. */
  readonly watch?: {
    /** All is open. `alive` resolves when event loop and journal answer (F2). */
    ready?(alive: () => Promise<void>): void;
    kept?(appended: Appended): void;
    delivered?(sink: string, records: readonly RelayRecord[]): void;
    listening?(port: number): void;
  };
}

/** Ceiling of written and unconfirmed text for every sink, whatever it has room for (S1). */
const WINDOW_BYTES = 32 * 2 ** 20;
/** Pause after a reading that failed for another reason than those a source waits out itself. */
const SOURCE_BACKOFF = { initialMs: 1_000, maxMs: 60_000 };

/** A source is started again that is silent, with no reason to be, for so many polls, and so long (G25). */
const STALL_POLLS = 10;
const STALL_MS = 600_000;

/** Milliseconds of a clock that nobody sets. */
const steady = () => performance.now();

/** Wires the relay and runs it until `stop`. To know the program, read this function. */
export async function runRelay(config: Config, context: RelayContext, stop: Stop): Promise<void> {
  const { log, now, random, watch } = context;
  const closers = new Closers();
  try {
    const metrics = openMetrics(context.version);
    const vitals = new Vitals({ now, steady });
    closers.add('watch on the event loop', watchLoop(log, steady));
    const { directory, maxBytes, retention } = config.state;
    const journal = closers.add(
      'journal',
      await openJournal({ directory, maxBytes, retentionMs: retention, log: log.child({ part: 'journal' }) }),
    );
    const stats = () => journal.stats();
    const filling = new Filling(log);
    metrics.journal(stats, filling, now);
    const before = await stats();
    log.info({ directory, ...journal.opening }, journalFound(journal.opening, before));

    // Only a lost journal or a signal ends the relay; all else is started again (F1). Without a journal nothing may
    // be read or sent: what is in flight is abandoned, however long a peer would keep it waiting.
    const lost = new AbortController();
    journal.failed.catch((error: Error) => {
      log.fatal({ reason: error.message }, 'the journal is lost: the relay ends');
      lost.abort(error);
    });
    const soft = AbortSignal.any([stop.soft, lost.signal]);
    const hard = AbortSignal.any([stop.hard, lost.signal]);

    const graphs = new Map<string, TenantGraph>();
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

    const outlets = config.sinks.map((settings) => {
      const { name } = settings;
      const partLog = log.child({ sink: name });
      const timeoutMs = settings.delivery.timeout;
      const credential = (tenant: string) => graphs.get(tenant)!.credential;
      const context = { name, log: partLog, timeoutMs, credential };
      return {
        settings,
        partLog,
        bare: closers.add(`sink ${name}`, buildPlugin(sinks, settings, context)),
      };
    });

    // Cursors before records: what is journaled from here on is owed to each of these sinks (K8).
    const positions = await journal.register(
      outlets.map(({ settings, bare }) => {
        const { name, formerly, startFrom } = settings;
        return { name, formerly, startFrom, shape: shapeOf(settings, bare.headerBytes) };
      }),
    );
    const registered = await stats();
    closers.add('watch on the backlogs', watchFilling(filling, stats, steady));

    const ingests = config.sources.map((settings) => {
      const { name, tenant } = settings;
      const partLog = log.child({ source: name, tenant });
      const { type, every: everyMs, updates } = settings;
      const vital = vitals.source({ name, tenant, type, everyMs });
      const seen = sourceObserver(metrics.source(name, tenant, now), vital);
      const { miscounted } = seen;
      const activity = new Activity(steady);
      const graph = (which: string) =>
        attended(graphs.get(which)!, {
          answered: () => activity.note(),
          waits(error, waitMs) {
            activity.note(waitMs);
            seen.waits(error);
          },
        });
      const source = closers.add(
        `source ${name}`,
        buildPlugin(sources, settings, { name, log: partLog, now, steady, miscounted, graph }),
      );
      vital.is(source);
      const observer = {
        read: seen.read,
        kept(page: Page, appended: Appended) {
          seen.kept(page, appended);
          activity.note();
          watch?.kept?.(appended);
        },
      };
      const kept: IngestOptions['journal'] = {
        checkpoint: (key) => activity.during(journal.checkpoint(key)),
        append: (page) => journal.append(page),
        room: (signal) => activity.during(journal.room(signal)),
      };
      const options = { name, source, journal: kept, everyMs, updates, observer };
      const limitMs = Math.max(STALL_POLLS * everyMs, STALL_MS);
      return async (signal: AbortSignal) => {
        const found = await orAbort(journal.checkpoint({ source: name, tenant }), signal);
        partLog.info({}, sourceBegins(source, found));
        const covered = (await journal.coverage()).filter(
          (each) => each.source === name && each.tenant === tenant,
        );
        seen.begins(found === undefined ? undefined : progressOf(type, found)?.watermarkMs, covered);
        const task = (healthy: () => void) =>
          unlessStalled((given) => ingest(options, given, healthy), { activity, limitMs, signal });
        const { failed, healthy } = seen;
        const backoff = SOURCE_BACKOFF;
        await restarted(task, { log: partLog, backoff, now, random, signal, failed, healthy });
      };
    });

    const delivers = outlets.map(({ settings, partLog, bare }) => {
      const { name, delivery: limits, maxEventBytes } = settings;
      const seen = sinkObserver(metrics.sink(name, now), vitals.sink(name, bare));
      const observer: DeliverObserver = {
        ...seen,
        refused(refusals) {
          seen.refused(refusals.length);
          for (const { record, reason, detail } of refusals) {
            partLog.error({ id: record.id, reason, detail }, 'set aside as a dead letter');
          }
        },
        delivered(records) {
          seen.delivered(records.map(({ createdMs }) => createdMs));
          watch?.delivered?.(name, records);
        },
      };
      const waiting = async () => {
        await journal.available();
        const { sinks: all } = await journal.stats();
        return all.find((sink) => sink.name === name) ?? { pending: 0, oldestPendingMs: undefined };
      };
      const from = positions.get(name)!;
      const session = delivery({
        name,
        sink: withTimeout(bare, limits.timeout),
        format: buildPlugin(formats, settings.format, { version: context.version }),
        match: settings.match,
        journal,
        from,
        batchSize: limits.batchSize,
        window: { records: limits.window, bytes: WINDOW_BYTES },
        maxInFlight: limits.maxInFlight,
        maxEventBytes,
        maxPerSecond: limits.maxPerSecond,
        ...(settings.selfEvents && { heartbeat: { everyMs: config.heartbeat.every, waiting } }),
        now,
        observer,
      });
      const backoff = { initialMs: limits.retry.initial, maxMs: limits.retry.max };
      return async (signal: AbortSignal) => {
        partLog.info({ ...from }, sinkBegins(name, from, before, registered));
        const task = (healthy: () => void) => session({ soft: signal, hard }, healthy);
        const { failed, healthy } = seen;
        await restarted(task, { log: partLog, backoff, now, random, signal, failed, healthy });
      };
    });

    // A disk that is at fault answers, too, and heals by itself; to be started again would not help it.
    const alive = async () => {
      await journal.stats().catch((error) => {
        if (!(error instanceof JournalUnavailableError)) throw error;
      });
    };
    const strike = striker(secretsOf(config));
    stop.soft.addEventListener('abort', () => vitals.stop());

    if (config.server.listen !== 'off') {
      const server = await openServer(config.server.listen, {
        contentType: metrics.contentType,
        metrics: metrics.text,
        ...reportOn({ version: context.version, directory, vitals, journal, filling, progressOf, strike }),
        alive,
      });
      closers.add('server', server);
      log.info({}, `metrics at ${server.origin}/metrics`);
      watch?.listening?.(server.port);
    }

    closers.add(
      'control socket',
      await openControl(directory, commandsOn(journal), log.child({ part: 'control' })),
    );

    watch?.ready?.(alive);
    await runTogether([...ingests, ...delivers], soft);
    lost.signal.throwIfAborted();
    await journal.flush();
    log.info({}, whatRemains(await journal.stats()));
  } catch (error) {
    // What went wrong first is the news, not what it made go wrong in closing.
    await closers
      .close()
      .catch((cause) => log.error({ err: cause }, 'not all could be closed in good order'));
    throw error;
  }
  await closers.close();
}

/** What makes a sink's events: when it changes, the running numbers begin anew in a stream of their own (S6). */
function shapeOf(sink: Config['sinks'][number], headerBytes: number): string {
  const { format } = sink;
  // What is left for the text decides where a large record is parted.
  const maxBytes = sink.maxEventBytes - headerBytes;
  // A sink that wants everything has none, so that its stream is as old as the sink.
  const match = Object.keys(sink.match).length > 0 ? sink.match : undefined;
  return createHash('sha256').update(JSON.stringify({ format, maxBytes, match })).digest('hex').slice(0, 16);
}
