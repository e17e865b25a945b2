import type { JournalStats, SinkStats } from '../core/journal.ts';
import type { BatchTable } from './tables/batches.ts';
import type { DeadLetterTable } from './tables/dead-letters.ts';
import type { GapTable } from './tables/gaps.ts';
import type { SinkRow, SinkTable } from './tables/sinks.ts';

export interface SurveyedTables {
  readonly batches: BatchTable;
  readonly sinks: SinkTable;
  readonly gaps: GapTable;
  readonly deadLetters: DeadLetterTable;
}

/** What is in the journal, and for whom. */
export function survey({
  batches,
  sinks,
  gaps,
  deadLetters,
}: SurveyedTables): Pick<JournalStats, 'pending' | 'records' | 'sinks' | 'deadLetters'> {
  const registered = [...sinks.all().values()].filter(({ orphaned }) => orphaned === null);
  const each = registered.map((row) => sinkStats(row, batches, gaps));
  return {
    pending: Math.max(0, ...each.map(({ pending }) => pending)),
    records: recordsIn(batches),
    sinks: each,
    deadLetters: deadLetters.counts(),
  };
}

export function recordsIn(batches: BatchTable): number {
  return batches.ordinal - (batches.first()?.ordinal ?? 0);
}

/** Does a sink make the others wait when what it needs fills the journal? */
export function isWaitedFor({ required, pending }: Pick<SinkStats, 'required' | 'pending'>): boolean {
  return required !== false && pending > 0;
}

export function sinkStats(row: SinkRow, batches: BatchTable, gapTable: GapTable): SinkStats {
  const gaps = gapTable.stats(row.name);
  return {
    name: row.name,
    ...waiting(row, batches),
    ...(!row.required && { required: false }),
    ...(gaps && { gaps }),
  };
}

function waiting(
  { name, cursor }: SinkRow,
  batches: BatchTable,
): Pick<SinkStats, 'pending' | 'oldestPendingMs'> {
  const pending = batches.pending(name, cursor);
  if (pending === 0) return { pending, oldestPendingMs: undefined };
  const head = batches.head(cursor.batch);
  const isOpen = head && cursor.index < head.records - 1 && (head.target ?? name) === name;
  const oldest = isOpen ? head : batches.nextFor(name, cursor);
  return { pending, oldestPendingMs: oldest?.at };
}
