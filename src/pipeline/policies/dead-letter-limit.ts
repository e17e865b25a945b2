import { type Outcome, refusalsOf } from '../outcome.ts';
import { HeldBackError } from './held-back.ts';

/** More dead letters than this in an hour are not about single records any more (S4). */
const MOST_AN_HOUR = 100;
const HOUR_MS = 3_600_000;

/** Pauses a sink that sets aside too much: what is behind it is one thing, for a person to find and to mend. */
export class DeadLetterLimit {
  readonly #now: () => number;
  /** When the dead letters of the last hour were made. */
  #times: readonly number[] = [];

  constructor(now: () => number) {
    this.#now = now;
  }

  /** As many of the outcomes, from the first, as may be settled; their dead letters are counted. */
  admit(outcomes: readonly Outcome[]): readonly Outcome[] {
    const now = this.#now();
    this.#times = this.#times.filter((time) => time > now - HOUR_MS);
    let room = MOST_AN_HOUR - this.#times.length;
    const tooMany = outcomes.findIndex((outcome) => refusalsOf([outcome]).length > 0 && --room < 0);
    const admitted = tooMany < 0 ? outcomes : outcomes.slice(0, tooMany);
    this.#times = [...this.#times, ...refusalsOf(admitted).map(() => now)];
    return admitted;
  }

  /** Why there is more that was not admitted. */
  paused(refused: readonly Outcome[]): HeldBackError {
    const oldest = this.#times[0] ?? this.#now();
    // A clock that was set back must not make the pause longer.
    const retryAfterMs = Math.min(HOUR_MS, Math.max(0, oldest + HOUR_MS - this.#now()));
    const { detail } = refusalsOf(refused)[0] ?? {};
    return new HeldBackError(
      `${MOST_AN_HOUR} records were set aside within an hour; nothing more is sent until there is room for ` +
        `further dead letters. The next one would say: ${detail}`,
      { reason: 'other', retryAfterMs },
    );
  }
}
