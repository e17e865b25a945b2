import { wait } from '../../lib/wait.ts';

/** What may be sent at once is a tenth of what may be sent in a second. */
const BURST_SECONDS = 0.1;

/**
 * Keeps to a number of events per second on average: a token bucket. The parts of a record travel together, so a
 * send may be larger than the bucket: it is paid for by waiting longer.
 */
export class Rate {
  /** Most records in one send, to keep it even. */
  readonly burst: number;
  readonly #perSecond: number;
  readonly #now: () => number;
  readonly #wait: (ms: number, signal: AbortSignal) => Promise<void>;
  #tokens: number;
  #refilledMs: number;

  /** @param perSecond 0: without limit */
  constructor(perSecond: number, now: () => number, waiting = wait) {
    this.#perSecond = perSecond;
    this.#now = now;
    this.#wait = waiting;
    this.burst =
      perSecond === 0 ? Number.POSITIVE_INFINITY : Math.max(1, Math.floor(perSecond * BURST_SECONDS));
    this.#tokens = this.burst;
    this.#refilledMs = now();
  }

  /** Resolves when so many events may be sent. Who asks while another one waits, waits behind it. */
  async take(events: number, signal: AbortSignal): Promise<void> {
    if (this.#perSecond === 0) return;
    const now = this.#now();
    const gained = (Math.max(0, now - this.#refilledMs) * this.#perSecond) / 1000;
    this.#tokens = Math.min(this.burst, this.#tokens + gained) - events;
    this.#refilledMs = now;
    // What is missing is waited for, and comes in while waiting.
    if (this.#tokens < 0) await this.#wait(Math.ceil((-this.#tokens * 1000) / this.#perSecond), signal);
  }
}
