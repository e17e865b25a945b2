import { compareCursors } from '../../core/cursor.ts';
import { JournalError, UnavailableError } from '../../core/errors.ts';
import type { Cursor } from '../../core/journal.ts';
import { isAbort } from '../../lib/wait.ts';
import type { Step } from '../render.ts';
import { HeldBackError } from './held-back.ts';

/** What broke so often is narrowed down. */
const BREAKS = 3;
/** By what a window is narrowed, and widened again. */
const FACTOR = 10;
/** A record is set aside after so many tries alone, over so long a time or longer, each of them proved (S4). */
const TRIES = 10;
const TRIES_MS = 600_000;
/** From one proved try to the next: sooner tells nothing more, and each costs a copy of another record. */
const RETRY_MS = 60_000;

interface Suspect {
  /** A record that broke the sink while it was alone. */
  readonly step: Step;
  readonly sinceMs: number;
  /** Times that it broke the sink. */
  breaks: number;
  /** Tries after which the sink took another record. */
  tries: number;
  /** The last try has to be proved yet. */
  unproved: boolean;
}

/**
 * Finds the record that breaks a connection or a batch whenever it is sent, so that it does not block its sink for
 * ever (traps S9, S14, S15). A window that broke three times is narrowed to a tenth, and again each time that it
 * breaks, down to one record; when all that was in it has passed it is widened again. A record that breaks the
 * sink alone is only a suspect, for the sink may be down: before a further try something else is sent. When
 * that is taken and the suspect breaks the sink again, ten times over ten minutes, it is poison.
 */
export class Narrowing {
  /** Most records that may be out at a time. */
  limit = Number.POSITIVE_INFINITY;
  readonly #now: () => number;
  /** The first record that was out when the sink broke last, and how often it was. */
  #first: { readonly cursor: Cursor; breaks: number } | undefined;
  /** The last one that was out then. */
  #until: Cursor | undefined;
  #suspect: Suspect | undefined;
  #turn = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * A record that broke the sink alone: try another one before it. Not at once, for most often the sink was down,
   * and the other one is sent again when it is its turn.
   */
  get suspect(): Step | undefined {
    const { step, breaks = 0, unproved } = this.#suspect ?? {};
    return unproved && breaks >= BREAKS ? step : undefined;
  }

  /**
   * Which of the others to try, from 0. When it breaks the sink as well the next time another one is tried; what has
   * proved something is tried again.
   */
  get turn(): number {
    return this.#turn;
  }

  /** The one of this turn is sent; or there is none (`undefined`), and it begins anew. */
  trying(turn: number | undefined): void {
    this.#turn = turn === undefined ? 0 : turn + 1;
  }

  /** The sink broke while these records were out. Returns the error, with the time of the next try where that matters. */
  broke(error: unknown, out: readonly Step[]): unknown {
    const retryAfterMs = this.#note(out);
    if (retryAfterMs === undefined || !(error instanceof UnavailableError)) return error;
    // Sooner than it asked us to come again would be no better.
    const waitMs = Math.max(retryAfterMs, error.retryAfterMs ?? 0);
    return new UnavailableError(error.message, { reason: error.reason, retryAfterMs: waitMs, cause: error });
  }

  #note(out: readonly Step[]): number | undefined {
    const [first] = out;
    const last = out.at(-1);
    if (!first || !last) return undefined;
    const { cursor } = first.end;
    const again = this.#first && compareCursors(this.#first.cursor, cursor) === 0;
    this.#first = { cursor, breaks: again && this.#first ? this.#first.breaks + 1 : 1 };
    if (this.limit === Number.POSITIVE_INFINITY && this.#first.breaks < BREAKS) return undefined;
    this.limit = Math.max(1, Math.floor(Math.min(this.limit, out.length) / FACTOR));
    this.#until = last.end.cursor;
    return out.length === 1 ? this.#suspects(first) : undefined;
  }

  /** Everything up to here is settled. */
  settled(cursor: Cursor): void {
    const isPast = (place: Cursor | undefined) => place && compareCursors(cursor, place) >= 0;
    if (isPast(this.#first?.cursor)) this.#first = undefined;
    if (isPast(this.#suspect?.step.end.cursor)) this.#suspect = undefined;
    if (this.#until && !isPast(this.#until)) return;
    this.#until = undefined;
    this.limit = this.limit >= MOST_NARROW ? Number.POSITIVE_INFINITY : this.limit * FACTOR;
  }

  /** The sink has taken what was tried, after the suspect broke it. */
  proved(turn: number): void {
    this.#turn = turn;
    if (!this.#suspect) return;
    this.#suspect.tries++;
    this.#suspect.unproved = false;
  }

  /** Why the record there is set aside, if it is. */
  poison(cursor: Cursor): string | undefined {
    const { step, tries, sinceMs, unproved } = this.#suspect ?? {};
    if (!step || unproved || sinceMs === undefined || compareCursors(step.end.cursor, cursor) !== 0)
      return undefined;
    if (tries === undefined || tries < TRIES || this.#now() - sinceMs < TRIES_MS) return undefined;
    return `broke the sink ${tries} times when it was sent alone, and each time the sink took something else after it`;
  }

  #suspects(step: Step): number | undefined {
    const known = this.#suspect;
    if (!known || compareCursors(known.step.end.cursor, step.end.cursor) !== 0) {
      this.#suspect = { step, sinceMs: this.#now(), breaks: 1, tries: 0, unproved: true };
      return undefined;
    }
    const wasProved = !known.unproved;
    known.breaks++;
    known.unproved = true;
    return wasProved ? RETRY_MS : undefined;
  }
}

/** Wider than any window. */
const MOST_NARROW = 1_000_000;

/** Does an error speak of what was sent? Being busy, locked out, set up otherwise or held back does not. */
export function isBreak(error: unknown): boolean {
  if (error instanceof JournalError || error instanceof HeldBackError || isAbort(error)) return false;
  return !(error instanceof UnavailableError && ['auth', 'config', 'throttled'].includes(error.reason));
}
