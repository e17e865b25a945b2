import { compareCursors } from '../core/cursor.ts';
import { JournalUnavailableError, RelayError } from '../core/errors.ts';
import type { AppendedFor, Found, Journal, Searched } from '../core/journal.ts';
import type { Retold } from '../core/record.ts';
import type { ReplayProgress, ReplayRequest, ReplayResult } from '../core/replay.ts';
import type { Task } from '../core/task.ts';
import { isoOfTicks, ticksOf, ticksOfMs } from '../core/ticks.ts';
import { orAbort, wait } from '../lib/wait.ts';
import { Rate } from './policies/rate.ts';

/** A sink that has more before it is given nothing more to do: live alerts stand behind all of it. */
const MOST_PENDING = 2_000;
/** Most records in one transaction; fewer where fewer are to come in a quarter of a second. */
const MOST_AT_ONCE = 256;
/** So often it is asked whether it may go on. */
const LOOK_MS = 1_000;
/** Most records whose places are kept at a time; of more the oldest come first. */
const MOST_FOUND = 50_000;

export interface ReplayOptions {
  readonly journal: Pick<Journal, 'search' | 'recordsAt' | 'appendFor' | 'stats' | 'available'>;
  /** A relay runs: what is told again must not hold up what is new. Else all is appended at once, as far as there is room. */
  readonly isLive: boolean;
  /** Milliseconds of a clock that nobody sets. */
  readonly steady: () => number;
  readonly wait?: typeof wait;
  readonly mostFound?: number;
}

/**
 * Appends for one sink, marked `replay`, what the journal has of a range of time when it is begun, oldest update first:
 * so the order per id is kept, and there is a time from which to go on. Delivery does the rest, `match` included.
 *
 * @throws {RelayError} there is no such sink, or no such time
 */
export async function replay(
  request: ReplayRequest,
  { journal, isLive, steady, wait: pause = wait, mostFound = MOST_FOUND }: ReplayOptions,
  { signal, progress }: Task<ReplayProgress>,
): Promise<ReplayResult> {
  const { sink } = request;
  const [from, to] = [timeOf(request.from), timeOf(request.to)];
  const rate = new Rate(isLive ? request.maxPerSecond : 0, steady, pause);
  const atOnce = isLive ? Math.min(MOST_AT_ONCE, Math.ceil(request.maxPerSecond / 4)) : MOST_AT_ONCE;
  let doing: ReplayProgress['doing'] = 'looking';
  let records = 0;
  let gone = 0;
  let upTo = from;
  let since: bigint | undefined;
  const tell = (next = doing) => {
    doing = next;
    progress({ doing, records, upTo: isoOfTicks(upTo) });
  };
  const result = (ended: ReplayResult['ended']): ReplayResult => ({
    ended,
    records,
    upTo: isoOfTicks(upTo),
    gone,
    journalSince: since === undefined ? null : isoOfTicks(since),
  });

  /** How much the sink has before it, and when that was asked; what was appended since counts in. */
  let pending = { records: 0, atMs: Number.NEGATIVE_INFINITY };
  const look = async (): Promise<void> => {
    const { sinks } = await patiently(() => journal.stats());
    const found = sinks.find(({ name }) => name === sink);
    if (!found) throw noSink(sink);
    pending = { records: found.pending, atMs: steady() };
  };

  /** Does it, however long the disk is at fault. */
  const patiently = async <T>(work: () => Promise<T>): Promise<T> => {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof JournalUnavailableError)) throw error;
        tell('waiting-for-room');
        await pause(LOOK_MS, signal);
        await orAbort(journal.available(), signal);
      }
    }
  };

  const waitForSink = async (): Promise<void> => {
    if (!isLive) return;
    while (pending.records > MOST_PENDING || steady() - pending.atMs >= LOOK_MS) {
      await look();
      if (pending.records <= MOST_PENDING) return;
      tell('waiting-for-sink');
      await pause(LOOK_MS, signal);
    }
  };

  /** Puts them in the journal; `no-room` only where nobody makes room. */
  const append = async (again: readonly Retold[]): Promise<AppendedFor> => {
    for (;;) {
      const appended = await patiently(() => journal.appendFor(sink, 'replay', again));
      if (appended !== 'no-room' || !isLive) return appended;
      tell('waiting-for-room');
      await pause(LOOK_MS, signal);
    }
  };

  /** All that is left of the range, or the oldest of it; where it ends. */
  const find = async (): Promise<Oldest> => {
    let kept: Oldest = { found: [], end: to };
    for (let after: number | undefined = 0; after !== undefined; ) {
      signal.throwIfAborted();
      const begunMs = steady();
      const piece: Searched = await journal.search({ from: upTo, to: kept.end, after });
      after = piece.after;
      if (!piece.isWhole && piece.sinceMs !== undefined) since ??= ticksOfMs(piece.sinceMs);
      kept.found.push(...piece.found);
      if (kept.found.length > 2 * mostFound) kept = oldest(kept.found, mostFound, kept.end);
      tell('looking');
      // The thread of the journal is everybody's: half of its time at most.
      if (after !== undefined && isLive) await pause(steady() - begunMs, signal);
    }
    return oldest(kept.found, mostFound, kept.end);
  };

  try {
    await look();
    while (upTo < to) {
      const { found, end } = await find();
      for (let next = 0; next < found.length; ) {
        await waitForSink();
        const places = found.slice(next, next + atOnce).map(({ place }) => place);
        const taken = await journal.recordsAt(places);
        if (taken.records.length > 0) {
          await rate.take(taken.records.length, signal);
          const appended = await append(taken.records);
          if (appended === 'no-sink') throw noSink(sink);
          if (appended === 'no-room') return result('full');
        }
        next += taken.places;
        records += taken.records.length;
        gone += taken.places - taken.records.length;
        pending = { ...pending, records: pending.records + taken.records.length };
        upTo = found[next]?.revision ?? end;
        tell('appending');
      }
      upTo = end;
    }
    return result('done');
  } catch (error) {
    if (signal.aborted) return result('stopped');
    throw error;
  }
}

/** The oldest records of a range, and where they end. */
interface Oldest {
  readonly found: Found[];
  readonly end: bigint;
}

/** In the order of time, and no more than `most` if ties allow that. */
function oldest(found: readonly Found[], most: number, end: bigint): Oldest {
  const sorted = found.toSorted(
    (a, b) => compare(a.revision, b.revision) || compareCursors(a.place, b.place),
  );
  const cut = sorted[most]?.revision;
  if (cut === undefined) return { found: sorted, end };
  // All of one time stay together.
  const isCut = sorted[0]!.revision < cut;
  const kept = sorted.filter(({ revision }) => (isCut ? revision < cut : revision <= cut));
  return { found: kept, end: isCut ? cut : cut + 1n };
}

const compare = (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0);

function timeOf(text: string): bigint {
  const ticks = ticksOf(text);
  if (ticks === undefined) throw new RelayError(`${JSON.stringify(text)} is no time`);
  return ticks;
}

function noSink(name: string): RelayError {
  return new RelayError(`the journal has no sink ${name}, or it has left the config of the relay`);
}
