import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { compareCursors } from '../../core/cursor.ts';
import type { Cursor, Fate, Withheld } from '../../core/journal.ts';
import { rowHash } from '../batch.ts';
import type { BatchTable } from './batches.ts';
import { type Broken, one } from './row.ts';
import type { SinkRow } from './sinks.ts';

/** What became of a record that is in the journal, or was. */
export type LedgerFate = Extract<
  Fate,
  'given' | 'filtered' | 'filtered-before' | 'refused' | 'waiting' | 'unknown'
>;

/** All records that a sink was given under one stream: those after `after` up to and with `upTo`. */
interface Given {
  readonly sink: string;
  readonly after: Cursor;
  readonly upTo: Cursor;
  readonly stream: number;
  /** Of what it was given by (match, format, budget). */
  readonly shape: string;
}

/** Of which records of a batch a sink was not given. */
interface Exceptions {
  readonly filtered: Bits;
  readonly refused: Bits;
}

/** The ledger's own row among the extents: how many rows `withheld` has, and from which batch on none is missing. */
const EXTENT = { name: 'withheld', source: 0 } as const;

/**
 * What each sink was given (K5): the ranges that its cursor has moved over and, of each batch in them, the records that
 * were filtered or refused. A step costs one small row; only exceptions cost more. What is meant for one sink alone
 * (K3) is not in it: it was told before.
 */
export class LedgerTable {
  readonly #broken: Broken;
  readonly #batches: BatchTable;
  /** Newest range of each sink: the one that grows. */
  readonly #newest = new Map<string, Given>();
  readonly #all: StatementSync;
  readonly #covering: StatementSync;
  readonly #put: StatementSync;
  readonly #deleteGiven: StatementSync;
  readonly #deleteBefore: StatementSync;
  readonly #exceptions: StatementSync;
  readonly #except: StatementSync;
  readonly #oldest: StatementSync;
  readonly #deleteBatch: StatementSync;
  readonly #deleteStream: StatementSync;
  readonly #putExtent: StatementSync;
  #rows = 0;
  /** Exceptions of batches before this one have been forgotten. */
  #floor = 0;

