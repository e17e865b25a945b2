import type { SourceRecord } from '../../core/record.ts';
import { msOfTicks } from '../../core/ticks.ts';

/** Alerts that polls and overlap have missed, because they became visible too late, and only a sweep has found. */
export class LateFinds {
  readonly #overlapMs: number;
  #count = 0;
  #latestMs = 0;

  constructor(overlapMs: number) {
    this.#overlapMs = overlapMs;
  }

  add({ revision }: SourceRecord, seenMs: number | undefined): void {
    if (seenMs === undefined) return;
    this.#count += 1;
    this.#latestMs = Math.max(this.#latestMs, seenMs - msOfTicks(revision));
  }

  /** What to say about them, if there were any; then they are forgotten. */
  take(): { fields: object; message: string } | undefined {
    if (this.#count === 0) return undefined;
    const [alerts, minutes] = [this.#count, Math.ceil(this.#latestMs / 60_000)];
    this.#count = 0;
    this.#latestMs = 0;
    const message =
      `the sweep found ${alerts} alerts or changes that became visible up to ${minutes} minutes after their time, ` +
      `which overlap (${this.#overlapMs / 60_000} minutes) is too short for; with overlap: ${minutes}m they come sooner`;
    return { fields: { alerts, minutes }, message };
  }
}
