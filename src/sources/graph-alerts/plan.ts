import type { Progress, Standing } from '../../core/source.ts';
import { isoOfTicks, msOfTicks, TICKS_PER_MS, ticksOfMs } from '../../core/ticks.ts';
import {
  type Checkpoint,
  type LateKind,
  lateKinds,
  type Range,
  type Span,
  type Unreadable,
} from './checkpoint.ts';

/** How far back is read again, and how often; milliseconds. */
export interface Depths {
  readonly settle: number;
  readonly overlap: number;
  readonly sweep: { readonly every: number; readonly window: number };
  /** Nothing reads it again, but it is compared with what Graph shows. */
  readonly compared: number;
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
  return unreadable.map(({ to }) => to).reduce(later, later(start, watermark - ticks(settle)));
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
 * What of all that is open is read next; live polls go before it (R2, R7). Overlap has every other turn, and the rest
 * shares the others with what is due of what was set aside: each may be without an end, and all of it is owed.
 *
 * @param turn counts up
 */
export function urgent(
  { open, unreadable }: Checkpoint,
  nowMs: number,
  turn: number,
): Range | Unreadable | undefined {
  const [overlap] = open.filter(({ kind }) => kind === 'overlap');
  const due = unreadable.filter(({ retryAt }) => retryAt <= nowMs);
  const others = [...due.slice(0, 1), ...open.filter(({ kind }) => kind !== 'overlap')];
  const other = others[Math.floor(turn / 2) % others.length];
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

/** Set aside at most: the checkpoint is written with every answer. */
const MOST_ASIDE = 100;

/**
 * The checkpoint with something set aside. It becomes one with what it touches; where there is too much, what lies
 * nearest to each other becomes one with all between, so that the source can go on however much cannot be read.
 */
export function setAside(checkpoint: Checkpoint, ...spans: readonly Unreadable[]): Checkpoint {
  const aside: Unreadable[] = [];
  for (const span of [...checkpoint.unreadable, ...spans].sort(byTime)) {
    const last = aside.at(-1);
    if (last && span.from <= last.to) aside.splice(-1, 1, joined(last, span));
    else aside.push(span);
  }
  while (aside.length > MOST_ASIDE) {
    const gaps = aside.slice(1).map(({ from }, n) => ({ n, width: from - aside[n]!.to }));
    const { n } = gaps.reduce((least, gap) => (gap.width < least.width ? gap : least));
    aside.splice(n, 2, joined(aside[n]!, aside[n + 1]!));
  }
  return { ...checkpoint, unreadable: aside };
}

const byTime = (a: Span, b: Span): number => (a.from < b.from ? -1 : 1);

/** Tried again with the first of them: else those that come could put it off for ever. */
const joined = (a: Unreadable, b: Unreadable): Unreadable => ({
  from: a.from,
  to: later(a.to, b.to),
  retryAt: Math.min(a.retryAt, b.retryAt),
});

/** The checkpoint without something that had been set aside. */
export function takenBack(checkpoint: Checkpoint, { from }: Pick<Unreadable, 'from'>): Checkpoint {
  return { ...checkpoint, unreadable: checkpoint.unreadable.filter((span) => span.from !== from) };
}

/** What is set aside `after` and was not `before`, and the beginnings of what was and is no longer. */
export function changesAside(
  before: Checkpoint,
  after: Checkpoint,
): { readonly added: readonly Span[]; readonly gone: readonly bigint[] } {
  const missing = (from: readonly Span[], of: readonly Span[]) =>
    of.filter((span) => !from.some((each) => each.from === span.from && each.to === span.to));
  return {
    added: missing(before.unreadable, after.unreadable),
    gone: missing(after.unreadable, before.unreadable).map(({ from }) => from),
  };
}

/** What of `from` until before `end` can be asked for in one window without meeting what was set aside. */
export function pastAside(
  { unreadable }: Checkpoint,
  from: bigint,
  end: bigint,
): { from: bigint; end: bigint } {
  let begin = from;
  for (const span of unreadable.toSorted(byTime)) {
    if (span.from <= begin && begin < span.to) begin = span.to;
  }
  const ahead = unreadable.map((span) => span.from).filter((time) => time > begin);
  return { from: begin, end: ahead.reduce(earlier, end) };
}

/** For clocks that differ (K4). */
const MARGIN_MS = 3_600_000;

/**
 * `seen` rows of revisions before this may go: no reading asks for them any more (K4). A single time that was set
 * aside has never been seen, and does not count; of a range some may have been.
 */
export function floorOf(checkpoint: Checkpoint, depths: Depths): bigint {
  const asked = [
    checkpoint.watermark - ticks(depths.settle),
    ...lateKinds.map((kind) => lateFrom(checkpoint, kind, depths)),
    ...checkpoint.open.map(({ from }) => from),
    ...checkpoint.unreadable.filter(({ from, to }) => to - from > 1n).map(({ from }) => from),
    checkpoint.watermark - ticks(depths.compared),
  ];
  return asked.reduce(earlier) - ticks(MARGIN_MS);
}

/** What is owed, and what a reading still comes to: the overlap again and again, all else that is open once (R2, R5). */
export function standingOf(checkpoint: Checkpoint, depths: Depths): Standing {
  const { start, watermark, open, unreadable } = checkpoint;
  const live = earlier(pollFrom(checkpoint, depths), lateFrom(checkpoint, 'overlap', depths));
  return { start, watermark, open: [{ from: live }, ...[...open, ...unreadable].map(spanOf)] };
}

const spanOf = ({ from, to }: Span): Span => ({ from, to });

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
