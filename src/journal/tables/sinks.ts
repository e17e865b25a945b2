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

/** A row of `sink`. */
export interface StoredSink extends Omit<SinkRow, 'cursor' | 'apart' | 'required'> {
  readonly batch: number;
  readonly position: number;
  readonly required: number;
  readonly hash: string;
}

/** A row of `apart`. */
export interface StoredApart extends Numbering {
  readonly sink: string;
  readonly hash: string;
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
    for (const found of this.#all.all() as unknown as StoredSink[]) {
      if (!isWholeSink(found)) this.#broken(`the cursor of sink ${found.name} is not as it was written`);
      rows.set(found.name, { ...sinkOf(found), apart: numbers.get(found.name) });
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
    const rows = this.#allApart.all() as unknown as StoredApart[];
    return new Map(
      rows.map((row) => {
        const { sink, stream, sequence } = row;
        if (!isWholeApart(row)) this.#broken(`the numbers of sink ${sink} are not as they were written`);
        return [sink, { stream, sequence }];
      }),
    );
  }
}

export function sinkOf({ batch, position, required, hash: _, ...rest }: StoredSink): Omit<SinkRow, 'apart'> {
  return { ...rest, cursor: { batch, index: position }, required: required !== 0 };
}

/** It is as it was written. */
export const isWholeSink = (row: StoredSink): boolean => row.hash === sinkHash(sinkOf(row));

/** It is as it was written. */
export const isWholeApart = (row: StoredApart): boolean => row.hash === apartHash(row.sink, row);

/** Rows of before there was `required` have its default. */
function sinkHash(row: Omit<SinkRow, 'apart'>): string {
  const { name, cursor, stream, sequence, shape, orphaned, required } = row;
  const values = [name, cursor.batch, cursor.index, stream, sequence, shape, orphaned];
  return rowHash(required ? values : [...values, 0]);
}

function apartHash(name: string, { stream, sequence }: Numbering): string {
  return rowHash([name, stream, sequence]);
}
