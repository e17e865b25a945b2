import { UnavailableError } from '../core/errors.ts';
import { spellDuration } from '../lib/spell.ts';
import { orAbort } from '../lib/wait.ts';

/** When a part last did something, and whether it is known to wait. */
export class Activity {
  readonly #steady: () => number;
  /** Up to here it has a reason to be silent. */
  #excusedUntil: number;
  #waiting = 0;

  /** @param steady milliseconds of a clock that nobody sets */
  constructor(steady: () => number) {
    this.#steady = steady;
    this.#excusedUntil = steady();
  }

  /** It has done something, and may now wait for so long. */
  note(waitMs = 0): void {
    this.#excusedUntil = this.#steady() + waitMs;
  }

  /** It waits for something that has no end of its own. */
  async during<T>(waiting: Promise<T>): Promise<T> {
    this.#waiting++;
    try {
      return await waiting;
    } finally {
      this.#waiting--;
      this.note();
    }
  }

  /** How long it has been silent without a reason. */
  get silentMs(): number {
    return this.#waiting > 0 ? 0 : Math.max(0, this.#steady() - this.#excusedUntil);
  }
}

export interface StallOptions {
  readonly activity: Activity;
  /** Longest silence without a reason, milliseconds. */
  readonly limitMs: number;
  readonly signal: AbortSignal;
}

/**
 * Runs a task that must not fall silent: one that has done nothing for too long, and is not known to wait, is given
 * up, whether or not it heeds its signal (G25: readers that stopped after days without a line in the log).
 *
 * @throws {UnavailableError} it has stalled
 */
export async function unlessStalled(
  task: (signal: AbortSignal) => Promise<void>,
  { activity, limitMs, signal }: StallOptions,
): Promise<void> {
  const stalled = new AbortController();
  activity.note();
  const timer = setInterval(() => {
    if (activity.silentMs >= limitMs) stalled.abort();
  }, limitMs / 10);
  try {
    await orAbort(task(AbortSignal.any([signal, stalled.signal])), stalled.signal);
  } catch (error) {
    if (!stalled.signal.aborted || signal.aborted) throw error;
    const message = `stalled: nothing was done for ${spellDuration(limitMs)}, and no reason to wait is known; starting again`;
    throw new UnavailableError(message, { reason: 'timeout' });
  } finally {
    clearInterval(timer);
  }
}
