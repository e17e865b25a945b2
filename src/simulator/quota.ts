import { tooManyRequests } from './faults.ts';

const WINDOW_MS = 60_000;
const MAX_REQUESTS = 150;

/**
 * Graph's limit for alerts: 150 requests a minute of one app in one tenant. Those that are refused count too,
 * so that who does not wait is never let in again.
 *
 * @see https://learn.microsoft.com/graph/throttling-limits
 */
export class Quota {
  readonly #times = new Map<string, number[]>();

  /** @throws {GraphError} 429, with Retry-After in seconds */
  take(who: string, nowMs: number): void {
    const times = (this.#times.get(who) ?? []).filter((time) => time > nowMs - WINDOW_MS);
    times.push(nowMs);
    this.#times.set(who, times);
    if (times.length <= MAX_REQUESTS) return;
    const roomMs = times[times.length - MAX_REQUESTS]! + WINDOW_MS - nowMs;
    throw tooManyRequests({ 'Retry-After': String(Math.max(1, Math.ceil(roomMs / 1000))) });
  }
}
