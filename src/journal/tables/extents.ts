import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { rowHash } from '../batch.ts';
import { type Broken, one } from './row.ts';

/** How much of a source is in a table, and since when none of it is missing (ticks). */
interface Extent {
  rows: number;
  floor: bigint;
  isStored: boolean;
}

/**
 * How far back a table goes whose rows are forgotten by their revision, the oldest first. It outlives the process:
 * whether something was never there or has been forgotten decides on what is told. The rows are counted here, for
 * to count millions of them at each start takes too long (K10).
 */
export class Extents {
  readonly #table: 'seen' | 'alert_state';
  readonly #extents = new Map<number, Extent>();
  readonly #put: StatementSync;
  readonly #forget: StatementSync;
  readonly #at: StatementSync;
  readonly #count: StatementSync;

  /** @param key the columns of the primary key */
  constructor(database: DatabaseSync, table: 'seen' | 'alert_state', key: string, broken: Broken) {
    this.#table = table;
    this.#put = database.prepare('INSERT OR REPLACE INTO extent VALUES (?, ?, ?, ?, ?)');
    const oldest = `FROM ${table} WHERE source = ?1`;
    this.#forget = database.prepare(`
      DELETE FROM ${table} WHERE (${key}) IN
        (SELECT ${key} ${oldest} AND revision < ?2 ORDER BY revision LIMIT ?3)`);
    this.#at = database.prepare(`SELECT revision ${oldest} ORDER BY revision LIMIT 1 OFFSET ?2`);
    this.#at.setReadBigInts(true);
    this.#count = database.prepare(`SELECT count(*) AS count ${oldest}`);
    const all = database.prepare('SELECT * FROM extent WHERE name = ?');
    all.setReadBigInts(true);
    for (const found of all.all(table) as unknown as StoredExtent[]) {
      if (!isWholeExtent(found))
        broken(`what is known of the size of table ${table} is not as it was written`);
      const { source, floor, rows } = found;
      this.#extents.set(Number(source), { rows: Number(rows), floor: BigInt(floor), isStored: true });
    }
  }

  /** Rows of revisions from here on are all there, if they ever were. */
  floor(source: number): bigint {
    return this.#of(source).floor;
  }

  /** The lowest of all sources that have rows. */
  get leastFloor(): bigint | undefined {
    const floors = [...this.#extents.values()].filter(({ rows }) => rows > 0).map(({ floor }) => floor);
    return floors.length === 0 ? undefined : floors.reduce((a, b) => (a < b ? a : b));
  }

  added(source: number): void {
    const extent = this.#of(source);
    extent.rows++;
    extent.isStored = false;
  }

  /** Forgets at most `limit` rows of revisions before `floor`. */
  forget(source: number, floor: bigint, limit: number): void {
    const extent = this.#of(source);
    extent.rows -= Number(this.#forget.run(source, floor, limit).changes);
    if (floor > extent.floor) extent.floor = floor;
    extent.isStored = false;
  }

  /**
   * Forgets at most `limit` rows when there are more than `most`: the oldest of the source that has the most. Those of
   * one revision go together or not at all, for what is being read must not be forgotten half. Returns whose floor rose.
   */
  shrink(most: number, limit: number): { source: number; floor: bigint } | undefined {
    const excess = [...this.#extents.values()].reduce((sum, { rows }) => sum + rows, 0) - most;
    if (excess <= 0) return undefined;
    const [source, { floor }] = [...this.#extents].reduce((a, b) => (b[1].rows > a[1].rows ? b : a));
    const oldest = this.#revisionAt(source, 0) ?? floor;
    // What lies below it has been given up already, and goes in steps.
    const next = oldest < floor ? floor : (this.#revisionAt(source, excess) ?? floor);
    this.forget(source, next, limit);
    return next > floor && next > oldest ? { source, floor: next } : undefined;
  }

  /** Part of each transaction that has changed the table. */
  store(): void {
    for (const [source, extent] of this.#extents) {
      if (extent.isStored) continue;
      const { floor, rows } = extent;
      this.#put.run(this.#table, source, floor, rows, extentHash(this.#table, source, extent));
      extent.isStored = true;
    }
  }

  #of(source: number): Extent {
    const known = this.#extents.get(source);
    if (known) return known;
    // Of a source that is new, or that an older version has read.
    const extent = {
      rows: one<{ count: number }>(this.#count, source)?.count ?? 0,
      floor: 0n,
      isStored: false,
    };
    this.#extents.set(source, extent);
    return extent;
  }

  #revisionAt(source: number, offset: number): bigint | undefined {
    return one<{ revision: bigint }>(this.#at, source, offset)?.revision;
  }
}

/** A row of `extent`. */
export interface StoredExtent {
  readonly name: string;
  readonly source: number | bigint;
  readonly floor: number | bigint;
  readonly rows: number | bigint;
  readonly hash: string;
}

/** It is as it was written. */
export const isWholeExtent = ({ name, source, floor, rows, hash }: StoredExtent): boolean =>
  hash === extentHash(name, Number(source), { floor: BigInt(floor), rows: Number(rows) });

function extentHash(table: string, source: number, { floor, rows }: Pick<Extent, 'floor' | 'rows'>): string {
  return rowHash([table, source, String(floor), rows]);
}
