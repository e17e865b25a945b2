import { compareCursors } from '../core/cursor.ts';
import { JournalUnavailableError, RelayError, UnavailableError } from '../core/errors.ts';
import type { Found, Journal, Searched, SourceKey } from '../core/journal.ts';
import { type Retold, retold } from '../core/record.ts';
import type { ReplayProgress, ReplayRequest, ReplayResult } from '../core/replay.ts';
import type { Source } from '../core/source.ts';
import type { Task } from '../core/task.ts';
import { compareTicks, isoOfTicks, TICKS_PER_MS, ticksOf, ticksOfMs } from '../core/ticks.ts';
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
/** So much is listed before it counts as done: what is stopped in between is listed and told again. */
const STRETCH_TICKS = 6n * 3_600_000n * TICKS_PER_MS;

export interface ReplayOptions {
  readonly journal: Pick<Journal, 'search' | 'recordsAt' | 'appendFor' | 'stats' | 'available'>;
  /** What the journal does not have is listed from these; none: it is not listed. */
  readonly sources: readonly {
    readonly name: string;
    readonly source: Required<Pick<Source, 'tenant' | 'list'>>;
  }[];
  /** A relay runs: what is told again must not hold up what is new. Else all is appended at once, as far as there is room. */
  readonly isLive: boolean;
  /** Milliseconds of a clock that nobody sets. */
  readonly steady: () => number;
  readonly wait?: typeof wait;
  readonly mostFound?: number;
}

/**
 * Appends for one sink, marked `replay`, what the journal has of a range of time when it is begun, and from the sources
 * what it does not have: there only the newest revision of each id is left. The oldest update comes first: so the order
 * per id is kept, and there is a time from which to go on. Delivery does the rest, `match` included.
 *
 * @throws {RelayError} there is no such sink, or no such time
 */
export async function replay(
  request: ReplayRequest,
  options: ReplayOptions,
  task: Task<ReplayProgress>,
): Promise<ReplayResult> {
  const work = new Replay(request, options, task);
  try {
    return work.result(await work.run());
  } catch (error) {
    if (task.signal.aborted) return work.result('stopped');
    if (error instanceof UnavailableError) return work.result('failed', error.message);
    throw error;
  }
}

class Replay {
  readonly #sink: string;
  readonly #from: bigint;
  readonly #to: bigint;
  readonly #options: ReplayOptions;
  readonly #task: Task<ReplayProgress>;
  readonly #pause: typeof wait;
  readonly #rate: Rate;
  readonly #atOnce: number;
  #records = 0;
  #listed = 0;
  #gone = 0;
  #broken = 0;
  /** All before this time is done. */
  #upTo: bigint;
  /** The journal has all that came since this time; `undefined`: nothing ever came. */
  #since: bigint | undefined;
  readonly #unread: ReplayResult['unread'][number][] = [];
  /** How much the sink has before it, and when that was asked; what was appended since counts in. */
  #pending = { records: 0, atMs: Number.NEGATIVE_INFINITY };

  constructor(
    { sink, from, to, maxPerSecond }: ReplayRequest,
    options: ReplayOptions,
    task: Task<ReplayProgress>,
  ) {
    const { isLive, steady } = options;
    this.#sink = sink;
    this.#from = timeOf(from);
    this.#to = timeOf(to);
    this.#upTo = this.#from;
    this.#options = options;
    this.#task = task;
    this.#pause = options.wait ?? wait;
    this.#rate = new Rate(isLive ? maxPerSecond : 0, steady, this.#pause);
    this.#atOnce = isLive ? Math.min(MOST_AT_ONCE, Math.ceil(maxPerSecond / 4)) : MOST_AT_ONCE;
  }

