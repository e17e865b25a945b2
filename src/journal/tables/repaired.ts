import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Cursor } from '../../core/journal.ts';
import type { SourceRecord } from '../../core/record.ts';
import { keyText, one } from './row.ts';

type Key = Pick<SourceRecord, 'id' | 'revision'>;

/**
 * Where records stand that were journaled anew for one sink alone: those that it was not given, and all others were.
 * `seen` knows of one place only, which is that of all sinks.
 */
export class RepairedTable {
  readonly #of: StatementSync;
  readonly #put: StatementSync;
  readonly #prune: StatementSync;
  readonly #rename: StatementSync;
  readonly #delete: StatementSync;

  constructor(database: DatabaseSync) {
    const key = 'source = ? AND revision = ? AND id = ? AND sink = ?';
    this.#of = database.prepare(`SELECT batch, position FROM repaired WHERE ${key}`);
    this.#put = database.prepare('INSERT OR REPLACE INTO repaired VALUES (?, ?, ?, ?, ?, ?)');
    // As long as a sink has a gap its records are looked for, however old they are.
    this.#prune = database.prepare(`
      DELETE FROM repaired WHERE (source, revision, id, sink) IN
        (SELECT source, revision, id, sink FROM repaired
         WHERE source = ? AND revision < ? AND sink NOT IN (SELECT sink FROM gap) ORDER BY revision LIMIT ?)`);
    this.#rename = database.prepare('UPDATE repaired SET sink = ? WHERE sink = ?');
    this.#delete = database.prepare('DELETE FROM repaired WHERE sink = ?');
  }

  place(source: number, sink: string, { id, revision }: Key): Cursor | undefined {
    const row = one<{ batch: number; position: number }>(this.#of, source, revision, keyText(id), sink);
    return row && { batch: row.batch, index: row.position };
  }

  put(source: number, sink: string, { id, revision }: Key, { batch, index }: Cursor): void {
    this.#put.run(source, revision, keyText(id), sink, batch, index);
  }

  /** Forgets at most `limit` rows of revisions that are not remembered any more. */
  prune(source: number, floor: bigint, limit: number): void {
    this.#prune.run(source, floor, limit);
  }

  /** The sink has another name. */
  rename(from: string, to: string): void {
    this.#rename.run(to, from);
  }

  /** The sink has been let go of. */
  deleteSink(sink: string): void {
    this.#delete.run(sink);
  }
}
