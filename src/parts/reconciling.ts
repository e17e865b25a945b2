import type { Gap, Journal, SourceKey } from '../core/journal.ts';
import type {
  Reconciled,
  ReconcileResult,
  ReconcileStep,
  ReconcileWish,
  RefilledGap,
} from '../core/reconciled.ts';
import type { Task } from '../core/task.ts';
import { ticksOf } from '../core/ticks.ts';
import { type ReconcileOptions, reconcile } from '../pipeline/reconcile.ts';
import type { Comparable, ComparableSource } from './comparable.ts';

/** What of a journal is needed to compare and repair. */
export type ReconcilingJournal = ReconcileOptions['journal'] & Pick<Journal, 'gaps' | 'closeGap'>;

type Range = Pick<ReconcileOptions, 'from' | 'to'>;

/** A range that was compared, and what came out. */
interface Outcome extends Range {
  readonly result: Reconciled;
}

/** Compares all sources, one after the other, as somebody wishes. With `fix`, gaps that are covered by it are refilled. */
export async function reconcileAll(
  comparable: Comparable,
  journal: ReconcilingJournal,
  { fix, ...wish }: ReconcileWish,
  task: Task<ReconcileStep>,
): Promise<ReconcileResult> {
  const range = { from: ticksOf(wish.from) ?? 0n, to: ticksOf(wish.to) ?? 0n };
  const gaps = fix ? await journal.gaps() : [];
  const outcomes: Outcome[] = [];
  for (const source of comparable.sources) {
    const options = { ...source, sinks: comparable.sinks, journal, ...range, byPresentMatch: true, fix };
    outcomes.push({ ...range, result: await reconcile(options, task) });
  }
  const refilled: RefilledGap[] = [];
  for (const gap of gaps) refilled.push(...(await closeGap(gap, comparable, journal, outcomes)));
  return { sources: outcomes.map(({ result }) => result), gaps: refilled };
}

/** Has the sources list again what lies in a gap, and gives the sink what they still have of it (K6). */
export async function refill(
  gap: Gap,
  comparable: Comparable,
  journal: ReconcilingJournal,
  task: Task<ReconcileStep>,
): Promise<ReconcileResult> {
  const outcomes: Outcome[] = [];
  for (const { from, to: last, ...range } of gap.ranges) {
    const source = sourceOf(comparable, range);
    if (!source) continue;
    const to = last + 1n;
    const options = { ...source, sinks: comparable.sinks, journal, from, to, byPresentMatch: false };
    outcomes.push({ from, to, result: await reconcile({ ...options, fix: true }, task) });
  }
  const gaps = await closeGap(gap, comparable, journal, outcomes);
  return { sources: outcomes.map(({ result }) => result), gaps };
}

/** Lets go of a gap when all that can be had of it has been compared, and nothing was left. */
async function closeGap(
  gap: Gap,
  comparable: Comparable,
  journal: ReconcilingJournal,
  outcomes: readonly Outcome[],
): Promise<RefilledGap[]> {
  const { sink, ranges, records } = gap;
  const had = ranges.filter((range) => sourceOf(comparable, range));
  const isDone = had.every(({ from, to, ...key }) =>
    outcomes.some(
      (outcome) =>
        isOf(key, outcome.result) &&
        outcome.from <= from &&
        outcome.to > to &&
        isWhole(outcome.result, to) &&
        !outcome.result.left.some((left) => left.sink === sink),
    ),
  );
  if (gap.open || !isDone || !(await journal.closeGap(gap))) return [];
  const sum = (all: typeof ranges) => all.reduce((most, range) => most + range.records, 0);
  return [{ sink, records, lost: sum(ranges) - sum(had) }];
}

/** All up to and with `to` was compared, and read. */
const isWhole = ({ complete, to: reached, unread }: Reconciled, to: bigint): boolean =>
  complete && unread.length === 0 && (ticksOf(reached) ?? 0n) > to;

const sourceOf = ({ sources }: Comparable, key: SourceKey): ComparableSource | undefined =>
  sources.find(({ name, source }) => name === key.source && source.tenant === key.tenant);

const isOf = (a: SourceKey, b: SourceKey): boolean => a.source === b.source && a.tenant === b.tenant;