  async run(): Promise<'done' | 'full'> {
    await this.#look();
    while (this.#upTo < this.#to) {
      const { found, end } = await this.#find();
      for (let rest = found; this.#upTo < end; ) {
        const stretch = this.#stretch(end);
        const later = rest.findIndex(({ revision }) => revision >= stretch.end);
        const now = later < 0 ? rest : rest.slice(0, later);
        rest = later < 0 ? [] : rest.slice(later);
        if (!(await this.#tell(now, stretch))) return 'full';
        this.#reached(stretch.end);
      }
    }
    return 'done';
  }

  result(ended: ReplayResult['ended'], problem?: string): ReplayResult {
    const edge = this.#edge();
    const isShort = this.#options.sources.length === 0 && this.#from < edge;
    return {
      ended,
      ...(problem !== undefined && { problem }),
      ...{ from: isoOfTicks(this.#from), to: isoOfTicks(this.#to), upTo: isoOfTicks(this.#upTo) },
      records: this.#records,
      listed: this.#listed,
      gone: this.#gone,
      broken: this.#broken,
      journalSince: this.#since === undefined ? null : isoOfTicks(this.#since),
      notListed: isShort ? { from: isoOfTicks(this.#from), to: isoOfTicks(edge) } : null,
      unread: this.#unread,
    };
  }

  /** Where that part of the range ends of which the journal may not have all. */
  #edge(): bigint {
    return this.#since === undefined || this.#since > this.#to ? this.#to : this.#since;
  }

  /** What is done next, in one go. */
  #stretch(end: bigint): Stretch {
    const edge = this.#edge();
    if (this.#options.sources.length === 0 || this.#upTo >= edge) return { end, isListed: false };
    const next = this.#upTo + STRETCH_TICKS;
    return { end: [end, edge, next].reduce((a, b) => (a < b ? a : b)), isListed: true };
  }

  /** Tells a stretch again; `false`: there is no room. */
  async #tell(found: readonly Found[], { end, isListed }: Stretch): Promise<boolean> {
    const known = isListed ? new Set<string>() : undefined;
    for (let next = 0; next < found.length; ) {
      await this.#waitForSink();
      const places = found.slice(next, next + this.#atOnce).map(({ place }) => place);
      const taken = await this.#options.journal.recordsAt(places);
      if (!(await this.#append(taken.records))) return false;
      for (const record of taken.records) known?.add(keyOf(record));
      next += taken.places;
      this.#gone += taken.places - taken.records.length;
      // Until it has been listed, there may be more.
      if (!isListed) this.#reached(found[next]?.revision ?? end);
    }
    // After what the journal has: the newest revision of an id comes last.
    return known === undefined || (await this.#tellListed(end, known));
  }

  async #tellListed(end: bigint, known: ReadonlySet<string>): Promise<boolean> {
    for (const { name, source } of this.#options.sources) {
      const key = { source: name, tenant: source.tenant };
      this.#progress('listing');
      for await (const { records, unread } of source.list(this.#upTo, end, this.#task.signal)) {
        if (unread) this.#unread.push(notRead(key, unread));
        const again = records
          .filter(({ unwanted }) => !unwanted)
          .map((record) => retold(key, record))
          .filter((record) => !known.has(keyOf(record)));
        for (let next = 0; next < again.length; next += this.#atOnce) {
          await this.#waitForSink();
          const some = again.slice(next, next + this.#atOnce);
          if (!(await this.#append(some))) return false;
          this.#listed += some.length;
        }
        this.#progress('listing');
      }
    }
    return true;
  }

  /** Puts records in the journal when they may come; `false`: there is no room, and nobody makes any. */
  async #append(records: readonly Retold[]): Promise<boolean> {
    if (records.length === 0) return true;
    const { journal, isLive } = this.#options;
    await this.#rate.take(records.length, this.#task.signal);
    for (;;) {
      const appended = await this.#patiently(() => journal.appendFor(this.#sink, 'replay', records));
      if (appended === 'no-sink') throw noSink(this.#sink);
      if (appended === 'appended') break;
      if (!isLive) return false;
      this.#progress('waiting-for-room');
      await this.#pause(LOOK_MS, this.#task.signal);
    }
    this.#records += records.length;
    this.#pending.records += records.length;
    this.#progress('appending');
    return true;
  }

  /** All that is left of the range, or the oldest of it. */
  async #find(): Promise<Oldest> {
    const { journal, isLive, steady, mostFound = MOST_FOUND } = this.#options;
    let kept: Oldest = { found: [], end: this.#to };
    // The same each time that it is looked at.
    this.#broken = 0;
    for (let after: number | undefined = 0; after !== undefined; ) {
      this.#task.signal.throwIfAborted();
      this.#progress('looking');
      const begunMs = steady();
      const piece: Searched = await journal.search({ from: this.#upTo, to: kept.end, after });
      after = piece.after;
      if (piece.sinceMs !== undefined) this.#since ??= ticksOfMs(piece.sinceMs);
      this.#broken += piece.broken;
      kept.found.push(...piece.found);
      if (kept.found.length > 2 * mostFound) kept = oldest(kept.found, mostFound, kept.end);
      // The thread of the journal is everybody's: half of its time at most.
      if (after !== undefined && isLive) await this.#pause(steady() - begunMs, this.#task.signal);
    }
    return oldest(kept.found, mostFound, kept.end);
  }

  async #waitForSink(): Promise<void> {
    const { isLive, steady } = this.#options;
    if (!isLive) return;
    while (this.#pending.records > MOST_PENDING || steady() - this.#pending.atMs >= LOOK_MS) {
      await this.#look();
      if (this.#pending.records <= MOST_PENDING) return;
      this.#progress('waiting-for-sink');
      await this.#pause(LOOK_MS, this.#task.signal);
    }
  }

  async #look(): Promise<void> {
    const { journal, steady } = this.#options;
    const { sinks } = await this.#patiently(() => journal.stats());
    const found = sinks.find(({ name }) => name === this.#sink);
    if (!found) throw noSink(this.#sink);
    this.#pending = { records: found.pending, atMs: steady() };
  }

  /** Does it, however long the disk is at fault. */
  async #patiently<T>(work: () => Promise<T>): Promise<T> {
    const { signal } = this.#task;
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof JournalUnavailableError)) throw error;
        this.#progress('waiting-for-room');
        await this.#pause(LOOK_MS, signal);
        await orAbort(this.#options.journal.available(), signal);
      }
    }
  }

  #reached(upTo: bigint): void {
    this.#upTo = upTo;
    this.#progress('appending');
  }

  #progress(doing: ReplayProgress['doing']): void {
    this.#task.progress({ doing, records: this.#records, upTo: isoOfTicks(this.#upTo) });
  }
}

/** A part of the range, up to here. */
interface Stretch {
  readonly end: bigint;
  /** The sources are asked for what of it the journal does not have. */
  readonly isListed: boolean;
}

/** The oldest records of a range, and where they end. */
interface Oldest {
  readonly found: Found[];
  readonly end: bigint;
}

/** In the order of time, and no more than `most` if ties allow that. */
function oldest(found: readonly Found[], most: number, end: bigint): Oldest {
  const sorted = found.toSorted(
    (a, b) => compareTicks(a.revision, b.revision) || compareCursors(a.place, b.place),
  );
  const cut = sorted[most]?.revision;
  if (cut === undefined) return { found: sorted, end };
  // All of one time stay together.
  const isCut = sorted[0]!.revision < cut;
  const kept = sorted.filter(({ revision }) => (isCut ? revision < cut : revision <= cut));
  return { found: kept, end: isCut ? cut : cut + 1n };
}

/** What a record is known by (R1). */
function keyOf({ source, tenant, id, revision }: Retold): string {
  return JSON.stringify([source, tenant, id, String(revision)]);
}

function notRead(
  key: SourceKey,
  { at, to, detail }: { readonly at: bigint; readonly to: bigint; readonly detail: string },
): ReplayResult['unread'][number] {
  return { ...key, from: isoOfTicks(at), to: isoOfTicks(to), detail };
}

function timeOf(text: string): bigint {
  const ticks = ticksOf(text);
  if (ticks === undefined) throw new RelayError(`${JSON.stringify(text)} is no time`);
  return ticks;
}

function noSink(name: string): RelayError {
  return new RelayError(`the journal has no sink ${name}, or it has left the config of the relay`);
}
