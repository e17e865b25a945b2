import type { JournalStats, SinkStats } from '../core/journal.ts';
import type { BatchTable } from './tables/batches.ts';
import type { DeadLetterTable } from './tables/dead-letters.ts';
import type { SinkRow, SinkTable } from './tables/sinks.ts';

export interface SurveyedTables {
  readonly batches: BatchTable;
  readonly sinks: SinkTable;
  readonly deadLetters: DeadLetterTable;
}

/** What is in the journal, and for whom. */
export function survey({
  batches,
  sinks,
  deadLetters,
}: SurveyedTables): Pick<JournalStats, 'pending' | 'records' | 'sinks' | 'deadLetters'> {
  const registered = [...sinks.all().values()].filter(({ orphaned }) => orphaned === null);
  const each = registered.map((row) => sinkStats(row, batches));
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

export function sinkStats({ name, cursor }: SinkRow, batches: BatchTable): SinkStats {
  const pending = batches.pending(name, cursor);
  if (pending === 0) return { name, pending, oldestPendingMs: undefined };
  const head = batches.head(cursor.batch);
  const isOpen = head && cursor.index < head.records - 1 && (head.target ?? name) === name;
  const oldest = isOpen ? head : batches.nextFor(name, cursor);
  return { name, pending, oldestPendingMs: oldest?.at };
}
