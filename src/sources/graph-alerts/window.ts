import { TICKS_PER_MS, ticksOfMs } from '../../core/ticks.ts';

/** Where reading goes on from. Times are ticks or the server's milliseconds, never our own clock's (R4). */
export interface Checkpoint {
  /** Older alerts are not wanted: `startFrom`, as it was worked out at the first start ever. */
  readonly start: bigint;
  /** Up to here everything that was visible has been read. */
  readonly watermark: bigint;
  /** The server's time of the last reading of the whole `overlap`, milliseconds since 1970. */
  readonly overlapReadAt: number;
}

/** How far behind the watermark is read again; milliseconds. */
export interface Depths {
  readonly settle: number;
  readonly overlap: number;
}

/** What to ask for next: everything that was updated at `from` or later. */
export interface Reading {
  readonly kind: 'poll' | 'overlap';
  readonly from: bigint;
}

/** What the answers of a reading have shown. */
export interface Progress {
  /** The `Date` of the first answer, milliseconds since 1970; `undefined` when the server sent none. */
  readonly dateMs: number | undefined;
  /** The greatest revision that is not later than that `Date`. */
  readonly greatest: bigint;
}

const VERSION = 1;

/** Before the first reading ever: back from the server's `nowMs`, or from a fixed time. */
export function firstCheckpoint(start: bigint, nowMs: number): Checkpoint {
  // `startFrom` may name a year 0; ticks begin with year 1, and so does all that a filter can ask for.
  const first = later(start, 0n);
  return { start: first, watermark: first, overlapReadAt: nowMs };
}

/** A checkpoint as the journal keeps it. */
export function formatCheckpoint({ start, watermark, overlapReadAt }: Checkpoint): string {
  return JSON.stringify({
    version: VERSION,
    start: String(start),
    watermark: String(watermark),
    overlapReadAt,
  });
}

/**
 * A checkpoint that {@link formatCheckpoint} wrote. One that cannot be read is not a first start: taking it for
 * one would skip or repeat in silence.
 *
 * @throws {Error} what is wrong with it
 */
export function parseCheckpoint(text: string): Checkpoint {
  const fields: unknown = JSON.parse(text);
  if (typeof fields !== 'object' || fields === null) throw new Error('it is not a JSON object');
  const { version, start, watermark, overlapReadAt } = fields as Record<string, unknown>;
  if (version !== VERSION) throw new Error(`its version is ${JSON.stringify(version)}, not ${VERSION}`);
  if (!isTicks(start)) throw new Error('its start is not a number of ticks');
  if (!isTicks(watermark)) throw new Error('its watermark is not a number of ticks');
  if (typeof overlapReadAt !== 'number' || !Number.isFinite(overlapReadAt)) {
    throw new Error('its overlapReadAt is not a time');
  }
  return { start: BigInt(start), watermark: BigInt(watermark), overlapReadAt };
}

const isTicks = (value: unknown): value is string => typeof value === 'string' && /^\d{1,19}$/.test(value);

/**
 * What to ask for next (R2): a poll goes `settle` behind the watermark, for alerts that become visible a little
 * late; and every half `overlap` one reading goes the whole `overlap` back from the last such reading. Back from the
 * watermark would not do: that has moved on since, by hours where a poll had to wait out an outage, and what is late
 * by more than half of `overlap` would fall in between.
 *
 * @param nowMs the server's time, as well as it is known. When it is wrong, `overlap` is read early or one poll late.
 */
export function nextReading(checkpoint: Checkpoint, { settle, overlap }: Depths, nowMs: number): Reading {
  const since = nowMs - checkpoint.overlapReadAt;
  // Negative: some clock went back. Reading too much does no harm.
  const due = since >= overlap / 2 || since < 0;
  const from = due
    ? lateFrom(checkpoint) - ticks(Math.max(settle, overlap))
    : checkpoint.watermark - ticks(settle);
  return { kind: due ? 'overlap' : 'poll', from: later(checkpoint.start, from) };
}

/** What came late and is older than this by `overlap` or more was visible at the last reading of the overlap. */
function lateFrom({ watermark, overlapReadAt }: Checkpoint): bigint {
  return earlier(watermark, ticksOfMs(overlapReadAt));
}

/** What is known of a reading after its first answer. */
export function firstProgress(dateMs: number | undefined): Progress {
  return { dateMs, greatest: 0n };
}

/** An alert dated later than the server itself must not move the watermark: all until then would be skipped (R4). */
export function progressed(progress: Progress, revision: bigint): Progress {
  const { dateMs, greatest } = progress;
  if (dateMs === undefined || revision > ticksOfMs(dateMs) || revision <= greatest) return progress;
  return { dateMs, greatest: revision };
}

/**
 * The checkpoint after a reading that came to its end (R4): the watermark moves to the greatest revision seen, and
 * in a quiet tenant follows the server's `Date` at the distance of `overlap`; never past that `Date`, never back.
 * Without a `Date` it stays: the range is read again, which costs time and loses nothing.
 */
export function done(
  checkpoint: Checkpoint,
  reading: Reading,
  progress: Progress,
  { overlap }: Depths,
): Checkpoint {
  const { dateMs, greatest } = progress;
  if (dateMs === undefined) return checkpoint;
  const quiet = ticksOfMs(dateMs - overlap);
  return {
    start: checkpoint.start,
    watermark: later(checkpoint.watermark, later(greatest, quiet)),
    overlapReadAt: reading.kind === 'overlap' ? dateMs : checkpoint.overlapReadAt,
  };
}

/** Room for sweep and reconcile, whose windows are not settings yet, and for clocks that differ (K4). */
const LONGEST_WINDOW_MS = 48 * 3_600_000;
const MARGIN_MS = 3_600_000;

/** `seen` rows of revisions before this may go: no reading asks for them any more (K4). */
export function floorOf(checkpoint: Checkpoint, { overlap }: Depths): bigint {
  return lateFrom(checkpoint) - ticks(Math.max(overlap, LONGEST_WINDOW_MS) + MARGIN_MS);
}

const ticks = (ms: number): bigint => BigInt(Math.trunc(ms)) * TICKS_PER_MS;
const earlier = (a: bigint, b: bigint): bigint => (a < b ? a : b);
const later = (a: bigint, b: bigint): bigint => (a > b ? a : b);