  constructor(database: DatabaseSync, batches: BatchTable, broken: Broken) {
    this.#broken = broken;
    this.#batches = batches;
    this.#all = database.prepare('SELECT * FROM given ORDER BY sink, batch, position');
    this.#covering = database.prepare(`
      SELECT * FROM given WHERE sink = ? AND (batch, position) < (?, ?) ORDER BY batch DESC, position DESC LIMIT 1`);
    this.#put = database.prepare('INSERT OR REPLACE INTO given VALUES (?, ?, ?, ?, ?, ?, ?, ?)');
    this.#deleteGiven = database.prepare('DELETE FROM given WHERE sink = ?');
    this.#deleteBefore = database.prepare('DELETE FROM given WHERE to_batch < ?');
    this.#exceptions = database.prepare('SELECT * FROM withheld WHERE batch = ? AND stream = ?');
    this.#except = database.prepare('INSERT OR REPLACE INTO withheld VALUES (?, ?, ?, ?, ?, ?)');
    this.#oldest = database.prepare('SELECT batch, at FROM withheld ORDER BY batch LIMIT 1');
    this.#deleteBatch = database.prepare('DELETE FROM withheld WHERE batch = ?');
    this.#deleteStream = database.prepare('DELETE FROM withheld WHERE stream = ?');
    this.#putExtent = database.prepare('INSERT OR REPLACE INTO extent VALUES (?, ?, ?, ?, ?)');
    for (const row of this.#all.all()) {
      const given = this.#givenOf(row as unknown as StoredGiven);
      this.#newest.set(given.sink, given);
    }
    const extent = database.prepare('SELECT floor, rows, hash FROM extent WHERE name = ? AND source = ?');
    const found = one<{ floor: number; rows: number; hash: string }>(extent, EXTENT.name, EXTENT.source);
    if (!found) return;
    if (found.hash !== extentHash(found.floor, found.rows))
      broken('what is known of the size of the ledger is not as it was written');
    this.#floor = found.floor;
    this.#rows = found.rows;
  }

  /** Part of a step: the cursor of a sink, that is still in its row, moves on to `upTo`. */
  note(row: SinkRow, upTo: Cursor, withheld: readonly Withheld[]): void {
    const { name: sink, cursor: from, stream, shape } = row;
    const newest = this.#newest.get(sink);
    const goesOn = newest?.stream === stream && compareCursors(newest.upTo, from) === 0;
    this.#store({ sink, after: goesOn ? newest.after : from, upTo, stream, shape });
    const before = this.#rows;
    for (const [batch, { filtered, refused }] of this.#exceptionsOf(from, withheld)) {
      // Only of the batch in which the cursor stood may some be known.
      const known = batch === from.batch ? this.#exceptionsIn(batch, stream) : undefined;
      if (!known) this.#rows++;
      const both = [filtered.with(known?.filtered).text, refused.with(known?.refused).text] as const;
      const at = this.#batches.head(batch)?.at ?? 0;
      this.#except.run(batch, stream, ...both, at, exceptionsHash(batch, stream, ...both, at));
    }
    if (this.#rows !== before) this.#storeExtent();
  }

  /** What became of the record at a place, which is in the journal or was, for a sink that stands at `cursor`? */
  fate({ name, cursor, shape }: Pick<SinkRow, 'name' | 'cursor' | 'shape'>, place: Cursor): LedgerFate {
    if (compareCursors(place, cursor) > 0) return 'waiting';
    if (place.batch < this.#floor) return 'unknown';
    const row = one<StoredGiven>(this.#covering, name, place.batch, place.index);
    const given = row && this.#givenOf(row);
    if (!given || compareCursors(place, given.upTo) > 0) return 'unknown';
    const exceptions = this.#exceptionsIn(place.batch, given.stream);
    if (exceptions?.refused.has(place.index)) return 'refused';
    if (!exceptions?.filtered.has(place.index)) return 'given';
    return given.shape === shape ? 'filtered' : 'filtered-before';
  }

  /**
   * Forgets the exceptions of at most `limit` batches, the oldest first: of those that came before `beforeMs`, and of
   * others while there are more than `most` rows.
   */
  prune(beforeMs: number, most: number, limit: number): void {
    const before = this.#floor;
    for (let count = 0; count < limit; count++) {
      const oldest = one<{ batch: number; at: number }>(this.#oldest);
      if (!oldest || (oldest.at >= beforeMs && this.#rows <= most)) break;
      this.#rows -= Number(this.#deleteBatch.run(oldest.batch).changes);
      this.#floor = oldest.batch + 1;
    }
    if (this.#floor === before) return;
    this.#deleteBefore.run(this.#floor);
    this.#storeExtent();
  }

  /** The sink has another name. */
  rename(from: string, to: string): void {
    const ranges = this.#rangesOf(from);
    this.#deleteGiven.run(from);
    this.#newest.delete(from);
    for (const given of ranges) this.#store({ ...given, sink: to });
  }

  /** The sink has been let go of. */
  deleteSink(sink: string): void {
    for (const stream of new Set(this.#rangesOf(sink).map((given) => given.stream)))
      this.#rows -= Number(this.#deleteStream.run(stream).changes);
    this.#deleteGiven.run(sink);
    this.#newest.delete(sink);
    this.#storeExtent();
  }

  #rangesOf(sink: string): Given[] {
    const rows = this.#all.all() as unknown as StoredGiven[];
    return rows.filter((row) => row.sink === sink).map((row) => this.#givenOf(row));
  }

  /** By batch, what of a step after `from` is an exception. */
  #exceptionsOf(from: Cursor, withheld: readonly Withheld[]): Map<number, Exceptions> {
    const found = new Map<number, Exceptions>();
    for (const { after, upTo, why } of withheld) {
      const begin = compareCursors(after, from) < 0 ? from : after;
      for (let batch = begin.batch; batch <= upTo.batch; batch++) {
        const head = this.#batches.head(batch);
        if (!head || head.target !== null) continue;
        const first = batch === begin.batch ? begin.index + 1 : 0;
        const last = batch === upTo.batch ? upTo.index : head.records - 1;
        if (first > last) continue;
        const exceptions = found.get(batch) ?? { filtered: new Bits(), refused: new Bits() };
        exceptions[why].set(first, last);
        found.set(batch, exceptions);
      }
    }
    return found;
  }

  #exceptionsIn(batch: number, stream: number): Exceptions | undefined {
    const row = one<StoredWithheld>(this.#exceptions, batch, stream);
    if (!row) return undefined;
    if (!isWholeWithheld(row))
      this.#broken(`what the ledger says of batch ${batch} is not as it was written`);
    return { filtered: new Bits(row.filtered), refused: new Bits(row.refused) };
  }

  #store(given: Given): void {
    const { sink, after, upTo, stream, shape } = given;
    const columns = [sink, after.batch, after.index, upTo.batch, upTo.index, stream, shape] as const;
    this.#put.run(...columns, rowHash(columns));
    this.#newest.set(sink, given);
  }

  #givenOf(row: StoredGiven): Given {
    const { sink, batch, position, to_batch, to_position, stream, shape } = row;
    if (!isWholeGiven(row)) this.#broken(`what the ledger says of sink ${sink} is not as it was written`);
    const after = { batch, index: position };
    return { sink, after, upTo: { batch: to_batch, index: to_position }, stream, shape };
  }

  #storeExtent(): void {
    const hash = extentHash(this.#floor, this.#rows);
    this.#putExtent.run(EXTENT.name, EXTENT.source, this.#floor, this.#rows, hash);
  }
}

/** A row of `given`. */
export interface StoredGiven {
  readonly sink: string;
  readonly batch: number;
  readonly position: number;
  readonly to_batch: number;
  readonly to_position: number;
  readonly stream: number;
  readonly shape: string;
  readonly hash: string;
}

/** A row of `withheld`. */
export interface StoredWithheld {
  readonly batch: number;
  readonly stream: number;
  readonly filtered: string;
  readonly refused: string;
  readonly at: number;
  readonly hash: string;
}

/** It is as it was written. */
export const isWholeGiven = (row: StoredGiven): boolean => {
  const { sink, batch, position, to_batch, to_position, stream, shape, hash } = row;
  return hash === rowHash([sink, batch, position, to_batch, to_position, stream, shape]);
};

/** It is as it was written. */
export const isWholeWithheld = ({ batch, stream, filtered, refused, at, hash }: StoredWithheld): boolean =>
  hash === exceptionsHash(batch, stream, filtered, refused, at);

/** A bit for each record of a batch; as text in hex, the first record in the lowest bit. */
class Bits {
  #bits: bigint;

  constructor(text = '') {
    this.#bits = text === '' ? 0n : BigInt(`0x${text}`);
  }

  get text(): string {
    return this.#bits === 0n ? '' : this.#bits.toString(16);
  }

  has(index: number): boolean {
    return ((this.#bits >> BigInt(index)) & 1n) === 1n;
  }

  set(first: number, last: number): void {
    this.#bits |= ((1n << BigInt(last - first + 1)) - 1n) << BigInt(first);
  }

  with(other: Bits = new Bits()): Bits {
    const both = new Bits();
    both.#bits = this.#bits | other.#bits;
    return both;
  }
}

function exceptionsHash(
  batch: number,
  stream: number,
  filtered: string,
  refused: string,
  at: number,
): string {
  return rowHash([batch, stream, filtered, refused, at]);
}

function extentHash(floor: number, rows: number): string {
  return rowHash([EXTENT.name, EXTENT.source, String(floor), rows]);
}
