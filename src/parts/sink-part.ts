import { createHash } from 'node:crypto';
import type { SinkConfig } from '../config/schema.ts';
import type { JournalStats, Position, SinkRegistration } from '../core/journal.ts';
import { buildPlugin } from '../core/plugin.ts';
import { formats } from '../formats/index.ts';
import type { Stop } from '../lib/stop.ts';
import { sinkBegins } from '../observe/account.ts';
import { sinkObserver } from '../observe/observers.ts';
import { type DeliverObserver, delivery } from '../pipeline/deliver.ts';
import { withTimeout } from '../pipeline/policies/timeout.ts';
import { restarted } from '../pipeline/restarted.ts';
import type { SinkContext } from '../sinks/context.ts';
import { sinks } from '../sinks/index.ts';
import type { Part, PartContext } from './part.ts';

/**
 * Ceiling of written and unconfirmed text for every sink, whatever it has room for (S1). With each event its record stays
 * in memory, several times as large: so more only where several sends are under way.
 */
const WINDOW_BYTES = { oneSend: 4 * 2 ** 20, all: 32 * 2 ** 20 };

/** Where a sink goes on from, and the journal before and after that was settled: for what is said of it. */
export interface Registered {
  readonly from: Position;
  readonly before: JournalStats;
  readonly after: JournalStats;
}

export interface SinkPart extends Part {
  /** What the journal has to know before the sink may run (K8). */
  readonly registration: SinkRegistration;
  /** Works until it is asked to stop; ends before that only with what ends the relay (F1). */
  run(stop: Stop, registered: Registered): Promise<void>;
  /** Opens anew what it writes to, if that is a thing of this machine that others move away (logrotate). */
  reopen(): void;
}

/** Journal → sink, again and again. */
export function sinkPart(
  settings: SinkConfig,
  heartbeatMs: number,
  credential: NonNullable<SinkContext['credential']>,
  context: PartContext,
): SinkPart {
  const { version, now, random, metrics, vitals, news, journal, watch } = context;
  const { name, formerly, startFrom, required, delivery: limits, maxEventBytes } = settings;
  const log = context.log.child({ sink: name });
  const bare = buildPlugin(sinks, settings, { name, log, timeoutMs: limits.timeout, credential });
  const format = buildPlugin(formats, settings.format, { version });

  const observe = () => {
    const seen = sinkObserver(metrics.sink(name, now), vitals.sink(name, bare));
    const observer: DeliverObserver = {
      ...seen,
      refused(refusals) {
        seen.refused(refusals.length);
        news.refused(name, refusals);
        for (const { record, reason, detail } of refusals) {
          log.error({ id: record.id, reason, detail }, 'set aside as a dead letter');
        }
      },
      delivered(records) {
        seen.delivered(records.map(({ createdMs }) => createdMs));
        watch?.delivered?.(name, records);
      },
    };
    return { seen, observer };
  };
  const waiting = async () => {
    await journal.available();
    const { sinks: all } = await journal.stats();
    return all.find((sink) => sink.name === name) ?? { pending: 0, oldestPendingMs: undefined };
  };

  return {
    registration: { name, formerly, startFrom, required, shape: shapeOf(settings, bare.headerBytes) },
    async run({ soft: signal, hard }, { from, before, after }) {
      const { seen, observer } = observe();
      const session = delivery({
        name,
        sink: withTimeout(bare, limits.timeout),
        format,
        match: settings.match,
        selfEvents: settings.selfEvents,
        journal,
        from,
        batchSize: limits.batchSize,
        window: {
          records: limits.window,
          bytes: Math.min(WINDOW_BYTES.all, limits.maxInFlight * WINDOW_BYTES.oneSend),
        },
        maxInFlight: limits.maxInFlight,
        maxEventBytes,
        maxPerSecond: limits.maxPerSecond,
        ...(settings.selfEvents && { heartbeat: { everyMs: heartbeatMs, waiting } }),
        now,
        observer,
      });
      log.info({ ...from }, sinkBegins(name, from, before, after));
      const task = (healthy: () => void) => session({ soft: signal, hard }, healthy);
      const backoff = { initialMs: limits.retry.initial, maxMs: limits.retry.max };
      const { failed, healthy } = seen;
      await restarted(task, { log, backoff, now, random, signal, failed, healthy });
    },
    // It never rejects: the next send tells what is wrong.
    reopen: () => void bare.reopen?.(),
    async forget() {
      vitals.forgetSink(name);
      await metrics.forget({ sink: name });
    },
    close: () => bare.close(),
  };
}

/** What makes a sink's events: when it changes, the running numbers begin anew in a stream of their own (S6). */
function shapeOf(sink: SinkConfig, headerBytes: number): string {
  const { format } = sink;
  // What is left for the text decides where a large record is parted.
  const maxBytes = sink.maxEventBytes - headerBytes;
  // A sink that wants everything has none, so that its stream is as old as the sink.
  const match = Object.keys(sink.match).length > 0 ? sink.match : undefined;
  // One without the relay's own events counts others; that a sink has them goes without saying.
  const selfEvents = sink.selfEvents ? undefined : false;
  const shape = { format, maxBytes, match, selfEvents };
  return createHash('sha256').update(JSON.stringify(shape)).digest('hex').slice(0, 16);
}
