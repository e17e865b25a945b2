import { type Coverage, latenessWithin, pausesOf, type Rhythm } from '../core/coverage.ts';
import type { GapStats, JournalStats, SinkStats, SourceKey } from '../core/journal.ts';
import type { Progress } from '../core/source.ts';
import type { Problem } from './readiness.ts';
import type { ComparedVitals, Failure, Moment, SinkVitals, SourceVitals, Vitals } from './vitals.ts';

/*
 * What `/status` and `status --json` say. Times are ISO 8601 in UTC; `null` is what is not known, or has not been.
 */

export interface Status {
  readonly version: string;
  /** The state directory. */
  readonly directory: string;
  /** A relay has it. */
  readonly running: boolean;
  /** Since when it runs. */
  readonly since: string | null;
  /** As `/readyz`. */
  readonly ready: boolean;
  readonly problems: readonly Problem[];
  /** Why the config of the file is not in use; `null`: it is, as far as it was loaded. */
  readonly configRefused: FailureStatus | null;
  readonly sources: readonly SourceStatus[];
  /** `null`: it does not answer, or there is none. */
  readonly journal: JournalStatus | null;
  readonly sinks: readonly SinkStatus[];
  readonly deadLetters: JournalStats['deadLetters'];
}

export interface SourceStatus {
  readonly name: string;
  readonly tenant: string;
  /** Up to here it has been read, but for what is open. */
  readonly watermark: string | null;
  /** Since it was last read to its end, or, before the first time after a start, since the watermark. */
  readonly lagSeconds: number | null;
  readonly lastRead: string | null;
  readonly lastFailure: FailureStatus | null;
  /** `from` moves towards `to`. */
  readonly open: readonly {
    readonly reading: string;
    readonly begun: string;
    readonly from: string;
    readonly to: string;
  }[];
  /** Times that could not be read and are set aside. */
  readonly setAside: number;
  readonly notes: readonly string[];
  /** When it was last compared by schedule with what the sinks were given; `null`: not since the relay started. */
  readonly compared: ComparedStatus | null;
  readonly products: readonly ProductStatus[];
}

export interface ComparedStatus {
  readonly at: string;
  readonly from: string;
  readonly to: string;
  readonly listed: number;
  /** Records, of all sinks together, that had not been given though they should have been … */
  readonly missing: number;
  /** … and that were put in the journal then. */
  readonly repaired: number;
  /** Times, and ranges of them, that could not be read. */
  readonly unread: number;
}

export interface ProductStatus {
  readonly product: string;
  readonly firstSeen: string;
  readonly lastSeen: string;
  /** Each revision is one. */
  readonly records: number;
  /** From creation to first sight: within so much for half, and for 95 %, of the alerts; `null`: more than a day. */
  readonly lateness: { readonly medianSeconds: number | null; readonly p95Seconds: number | null } | null;
  /** Mean and longest time between two alerts. */
  readonly rhythm: { readonly usualSeconds: number; readonly longestSeconds: number } | null;
}

export interface JournalStatus {
  readonly bytes: number;
  readonly limitBytes: number;
  readonly records: number;
  readonly paused: boolean;
}

export interface SinkStatus {
  readonly name: string;
  /** All sources pause when what waits for it fills the journal. */
  readonly required: boolean;
  /** `null`: not known, as no running relay was asked. */
  readonly connected: boolean | null;
  readonly pending: number;
  readonly oldestPending: string | null;
  /** What it was knowingly not given. */
  readonly gaps: GapsStatus | null;
  /** When it will have filled the journal, if it goes on as it does; `null`: not in sight, or not known. */
  readonly fullInSeconds: number | null;
  readonly unconfirmed: number | null;
  readonly lastDelivered: string | null;
  readonly lastFailure: FailureStatus | null;
  /** It has failed, and not delivered since. */
  readonly failingSince: string | null;
  /** What it takes for the receiver's word. */
  readonly confirms: string | null;
  readonly notes: readonly string[];
}

export interface GapsStatus {
  readonly count: number;
  /** At most: some of them may have been on their way. */
  readonly records: number;
  /** Times of these records. */
  readonly oldest: string;
  readonly newest: string;
  /** When records were let go of last. */
  readonly grown: string;
  /** The sink has taken nothing since: more may follow. */
  readonly open: boolean;
}

export interface FailureStatus {
  readonly at: string;
  readonly reason: string;
  readonly message: string;
}

/** What the status is made of. */
export interface Findings {
  readonly version: string;
  readonly directory: string;
  readonly running: boolean;
  readonly problems: readonly Problem[];
  readonly now: Moment;
  /** Of the relay that runs, if it was asked. */
  readonly vitals: Pick<Vitals, 'started' | 'refused' | 'sources' | 'sinks'> | undefined;
  /** When the backlog of a sink will have filled the journal; of a relay that was asked. */
  readonly filling?: { fullInSeconds(sink: string): number };
  readonly stats: JournalStats | undefined;
  readonly progress: readonly (SourceKey & { readonly progress: Progress | undefined })[];
  readonly coverage: readonly Coverage[];
}

