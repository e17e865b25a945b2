import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { JournalStats, Refusal } from '../../core/journal.ts';
import { encodeRecord, FORMAT, rowHash, storedRecord } from '../batch.ts';

/** What a sink will never be given, with the reason. */
export class DeadLetterTable {
  readonly #insert: StatementSync;
  readonly #counts: StatementSync;

  constructor(database: DatabaseSync) {
    this.#insert = database.prepare(`
      INSERT INTO dead_letter (kind, name, reason, detail, at, format, record, hash)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?)`);
    this.#counts = database.prepare(
      'SELECT kind, name, count(*) AS count FROM dead_letter GROUP BY kind, name',
    );
  }

  append(kind: 'sink' | 'source', name: string, refusal: Refusal, at: number): void {
    const record = encodeRecord(storedRecord(refusal.record));
    const columns = [kind, name, refusal.reason, refusal.detail.toWellFormed(), at, FORMAT, record] as const;
    this.#insert.run(...columns, rowHash(columns));
  }

  counts(): JournalStats['deadLetters'] {
    return this.#counts.all() as unknown as JournalStats['deadLetters'];
  }
}
