import type { Log } from '../core/log.ts';

const DAY_MS = 86_400_000;
const WARN_DAYS = 30;
const ERROR_DAYS = 7;

/**
 * Says once a day that something expires soon: a warning from 30 days before, an error in the last week and after.
 *
 * @param what begins the sentence, such as `the client secret`
 */
export class Expiry {
  readonly #what: string;
  readonly #log: Log;
  readonly #tell: (atMs: number) => void;
  #atMs: number | undefined;
  #saidMs = Number.NEGATIVE_INFINITY;

  /** @param tell is told the time whenever it is another one, milliseconds since 1970 */
  constructor(what: string, log: Log, tell: (atMs: number) => void) {
    this.#what = what;
    this.#log = log;
    this.#tell = tell;
  }

  /** To be called now and then. */
  check(atMs: number | undefined, nowMs: number): void {
    if (atMs === undefined) return;
    if (atMs !== this.#atMs) {
      this.#atMs = atMs;
      this.#saidMs = Number.NEGATIVE_INFINITY;
      this.#tell(atMs);
    }
    if (nowMs - this.#saidMs < DAY_MS) return;
    const days = Math.floor((atMs - nowMs) / DAY_MS);
    if (days >= WARN_DAYS) return;
    this.#saidMs = nowMs;
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
