import type { Progress } from '../../core/source.ts';
import { isoOfTicks, msOfTicks, TICKS_PER_MS, ticksOfMs } from '../../core/ticks.ts';
import { type Checkpoint, type LateKind, lateKinds, type Range, type Unreadable } from './checkpoint.ts';

/** How far back is read again, and how often; milliseconds. */
export interface Depths {
  readonly settle: number;
  readonly overlap: number;
  readonly sweep: { readonly every: number; readonly window: number };
}

/** What an answer has shown. */
export interface Shown {
  /** The server's `Date`, milliseconds since 1970; `undefined` when it sent none that can be trusted. */
  readonly dateMs: number | undefined;
  /** Revisions of its rows, ticks. */
  readonly revisions: readonly bigint[];
}

/**
 * Where a poll begins: `settle` behind the watermark, for alerts that become visible a little late (R2), and behind
 * what was set aside: a poll has no end, and would meet it again.
 */
export function pollFrom({ start, watermark, unreadable }: Checkpoint, { settle }: Depths): bigint {
  return unreadable.map(({ at }) => at + 1n).reduce(later, later(start, watermark - ticks(settle)));
}

/**
 * The checkpoint after everything from the poll's beginning until before `upTo` has been read (R4; without `upTo`:
 * everything there is). The watermark moves to the greatest revision seen, and in a quiet tenant follows the
 * server's `Date` at the distance of `overlap`; never past that `Date`, never back. An alert dated later than the
 * server's own clock must not move it: all until then would be skipped. Without a `Date` it stays, which costs
 * requests and loses nothing.
 */
export function polled(
  checkpoint: Checkpoint,
  { dateMs, revisions }: Shown,
  { overlap }: Depths,
  upTo?: bigint,
): Checkpoint {
  if (dateMs === undefined) return checkpoint;
  const date = ticksOfMs(dateMs);
  const past = revisions.filter((revision) => revision <= date);
  const reached = past.reduce(later, ticksOfMs(dateMs - overlap));
  const watermark = later(checkpoint.watermark, upTo === undefined ? reached : earlier(reached, upTo));
  return { ...checkpoint, watermark };
}

/**
 * The checkpoint with the readings open that are due at the server's `nowMs`. Each goes back its depth from the
 * last such reading, or from the watermark where that is older: what came late, by no more than that, was either
 * visible at that reading or is found by this one. Back from the watermark alone would not do: it has moved on
 * since, by hours where a poll had to wait out an outage.
 */
export function withDue(checkpoint: Checkpoint, depths: Depths, nowMs: number): Checkpoint {
  let next = checkpoint;
  for (const kind of lateKinds) {
    const since = nowMs - checkpoint.readAt[kind];
    // Negative: some clock went back. Reading too often does no harm.
    const due = since >= everyOf(kind, depths) || since < 0;
    if (!due || checkpoint.open.some((range) => range.kind === kind)) continue;
    const from = later(checkpoint.start, lateFrom(checkpoint, kind, depths));
    const range: Range = { kind, from, to: checkpoint.watermark, begun: nowMs };
    next = from < range.to ? { ...next, open: [...next.open, range] } : closed(next, range);
  }
  return next;
}

/**
 * What of all that is open is read next; live polls go before it (R2, R7). Overlap has every other turn and the rest
 * shares the others: what is more urgent may be without an end where there is much to read, and all of it is owed.
 *
 * @param turn counts up
 */
export function urgent(
  { open, unreadable }: Checkpoint,
  nowMs: number,
  turn: number,
): Range | Unreadable | undefined {
  const [overlap] = open.filter(({ kind }) => kind === 'overlap');
  const long = open.filter(({ kind }) => kind !== 'overlap');
  const other =
    unreadable.find(({ retryAt }) => retryAt <= nowMs) ?? long[Math.floor(turn / 2) % long.length];
  return turn % 2 === 0 ? (overlap ?? other) : (other ?? overlap);
}

