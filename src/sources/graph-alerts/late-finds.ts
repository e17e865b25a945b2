import type { SourceRecord } from '../../core/record.ts';
import { msOfTicks, TICKS_PER_MS, ticksOfMs } from '../../core/ticks.ts';
import type { Checkpoint } from './checkpoint.ts';

const MINUTE_MS = 60_000;
/** The longest that `overlap` may be. */
const LONGEST_OVERLAP_MS = 24 * 60 * MINUTE_MS;

/** Where a reading stands that has found something. */
export type Standing = Pick<Checkpoint, 'start' | 'watermark' | 'readAt' | 'open'>;

/**
 * Since when (ticks) something can be late at all. What is older was there before anything had been read, and is found
 * by the backfill, or by whatever comes by before it.
 */
export function lateSince({ start, open }: Pick<Checkpoint, 'start' | 'open'>): bigint {
  return open.find(({ kind }) => kind === 'backfill')?.to ?? start;
}

interface Finds {
  readonly alerts: number;
  readonly latestMs: number;
}

const none: Finds = { alerts: 0, latestMs: 0 };

/** Alerts that became visible too late for polls and overlap, and that only a sweep has found. */
export class LateFinds {
  readonly #overlapMs: number;
  /** By the sweep that is under way, and by all since the start: another `overlap` comes with a restart. */
  #sweep = none;
  #all = none;

  constructor(overlapMs: number) {
    this.#overlapMs = overlapMs;
  }

  /**
   * What a sweep has found first. It counts if no reading of the overlap would have found it any more: where that was
   * only slower, because there was much to read or the journal was full, a longer one would not help.
   *
   * @param seenMs the server's time; nothing is concluded without
   */
  add({ revision }: SourceRecord, standing: Standing, seenMs: number | undefined): void {
    const nextOverlap = earlier(standing.watermark, ticksOfMs(standing.readAt.overlap)) - this.#overlap;
    if (seenMs === undefined || revision >= nextOverlap || revision < lateSince(standing)) return;
    const lateMs = seenMs - msOfTicks(revision);
    if (lateMs <= this.#overlapMs) return;
    this.#sweep = { alerts: this.#sweep.alerts + 1, latestMs: Math.max(this.#sweep.latestMs, lateMs) };
  }

  /** The sweep has come to its end: what to say about what it found, if it found any. */
  take(): { fields: object; message: string } | undefined {
    const { alerts, latestMs } = this.#sweep;
    this.#sweep = none;
    if (alerts === 0) return undefined;
    this.#all = { alerts: this.#all.alerts + alerts, latestMs: Math.max(this.#all.latestMs, latestMs) };
    const fields = { alerts, minutes: minutes(latestMs) };
    return { fields, message: `the sweep ${this.#describe({ alerts, latestMs })}` };
  }

  /** What there is to say of all sweeps since the start. */
  notes(): readonly string[] {
    return this.#all.alerts === 0 ? [] : [`sweeps since the start ${this.#describe(this.#all)}`];
  }

  get #overlap(): bigint {
    return BigInt(this.#overlapMs) * TICKS_PER_MS;
  }

  #describe({ alerts, latestMs }: Finds): string {
    const found =
      `found ${alerts} alerts or changes that became visible up to ${minutes(latestMs)} minutes after their time, ` +
      `which overlap (${this.#overlapMs / MINUTE_MS} minutes) is too short for`;
    if (this.#overlapMs >= LONGEST_OVERLAP_MS) return `${found}; it cannot be longer`;
    if (latestMs > LONGEST_OVERLAP_MS)
      return `${found}; with overlap: 24h, the most there is, some come sooner`;
    return `${found}; with overlap: ${minutes(latestMs)}m they come sooner`;
  }
}

const minutes = (ms: number): number => Math.ceil(ms / MINUTE_MS);
const earlier = (a: bigint, b: bigint): bigint => (a < b ? a : b);
