import type { Config } from '../config/schema.ts';
import { JournalError } from '../core/errors.ts';
import type { Gap, Journal, SourceKey } from '../core/journal.ts';
import type { Log } from '../core/log.ts';
import type { Reconciled, ReconcileResult } from '../core/reconciled.ts';
import type { Task } from '../core/task.ts';
import { TICKS_PER_MS } from '../core/ticks.ts';
import { spellCount } from '../lib/spell.ts';
import { isAbort, wait } from '../lib/wait.ts';
import { reconcile } from '../pipeline/reconcile.ts';
import { restarted } from '../pipeline/restarted.ts';
import type { Comparable, ComparableSource } from './comparable.ts';
import { type ReconcilingJournal, refill } from './reconciling.ts';

/** How often it is looked whether something is due. */
const LOOK_MS = 60_000;
/** A gap of which something had to be left is tried again after this. */
const REFILL_AGAIN_MS = 600_000;
/** Pause after a failure that nothing else waits out. */
const BACKOFF = { initialMs: 60_000, maxMs: 3_600_000 };

export interface ScheduleOptions {
  /** By the present config. */
  readonly settings: () => Config['reconcile'] | undefined;
  readonly comparable: () => Comparable;
  readonly journal: ReconcilingJournal & Pick<Journal, 'reconciledAt' | 'noteReconciled' | 'tell'>;
  readonly log: Log;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** From 0 to below 1. */
  readonly random: () => number;
  /** Told when a source has been compared, with what came out. */
  readonly compared: (result: Reconciled, atMs: number) => void;
  readonly lookMs?: number;
}

/**
 * Compares each source, every `reconcile.every`, with what the sinks were given, and puts in the journal what is missing;
 * refills the gaps of sinks that have come on (K6), as soon as they have. Ends at the signal.
 */
export async function reconcileBySchedule(options: ScheduleOptions, signal: AbortSignal): Promise<void> {
  const { log, now, random, lookMs = LOOK_MS } = options;
  const refills = new Map<number, number>();
  const task = async (healthy: () => void) => {
    for (;;) {
      await wait(lookMs, signal);
      await lookAround(options, refills, { signal, progress: () => {} });
      healthy();
    }
  };
  await restarted(task, { log, backoff: BACKOFF, now, random, signal, failed: () => {} });
}

async function lookAround(
  options: ScheduleOptions,
  refills: Map<number, number>,
  task: Task<unknown>,
): Promise<void> {
  const { settings, comparable, journal, now } = options;
  const { every = 'off', window = 0 } = settings() ?? {};
  if (every === 'off') return;
  const all = comparable();
  const failures: unknown[] = [];
  /** One that fails keeps none of the others from its turn. */
  const attempt = (work: Promise<void>) =>
    work.catch((error: unknown) => {
      if (task.signal.aborted || error instanceof JournalError) throw error;
      // Its tenant has left the config meanwhile, or is another one by now: next time it is asked.
      if (!isAbort(error)) failures.push(error);
    });
  for (const gap of await journal.gaps()) {
    if (gap.open || now() < (refills.get(gap.id) ?? 0)) continue;
    const again = (afterMs: number) => refills.set(gap.id, now() + afterMs);
    again(REFILL_AGAIN_MS);
    await attempt(refillGap(options, gap, all, { ...task, isStuck: () => again(every) }));
  }
  for (const source of all.sources) {
    const key = { source: source.name, tenant: source.source.tenant };
    const last = await journal.reconciledAt(key);
    // A clock that went back makes it due, which costs no more than some requests.
    const isDue = last !== undefined && (now() - last >= every || now() < last);
    if (isDue) await attempt(compareSource(options, source, window, all, task));
    // The first time is one `every` after the beginning.
    else if (last === undefined) await journal.noteReconciled(key, now());
  }
  if (failures.length > 0) throw failures[0];
}

async function compareSource(
  options: ScheduleOptions,
  source: ComparableSource,
  windowMs: number,
  { sinks }: Comparable,
  task: Task<unknown>,
): Promise<void> {
  const { journal, now } = options;
  const key = { source: source.name, tenant: source.source.tenant };
  const checkpoint = await journal.checkpoint(key);
  if (checkpoint === undefined) return;
  const begunMs = now();
  const { watermark } = source.source.standing(checkpoint);
  const [from, to] = [watermark - BigInt(windowMs) * TICKS_PER_MS, watermark + 1n];
  const wish = { from, to, byPresentMatch: false, fix: true };
  const result = await reconcile({ ...source, sinks, journal, ...wish }, task);
  task.signal.throwIfAborted();
  await journal.noteReconciled(key, begunMs);
  tellFound(options, result);
  tellRepaired(options.journal, [result]);
  options.compared(result, begunMs);
}

async function refillGap(
  { journal, log }: ScheduleOptions,
  gap: Gap,
  comparable: Comparable,
  task: Task<unknown> & { isStuck(): void },
): Promise<void> {
  const result = await refill(gap, comparable, journal, task);
  tellRepaired(journal, result.sources);
  logGaps(log, result);
  // Part of it cannot be read, or is dated later than the source has been read: room is not what it waits for.
  if (result.gaps.length === 0 && result.sources.every(({ left }) => left.length === 0)) task.isStuck();
}

/** Says which gaps have been refilled. */
export function logGaps(log: Log, { gaps }: Pick<ReconcileResult, 'gaps'>): void {
  for (const { sink, records, lost } of gaps) {
    const not = lost > 0 ? `; at most ${spellCount(lost, 'record')} of it cannot be had again` : '';
    const message =
      `a gap of sink ${sink}, of at most ${spellCount(records, 'record')}, has been refilled with what its sources ` +
      `still have${not}`;
    log.info({ sink, records, lost }, message);
  }
}

function tellFound({ journal, log }: ScheduleOptions, result: Reconciled): void {
  const { source, tenant, from, to, listed, sinks, deviations, unread } = result;
  const missing = sinks.filter((sink) => sink.missing > 0);
  const range = { from, to, listed, ...(unread.length > 0 && { unread: unread.length }) };
  if (missing.length === 0) {
    log.info({ source, tenant, ...range }, 'compared with what the sinks were given: nothing is missing');
    return;
  }
  const counts = Object.fromEntries(missing.map((sink) => [sink.sink, sink.missing]));
  const repaired = Object.fromEntries(missing.map((sink) => [sink.sink, sink.repaired]));
  log.warn(
    { source, tenant, ...range, missing: counts, repaired },
    'records were found missing: they have been put in the journal, as far as `repaired` says',
  );
  for (const { sink, missing: count } of missing) {
    const hours = deviations
      .filter((each) => each.sink === sink && each.missing > 0)
      .map(({ hour }) => Date.parse(hour));
    const [sinceMs, untilMs] = [Math.min(...hours), Math.max(...hours) + HOUR_MS];
    journal.tell({ kind: 'gap-found', sink, reason: 'missing', count, source, tenant, sinceMs, untilMs });
  }
}

const HOUR_MS = 3_600_000;

/** Tells the sinks what they will be given that they had missed. */
export function tellRepaired(journal: Pick<Journal, 'tell'>, results: readonly Reconciled[]): void {
  for (const { source, tenant, from, to, sinks } of results) {
    const key: SourceKey = { source, tenant };
    const range = { sinceMs: Date.parse(from), untilMs: Date.parse(to) };
    for (const { sink, repaired: count } of sinks)
      if (count > 0) journal.tell({ kind: 'gap-repaired', sink, count, ...key, ...range });
  }
}