export function statusOf(found: Findings): Status {
  const { version, directory, running, problems, now, vitals, stats } = found;
  return {
    version,
    directory,
    running,
    since: iso(vitals?.started.atMs),
    ready: problems.length === 0,
    problems,
    configRefused: failureStatus(vitals?.refused),
    sources: found.progress.map(({ source: name, tenant, progress }) => {
      const isThis = (key: SourceKey) => key.source === name && key.tenant === tenant;
      const live = vitals?.sources.find((source) => isThis({ source: source.name, tenant: source.tenant }));
      return sourceStatus({ name, tenant }, progress, live, found.coverage.filter(isThis), now);
    }),
    journal: stats
      ? {
          bytes: stats.bytes,
          limitBytes: stats.limitBytes,
          records: stats.records,
          paused: stats.paused,
        }
      : null,
    sinks: (stats?.sinks ?? []).map((sink) =>
      sinkStatus(
        sink,
        vitals?.sinks.find(({ name }) => name === sink.name),
        found.filling?.fullInSeconds(sink.name),
      ),
    ),
    deadLetters: stats?.deadLetters ?? [],
  };
}

function sourceStatus(
  key: Pick<SourceStatus, 'name' | 'tenant'>,
  progress: Progress | undefined,
  live: SourceVitals | undefined,
  coverage: readonly Coverage[],
  now: Moment,
): SourceStatus {
  return {
    ...key,
    watermark: iso(progress?.watermarkMs),
    lagSeconds: lagSeconds(progress, live, now),
    lastRead: iso(live?.read?.atMs),
    lastFailure: failureStatus(live?.failure),
    open: (progress?.open ?? []).map(({ reading, begunMs, fromMs, toMs }) => ({
      reading,
      begun: time(begunMs),
      from: time(fromMs),
      to: time(toMs),
    })),
    setAside: progress?.setAside ?? 0,
    notes: live?.notes ?? [],
    compared: live?.compared ? comparedStatus(live.compared) : null,
    products: coverage.map(productStatus),
  };
}

function comparedStatus({ atMs, result }: ComparedVitals): ComparedStatus {
  const { from, to, listed, sinks, unread } = result;
  const sum = (what: 'missing' | 'repaired') => sinks.reduce((all, sink) => all + sink[what], 0);
  const counts = { listed, missing: sum('missing'), repaired: sum('repaired'), unread: unread.length };
  return { at: time(atMs), from, to, ...counts };
}

function lagSeconds(
  progress: Progress | undefined,
  live: SourceVitals | undefined,
  { atMs, steadyMs }: Moment,
): number | null {
  if (live?.read) return seconds(steadyMs - live.read.steadyMs);
  return progress ? seconds(Math.max(0, atMs - progress.watermarkMs)) : null;
}

function productStatus(coverage: Coverage): ProductStatus {
  const { product, firstSeenMs, lastSeenMs, records, rhythm, lateness } = coverage;
  const [median, p95] = [0.5, 0.95].map((share) => latenessWithin(lateness, share));
  const bound = (within: number | undefined) => (Number.isFinite(within) ? (within ?? null) : null);
  return {
    product,
    firstSeen: time(firstSeenMs),
    lastSeen: time(lastSeenMs),
    records,
    lateness: median === undefined ? null : { medianSeconds: bound(median), p95Seconds: bound(p95) },
    rhythm: rhythmStatus(rhythm),
  };
}

function rhythmStatus(rhythm: Rhythm | undefined): ProductStatus['rhythm'] {
  const pauses = pausesOf(rhythm);
  return pauses ? { usualSeconds: seconds(pauses.meanMs), longestSeconds: seconds(pauses.longestMs) } : null;
}

function sinkStatus(
  { name, pending, oldestPendingMs, required, gaps }: SinkStats,
  live: SinkVitals | undefined,
  fullIn = Number.POSITIVE_INFINITY,
): SinkStatus {
  return {
    name,
    required: required !== false,
    connected: live?.connected ?? null,
    pending,
    oldestPending: iso(oldestPendingMs),
    gaps: gapsStatus(gaps),
    fullInSeconds: Number.isFinite(fullIn) ? Math.round(fullIn) : null,
    unconfirmed: live?.unconfirmed ?? null,
    lastDelivered: iso(live?.delivered?.atMs),
    lastFailure: failureStatus(live?.failure),
    failingSince: iso(live?.failingSince?.atMs),
    confirms: live?.confirms ?? null,
    notes: live?.notes ?? [],
  };
}

export function gapsStatus(gaps: GapStats | undefined): GapsStatus | null {
  if (!gaps) return null;
  const { count, records, oldestMs, newestMs, grownMs, open } = gaps;
  return { count, records, oldest: time(oldestMs), newest: time(newestMs), grown: time(grownMs), open };
}

function failureStatus(failure: Failure | undefined): FailureStatus | null {
  return failure ? { at: time(failure.atMs), reason: failure.reason, message: failure.message } : null;
}

const iso = (ms: number | undefined): string | null => (ms === undefined ? null : time(ms));
const time = (ms: number): string => new Date(ms).toISOString();
const seconds = (ms: number): number => Math.round(ms) / 1000;
