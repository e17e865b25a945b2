import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { JournalStats, Refusal, SourceKey } from '../../core/journal.ts';
import type { Unread } from '../../core/source.ts';
import { encodeRecord, FORMAT, rowHash, storedRecord } from '../batch.ts';

/** What a sink will never be given, or a source cannot read for now, with the reason. */
export class DeadLetterTable {
  readonly #insert: StatementSync;
  readonly #counts: StatementSync;
  readonly #drop: StatementSync;

  constructor(database: DatabaseSync) {
    this.#insert = database.prepare(`
      INSERT INTO dead_letter (kind, name, reason, detail, at, format, record, hash)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?)`);
    this.#drop = database.prepare(`
      DELETE FROM dead_letter WHERE kind = 'source' AND name = ?
      AND json_extract(record, '$.tenant') = ? AND json_extract(record, '$.at') = ?`);
    this.#counts = database.prepare(
      'SELECT kind, name, count(*) AS count FROM dead_letter GROUP BY kind, name',
    );
  }

  /** What a sink refused. */
  append(name: string, { record, reason, detail }: Refusal, at: number): void {
    this.#put('sink', name, reason, detail, at, encodeRecord(storedRecord(record)));
  }

  /** What a source cannot read: its time stands in the place of a record. One without `to` is of a single time. */
  appendUnread({ source, tenant }: SourceKey, unread: Unread, now: number): void {
    const { at, to, count, reason, detail } = unread;
    const place = { tenant, at: String(at), to: String(to), count };
    this.#put('source', source, reason, detail, now, JSON.stringify(place));
  }

  /** What a source can read again. */
  dropUnread({ source, tenant }: SourceKey, at: bigint): void {
    this.#drop.run(source, tenant, String(at));
  }

  #put(
    kind: 'sink' | 'source',
    name: string,
    reason: string,
    detail: string,
    at: number,
    record: string,
  ): void {
    const columns = [kind, name, reason, detail.toWellFormed(), at, FORMAT, record] as const;
    this.#insert.run(...columns, rowHash(columns));
  }

  counts(): JournalStats['deadLetters'] {
    return this.#counts.all() as unknown as JournalStats['deadLetters'];
  }
}
