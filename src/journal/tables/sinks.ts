import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Numbering, Position } from '../../core/journal.ts';
import { rowHash } from '../batch.ts';
import type { Broken } from './row.ts';

export interface SinkRow extends Omit<Position, 'apart'> {
  readonly name: string;
  readonly shape: string;
  /** Since when the sink is not in the config, milliseconds since 1970. */
  readonly orphaned: number | null;
  /** What waits for it is never let go of while it is in the config. */
  readonly required: boolean;
  /** `undefined`: it has not been registered since there is such a thing. */
  readonly apart: Numbering | undefined;
}

/** The cursors (K5). */
export class SinkTable {
  readonly #broken: Broken;
  readonly #all: StatementSync;
  readonly #allApart: StatementSync;
  readonly #put: StatementSync;
  readonly #putApart: StatementSync;
  readonly #delete: StatementSync;
  readonly #deleteApart: StatementSync;

  constructor(database: DatabaseSync, broken: Broken) {
    this.#broken = broken;
    this.#all = database.prepare('SELECT * FROM sink ORDER BY name');
    this.#allApart = database.prepare('SELECT * FROM apart');
    this.#put = database.prepare('INSERT OR REPLACE INTO sink VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)');
    this.#putApart = database.prepare('INSERT OR REPLACE INTO apart VALUES (?, ?, ?, ?)');
    this.#delete = database.prepare('DELETE FROM sink WHERE name = ?');
    this.#deleteApart = database.prepare('DELETE FROM apart WHERE sink = ?');
  }

  all(): Map<string, SinkRow> {
    const numbers = this.#numbersApart();
    const rows = new Map<string, SinkRow>();
    for (const found of this.#all.all()) {
      const { batch, position, hash, required, ...rest } = found as unknown as Stored;
      const cursor = { batch, index: position };
      const row: SinkRow = { ...rest, cursor, required: required !== 0, apart: numbers.get(rest.name) };
      if (hash !== sinkHash(row)) this.#broken(`the cursor of sink ${row.name} is not as it was written`);
      rows.set(row.name, row);
    }
    return rows;
  }

  /** All but the numbers apart. */
  put(row: Omit<SinkRow, 'apart'>): void {
    const { name, cursor, stream, sequence, shape, orphaned, required } = row;
    const values = [name, cursor.batch, cursor.index, stream, sequence, shape, orphaned] as const;
    this.#put.run(...values, sinkHash(row), required ? 1 : 0);
  }

  putApart(name: string, apart: Numbering): void {
    this.#putApart.run(name, apart.stream, apart.sequence, apartHash(name, apart));
  }

  delete(name: string): void {
    this.#delete.run(name);
    this.#deleteApart.run(name);
  }

  #numbersApart(): Map<string, Numbering> {
    const rows = this.#allApart.all() as unknown as (Numbering & { sink: string; hash: string })[];
    return new Map(
      rows.map(({ sink, stream, sequence, hash }) => {
        const apart = { stream, sequence };
        if (hash !== apartHash(sink, apart))
          this.#broken(`the numbers of sink ${sink} are not as they were written`);
        return [sink, apart];
      }),
    );
  }
}

type Stored = Omit<SinkRow, 'cursor' | 'apart' | 'required'> & {
  readonly batch: number;
  readonly position: number;
  readonly required: number;
  readonly hash: string;
};

/** Rows of before there was `required` have its default. */
function sinkHash(row: Omit<SinkRow, 'apart'>): string {
  const { name, cursor, stream, sequence, shape, orphaned, required } = row;
  const values = [name, cursor.batch, cursor.index, stream, sequence, shape, orphaned];
  return rowHash(required ? values : [...values, 0]);
}

function apartHash(name: string, { stream, sequence }: Numbering): string {
  return rowHash([name, stream, sequence]);
}
