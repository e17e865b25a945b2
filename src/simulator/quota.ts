import { type FaultSwitches, tooManyRequests } from './faults.ts';

const WINDOW_MS = 60_000;
const MAX_REQUESTS = 150;
/** What a request counts for that the fault `quota` strikes. */
const WEIGHT = 10;

/**
 * Graph's limit for alerts: 150 requests a minute of one app in one tenant. Those that are refused count too,
 * so that who does not wait is never let in again.
 *
 * @see https://learn.microsoft.com/graph/throttling-limits
 */
export class Quota {
  readonly #on: boolean;
  readonly #faults: FaultSwitches;
  readonly #times = new Map<string, number[]>();

  /** With the fault `quota` it is kept even when it is not `on`. */
  constructor(on: boolean, faults: FaultSwitches) {
    this.#on = on;
    this.#faults = faults;
  }

  /** @throws {GraphError} 429, with Retry-After in seconds unless the fault `quota` is on */
  take(who: string, nowMs: number): void {
    const strict = this.#faults.probability('quota') > 0;
    if (!this.#on && !strict) return;
    const times = (this.#times.get(who) ?? []).filter((time) => time > nowMs - WINDOW_MS);
    times.push(...Array<number>(this.#faults.hits('quota') ? WEIGHT : 1).fill(nowMs));
    this.#times.set(who, times);
    if (times.length <= MAX_REQUESTS) return;
    const roomMs = times[times.length - MAX_REQUESTS]! + WINDOW_MS - nowMs;
    const retryAfter = { 'Retry-After': String(Math.max(1, Math.ceil(roomMs / 1000))) };
    throw tooManyRequests(strict ? {} : retryAfter);
  }
}
