import { wait } from '../lib/wait.ts';

/** What a request is for, the most urgent first (R7). */
export const priorities = ['poll', 'overlap', 'sweep', 'backfill', 'reconcile'] as const;
export type Priority = (typeof priorities)[number];

const MINUTE_MS = 60_000;

/** Share of the quota in the first minute: a process before this one may just have used up all of it. */
const SHARE_AT_FIRST = 0.5;

/** Share of the quota that each may fill: the less urgent, the more it leaves to the others. */
const shares: Record<Priority, number> = { poll: 1, overlap: 0.9, sweep: 0.8, backfill: 0.7, reconcile: 0.6 };

/**
 * Shares out the requests that Graph allows a tenant. Graph counts them in minutes that we do not know the beginning
 * of, so the bound holds in each minute, wherever it begins. (The rate limit of `p-queue` goes by the wall clock: it
 * would stop all polls for an hour when that is set back by one.)
 *
 * @see https://learn.microsoft.com/graph/throttling-limits (security alerts: 150 requests a minute per app and tenant)
 */
export class Quota {
  readonly #perMinute: number;
  readonly #steady: () => number;
  readonly #openedAt: number;
  /** When the requests of the last minute began, the oldest first. */
  #begun: number[] = [];

  /** @param steady milliseconds of a clock that nobody sets */
  constructor(perMinute: number, steady: () => number) {
    this.#perMinute = perMinute;
    this.#steady = steady;
    this.#openedAt = steady();
  }

  /**
   * Resolves when a request may begin, which is counted from then on.
   *
   * @throws AbortError at the signal
   */
  async turn(priority: Priority, signal: AbortSignal): Promise<void> {
    while (true) {
      const now = this.#steady();
      const share = shares[priority] * (now - this.#openedAt < MINUTE_MS ? SHARE_AT_FIRST : 1);
      const room = Math.max(1, Math.floor(this.#perMinute * share));
      this.#begun = this.#begun.filter((begun) => begun > now - MINUTE_MS);
      // As many must have left the minute before there is room.
      const inTheWay = this.#begun[this.#begun.length - room];
      if (inTheWay === undefined) break;
      await wait(inTheWay + MINUTE_MS - now, signal);
    }
    this.#begun.push(this.#steady());
  }
}
