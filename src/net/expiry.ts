import type { Log } from '../core/log.ts';

const DAY_MS = 86_400_000;
const WARN_DAYS = 30;
const ERROR_DAYS = 7;

/** Is told when something expires, milliseconds since 1970. */
export interface ExpiryObserver {
  /** Whenever it is another time. */
  expires?(atMs: number): void;
  /** Once a day, when it is soon, or past. */
  expiresSoon?(atMs: number): void;
}

/**
 * Says once a day that something expires soon: a warning from 30 days before, an error in the last week and after.
 *
 * @param what begins the sentence, such as `the client secret`
 */
export class Expiry {
  readonly #what: string;
  readonly #log: Log;
  readonly #observer: ExpiryObserver;
  #atMs: number | undefined;
  #saidMs = Number.NEGATIVE_INFINITY;

  constructor(what: string, log: Log, observer: ExpiryObserver) {
    this.#what = what;
    this.#log = log;
    this.#observer = observer;
  }

  /** To be called now and then. */
  check(atMs: number | undefined, nowMs: number): void {
    if (atMs === undefined) return;
    if (atMs !== this.#atMs) {
      this.#atMs = atMs;
      this.#saidMs = Number.NEGATIVE_INFINITY;
      this.#observer.expires?.(atMs);
    }
    if (nowMs - this.#saidMs < DAY_MS) return;
    const days = Math.floor((atMs - nowMs) / DAY_MS);
    if (days >= WARN_DAYS) return;
    this.#saidMs = nowMs;
    this.#observer.expiresSoon?.(atMs);
    const on = new Date(atMs).toISOString().slice(0, 10);
    const message =
      atMs <= nowMs
        ? `${this.#what} expired on ${on}; nothing can be read without a new one`
        : `${this.#what} expires on ${on}, ${left(days)}; make a new one in time`;
    this.#log[days < ERROR_DAYS ? 'error' : 'warn']({ expires: on, days }, message);
  }
}

function left(days: number): string {
  if (days === 0) return 'in less than a day';
  return days === 1 ? 'in 1 day' : `in ${days} days`;
}
