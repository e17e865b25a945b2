import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Position } from '../../core/journal.ts';
import { rowHash } from '../batch.ts';
import type { Broken } from './row.ts';

export interface SinkRow extends Position {
  readonly name: string;
  readonly shape: string;
  /** Since when the sink is not in the config, milliseconds since 1970. */
  readonly orphaned: number | null;
}

/** The cursors (K5). */
export class SinkTable {
  readonly #broken: Broken;
  readonly #all: StatementSync;
  readonly #put: StatementSync;
  readonly #delete: StatementSync;

  constructor(database: DatabaseSync, broken: Broken) {
    this.#broken = broken;
    this.#all = database.prepare('SELECT * FROM sink ORDER BY name');
    this.#put = database.prepare('INSERT OR REPLACE INTO sink VALUES (?, ?, ?, ?, ?, ?, ?, ?)');
    this.#delete = database.prepare('DELETE FROM sink WHERE name = ?');
  }

  all(): Map<string, SinkRow> {
    const rows = new Map<string, SinkRow>();
    for (const found of this.#all.all()) {
      const { batch, position, hash, ...rest } = found as unknown as Omit<SinkRow, 'cursor'> & {
        batch: number;
        position: number;
        hash: string;
      };
      const row: SinkRow = { ...rest, cursor: { batch, index: position } };
      if (hash !== sinkHash(row)) this.#broken(`the cursor of sink ${row.name} is not as it was written`);
      rows.set(row.name, row);
    }
    return rows;
  }

  put(row: SinkRow): void {
    const { name, cursor, stream, sequence, shape, orphaned } = row;
    this.#put.run(name, cursor.batch, cursor.index, stream, sequence, shape, orphaned, sinkHash(row));
  }

  delete(name: string): void {
    this.#delete.run(name);
  }
}

function sinkHash({ name, cursor, stream, sequence, shape, orphaned }: SinkRow): string {
  return rowHash([name, cursor.batch, cursor.index, stream, sequence, shape, orphaned]);
}
