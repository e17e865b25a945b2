import type { UnavailableError } from '../../core/errors.ts';
import { createdOf, type SourceRecord } from '../../core/record.ts';
import { divided, isPart, isTick, type Slice, type Tied, type Window } from './slice.ts';

/** One complete answer of Graph. */
export interface Answer {
  readonly records: readonly SourceRecord[];
  /** Rows of the list, also those that are no alerts. */
  readonly rows: number;
  /** `@odata.count`: how many alerts the whole slice has; `undefined` when Graph did not say. */
  readonly count: number | undefined;
  /** Where the list goes on. */
  readonly next: string | undefined;
  /** The server's `Date`, milliseconds since 1970; `undefined` when it sent none that can be trusted. */
  readonly dateMs: number | undefined;
  /** As many rows as were asked for: it may have been cut there. */
  readonly full: boolean;
  /** No answer before had more rows: where Graph gives no count, it may give no more than that at once. */
  readonly most: boolean;
}

/** Graph did not give what was asked for, and does answer other requests (R5). */
export interface Failure {
  /** `large`: the answer is larger than allowed. `broken`: it is refused, or fails again and again. */
  readonly failed: 'large' | 'broken';
  readonly error: UnavailableError;
}

/** Asks Graph; passing faults are waited out inside. */
export interface Asker {
  first(slice: Slice): Promise<Answer | Failure>;
  next(link: string): Promise<Answer | Failure>;
  /** A count did not agree with what was there, and two equal readings had to be enough. */
  miscounted(): void;
}

/** What became of a slice. Answers before the last one have been yielded. */
export type Outcome =
  /** All of it has been read. */
  | { readonly kind: 'whole'; readonly last: Answer }
  /** It has more than one request brings. */
  | { readonly kind: 'crowded'; readonly last?: Answer; readonly count: number | undefined }
  | { readonly kind: 'failed'; readonly failure: Failure };

/** Readings of one slice before it is made smaller. */
const MOST_READINGS = 4;
/** Readings of one tie, page by page, before it is divided. */
const MOST_TIE_READINGS = 6;
/** Pages in a row without one alert that the same reading has not had: the list has no end. */
const MOST_STALE_PAGES = 5;
/** Pages of one reading, whatever stands on them. */
const MOST_PAGES = 10_000;

export const isFailure = (answer: Answer | Failure): answer is Failure => 'failed' in answer;

/**
 * Whether an answer is all there is of a slice, as far as it can tell by itself: its page is the only one (R3). A tick
 * cannot be halved to make sure where there is neither count nor next link.
 */
export const isOnly = (slice: Slice, { next, full, count, most }: Answer): boolean =>
  next === undefined && !full && (count !== undefined || !most || isTick(slice));

/**
 * Whether an answer is all there is of its slice though it has a next link: its count says so, and the pages behind are
 * empty. Neither is enough by itself.
 */
export async function* endsHere(answer: Answer, ask: Asker): AsyncGenerator<Answer, boolean> {
  if (answer.count !== answer.rows) return false;
  let { next } = answer;
  for (let page = 0; next !== undefined && page < MOST_STALE_PAGES; page++) {
    const following = await ask.next(next);
    if (isFailure(following)) return false;
    if (following.rows > 0) {
      yield following;
      return false;
    }
    next = following.next;
  }
  return answer.next !== undefined;
}

/**
 * Reads a slice that should fit in one page: a page is atomic, several of them are not (trap G27). It is whole when
 * Graph's count agrees. Where Graph gives no count, or `countLies`, two equal readings are enough.
 */
export async function* readSlice(
  slice: Slice,
  ask: Asker,
  countLies = false,
): AsyncGenerator<Answer, Outcome> {
  let before: string | undefined;
  for (let reading = 1; ; reading++) {
    const last = await ask.first(slice);
    if (isFailure(last)) return { kind: 'failed', failure: last };
    if (!isOnly(slice, last)) {
      if (yield* endsHere(last, ask)) return { kind: 'whole', last };
      return { kind: 'crowded', last, count: last.count };
    }
    if (last.count === last.rows) return { kind: 'whole', last };
    const now = last.records.map(keyOf).sort().join('\n');
    if ((last.count === undefined || countLies) && now === before) {
      if (last.count !== undefined) ask.miscounted();
      return { kind: 'whole', last };
    }
    if (reading === MOST_READINGS) return { kind: 'crowded', last, count: undefined };
    before = now;
    yield last;
  }
}

/**
 * Reads a window of one tick, where nothing is left to halve (R3, trap G5): paged when it must be, and read again
 * until a reading brings nothing new; divided when Graph does not let us page to its end (trap G6).
 */
export function readTick(window: Window, ask: Asker): AsyncGenerator<Answer, Outcome> {
  return readTie(window, ask, new Tie());
}

