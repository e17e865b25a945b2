import type { UnavailableError } from '../../core/errors.ts';
import type { SourceRecord } from '../../core/record.ts';
import { divided, type Slice, type Window } from './slice.ts';

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
}

/** Graph did not give what was asked for, and does answer other requests (R5). */
export interface Failure {
  /** `large`: the answer is larger than allowed. `broken`: it fails again and again. `limit`: Graph pages no further. */
  readonly failed: 'large' | 'broken' | 'limit';
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

export const isFailure = (answer: Answer | Failure): answer is Failure => 'failed' in answer;

/** Whether an answer is all there is of its slice, as far as it can tell by itself: its page is the only one (R3). */
export const isOnly = ({ next, full }: Answer): boolean => next === undefined && !full;

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
    if (!isOnly(last)) return { kind: 'crowded', last, count: last.count };
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
export async function* readTick(window: Window, ask: Asker): AsyncGenerator<Answer, Outcome> {
  const outcome = yield* readSlice(window, ask, true);
  if (outcome.kind !== 'crowded') return outcome;
  if (outcome.last) yield outcome.last;
  const tie = new Tie();
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
  const parts = divided(window, tie.alerts());
  if (parts.length === 0) return { kind: 'crowded', count: undefined };
  let result: Outcome = outcome;
  for (const part of parts) {
    if (result.kind === 'whole') yield result.last;
    result = yield* readTick(part, ask);
    if (result.kind !== 'whole') return result;
  }
  return result;
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
  let answer = await ask.first(window);
  if (isFailure(answer)) return { failure: answer };
  let fresh = tie.add(answer);
  while (answer.next !== undefined && !links.has(answer.next)) {
    yield answer;
    links.add(answer.next);
    const following: Answer | Failure = await ask.next(answer.next);
    // A link that leads nowhere is the end of what can be paged; what was there before it holds.
    if (isFailure(following)) return { last: answer, fresh, ended: false };
    answer = following;
    fresh += tie.add(answer);
  }
  return { last: answer, fresh, ended: answer.next === undefined };
}

/** What has been seen of a tie, in all its readings. */
class Tie {
  readonly #seen = new Map<string, { created: bigint; product: string }>();

  get size(): number {
    return this.#seen.size;
  }

  /** @returns how many alerts were new */
  add({ records }: Answer): number {
    const before = this.#seen.size;
    for (const record of records) this.#seen.set(keyOf(record), record);
    return this.#seen.size - before;
  }

  alerts(): { created: bigint; product: string }[] {
    return [...this.#seen.values()];
  }
}

const keyOf = ({ id, revision, fingerprint }: SourceRecord): string => `${id} ${revision} ${fingerprint}`;