/** The checkpoint after `range` has been read until before `upTo`. */
export function advanced(checkpoint: Checkpoint, range: Range, upTo: bigint): Checkpoint {
  if (upTo >= range.to) return closed(checkpoint, range);
  const open = checkpoint.open.map((each) => (each.kind === range.kind ? { ...each, from: upTo } : each));
  return { ...checkpoint, open };
}

function closed(checkpoint: Checkpoint, { kind, begun }: Range): Checkpoint {
  const readAt = kind === 'backfill' ? checkpoint.readAt : { ...checkpoint.readAt, [kind]: begun };
  return { ...checkpoint, readAt, open: checkpoint.open.filter((range) => range.kind !== kind) };
}

/** The checkpoint with a tick set aside, or with another time for its next try. */
export function setAside(checkpoint: Checkpoint, tick: Unreadable): Checkpoint {
  return { ...checkpoint, unreadable: [...takenBack(checkpoint, tick).unreadable, tick] };
}

/** The checkpoint without a tick that had been set aside. */
export function takenBack(checkpoint: Checkpoint, { at }: Pick<Unreadable, 'at'>): Checkpoint {
  return { ...checkpoint, unreadable: checkpoint.unreadable.filter((tick) => tick.at !== at) };
}

/** What of `from` until before `end` can be asked for in one window without meeting a tick that was set aside. */
export function pastAside(
  { unreadable }: Checkpoint,
  from: bigint,
  end: bigint,
): { from: bigint; end: bigint } {
  const ticks = new Set(unreadable.map(({ at }) => at));
  let begin = from;
  while (ticks.has(begin)) begin += 1n;
  return { from: begin, end: [...ticks].filter((at) => at > begin).reduce(earlier, end) };
}

/** Room for reconcile, whose window is not a setting yet, and for clocks that differ (K4). */
const LONGEST_WINDOW_MS = 48 * 3_600_000;
const MARGIN_MS = 3_600_000;

/**
 * `seen` rows of revisions before this may go: no reading asks for them any more (K4). What was set aside has
 * never been seen, and does not count.
 */
export function floorOf(checkpoint: Checkpoint, depths: Depths): bigint {
  const asked = [
    checkpoint.watermark - ticks(depths.settle),
    ...lateKinds.map((kind) => lateFrom(checkpoint, kind, depths)),
    ...checkpoint.open.map(({ from }) => from),
    checkpoint.watermark - ticks(LONGEST_WINDOW_MS),
  ];
  return asked.reduce(earlier) - ticks(MARGIN_MS);
}

/** For status. */
export function progressOf({ watermark, open, unreadable }: Checkpoint): Progress {
  return {
    watermarkMs: msOfTicks(watermark),
    open: open.map(({ kind, from, to, begun }) => ({
      reading: kind,
      begunMs: begun,
      fromMs: msOfTicks(from),
      toMs: msOfTicks(to),
    })),
    setAside: unreadable.length,
  };
}

/** For the first log lines (D16). */
export function describe({ watermark, open, unreadable }: Checkpoint): string {
  const ranges = open.map(({ kind, from, to }) => `${kind} open from ${iso(from)} to ${iso(to)}`);
  const aside = unreadable.length > 0 ? [`${unreadable.length} unreadable times set aside`] : [];
  return [`goes on from ${iso(watermark)}`, ...ranges, ...aside].join('; ');
}

const everyOf = (kind: LateKind, { overlap, sweep }: Depths): number =>
  kind === 'overlap' ? overlap / 2 : sweep.every;

function lateFrom({ watermark, readAt }: Checkpoint, kind: LateKind, depths: Depths): bigint {
  const depth = kind === 'overlap' ? Math.max(depths.overlap, depths.settle) : depths.sweep.window;
  return earlier(watermark, ticksOfMs(readAt[kind])) - ticks(depth);
}

const iso = (time: bigint): string => isoOfTicks(time).replace(/\.\d+/, '');
const ticks = (ms: number): bigint => BigInt(Math.trunc(ms)) * TICKS_PER_MS;
const earlier = (a: bigint, b: bigint): bigint => (a < b ? a : b);
const later = (a: bigint, b: bigint): bigint => (a > b ? a : b);