async function* readTie(window: Window, ask: Asker, tie: Tie): AsyncGenerator<Answer, Outcome> {
  const outcome = yield* noted(readSlice(window, ask, true), tie);
  if (outcome.kind !== 'crowded') return outcome;
  if (outcome.last) yield outcome.last;
  // Graph does not heed what the tie was divided by: to divide it further would have no end.
  if (!tie.alerts().every((alert) => isPart(window, alert))) return outcome;
  for (let reading = 1; reading <= MOST_TIE_READINGS; reading++) {
    const pages = yield* readPages(window, ask, tie);
    if ('failure' in pages) return { kind: 'failed', failure: pages.failure };
    const { last, fresh, ended } = pages;
    const all = last.count === undefined ? !last.full : tie.size >= last.count;
    if (fresh === 0 && ended && all) return { kind: 'whole', last };
    yield last;
    // Nothing new comes any more, and it is not all.
    if (fresh === 0) break;
  }
  return yield* readParts(window, ask, tie);
}

/** Reads a tie in parts, all of them, so that whatever can be read is. */
async function* readParts(window: Window, ask: Asker, tie: Tie): AsyncGenerator<Answer, Outcome> {
  const parts = divided(
    window,
    tie.alerts().filter((alert) => isPart(window, alert)),
  );
  let short: Outcome | undefined = parts.length === 0 ? { kind: 'crowded', count: tie.count } : undefined;
  for (const part of parts) {
    const outcome = yield* readTie(part, ask, new Tie(tie));
    if (outcome.kind !== 'failed' && outcome.last) yield outcome.last;
    if (outcome.kind !== 'whole') short ??= outcome;
  }
  if (short) return short.kind === 'crowded' ? { kind: 'crowded', count: tie.count } : short;
  // The parts are the whole only where Graph takes them as we mean them: an alert without a product is in none of
  // them, say. Its count of the whole tells, as it is now.
  const last = await ask.first(window);
  if (isFailure(last)) return { kind: 'failed', failure: last };
  tie.add(last);
  if (last.count === undefined || tie.size >= last.count) return { kind: 'whole', last };
  return { kind: 'crowded', last, count: last.count };
}

/** Notes what a reading brings. */
async function* noted(reading: AsyncGenerator<Answer, Outcome>, tie: Tie): AsyncGenerator<Answer, Outcome> {
  while (true) {
    const { done, value } = await reading.next();
    if (!done) {
      tie.add(value);
      yield value;
      continue;
    }
    if (value.kind !== 'failed' && value.last) tie.add(value.last);
    return value;
  }
}

/** The time that at least half of an answer's alerts have, when there is one. */
export function tieIn({ records }: Answer): bigint | undefined {
  const times = records.map(({ revision }) => revision).sort((a, b) => (a < b ? -1 : 1));
  const middle = times[Math.floor(times.length / 2)];
  return times.filter((time) => time === middle).length * 2 > times.length && times.length > 1
    ? middle
    : undefined;
}

/** One reading of a tie, page after page. `ended`: the last page had no next link. */
async function* readPages(
  window: Window,
  ask: Asker,
  tie: Tie,
): AsyncGenerator<Answer, { last: Answer; fresh: number; ended: boolean } | { failure: Failure }> {
  const links = new Set<string>();
  /** Of this reading alone: what it brings may all be known from one before. */
  const own = new Tie();
  let answer = await ask.first(window);
  if (isFailure(answer)) return { failure: answer };
  let fresh = tie.add(answer);
  own.add(answer);
  let stale = 0;
  while (answer.next !== undefined && !links.has(answer.next)) {
    if (stale === MOST_STALE_PAGES || links.size === MOST_PAGES) return { last: answer, fresh, ended: false };
    yield answer;
    links.add(answer.next);
    const following: Answer | Failure = await ask.next(answer.next);
    if (isFailure(following)) {
      // Smaller pages may do.
      if (following.failed === 'large') return { failure: following };
      // A link that leads nowhere is the end of what can be paged; what was there before it holds.
      return { last: answer, fresh, ended: false };
    }
    answer = following;
    fresh += tie.add(answer);
    stale = own.add(answer) === 0 ? stale + 1 : 0;
  }
  return { last: answer, fresh, ended: answer.next === undefined };
}

/** What has been seen of a tie, in all its readings. No more of each alert than it is divided by: there may be many. */
class Tie {
  readonly #whole: Tie | undefined;
  readonly #seen = new Map<string, Tied>();
  /** What Graph has last said of how many there are. */
  count: number | undefined;

  /** @param whole the tie of which this is a part: what is seen here is seen there */
  constructor(whole?: Tie) {
    this.#whole = whole;
  }

  get size(): number {
    return this.#seen.size;
  }

  /** @returns how many alerts were new */
  add({ records, count }: Answer): number {
    const before = this.#seen.size;
    if (count !== undefined) this.count = count;
    for (const record of records)
      this.#put(keyOf(record), { created: createdOf(record), product: record.product });
    return this.#seen.size - before;
  }

  alerts(): Tied[] {
    return [...this.#seen.values()];
  }

  #put(key: string, alert: Tied): void {
    if (!this.#seen.has(key)) this.#seen.set(key, alert);
    if (this.#whole) this.#whole.#put(key, alert);
  }
}

const keyOf = ({ id, revision, fingerprint }: SourceRecord): string => `${id} ${revision} ${fingerprint}`;
