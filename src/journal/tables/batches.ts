import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Cursor } from '../../core/journal.ts';
import type { JsonText } from '../../lib/json.ts';
import { Cutter, compress, decompress, FORMAT, rowHash, type StoredRecord } from '../batch.ts';
import { START } from '../cursor.ts';
import { type Broken, one } from './row.ts';

/** What can be known of a batch without its records. */
export interface BatchHead {
  readonly id: number;
  readonly format: number;
  readonly target: string | null;
  readonly ordinal: number;
  readonly records: number;
  readonly bytes: number;
  readonly at: number;
}

/** Records on their way into batches. */
export interface Filling {
  /** Where the record will stand. */
  add(record: Omit<StoredRecord, 'json'>, json: JsonText): Cursor;
  /** All of them are in their batches. */
  end(): void;
}

/** The records, in rows of many (K3). */
export class BatchTable {
  /** The newest id ever given; 0: none yet. The newest batch is never let go, so it is always there. */
  last: number;
  /** Number of records without target ever put in. */
  ordinal: number;
  readonly #broken: Broken;
  readonly #cutter = new Cutter();
  readonly #row: StatementSync;
  readonly #head: StatementSync;
  readonly #first: StatementSync;
  readonly #insert: StatementSync;
  readonly #delete: StatementSync;
  readonly #meant: StatementSync;
  readonly #next: StatementSync;
  readonly #retarget: StatementSync;

  constructor(database: DatabaseSync, broken: Broken) {
    this.#broken = broken;
    const head = 'SELECT id, format, target, ordinal, records, bytes, at FROM batch';
    this.#row = database.prepare('SELECT * FROM batch WHERE id = ?');
    this.#head = database.prepare(`${head} WHERE id = ?`);
    this.#first = database.prepare(`${head} ORDER BY id LIMIT 1`);
    this.#insert = database.prepare('INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)');
    this.#delete = database.prepare('DELETE FROM batch WHERE id = ?');
    this.#meant = database.prepare('SELECT id, records FROM batch WHERE target = ? AND id >= ?');
    this.#next = database.prepare(
      `${head} WHERE id > ? AND (target IS NULL OR target = ?) ORDER BY id LIMIT 1`,
    );
    this.#retarget = database.prepare('UPDATE batch SET target = ?, hash = ? WHERE id = ?');
    const sequence = database.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'batch'");
    this.last = one<{ seq: number }>(sequence)?.seq ?? 0;
    this.ordinal = this.#check(database);
  }

  /** No hole from the first batch to the last one ever given, and the last one is whole. Returns its end. */
  #check(database: DatabaseSync): number {
    const first = this.first()?.id ?? 1;
    const { count } = one<{ count: number }>(database.prepare('SELECT count(*) AS count FROM batch')) ?? {
      count: 0,
    };
    if (count !== this.last - first + 1) {
      this.#broken(`of the batches ${first} to ${this.last} only ${count} are there`);
    }
    if (this.last === 0) return 0;
    const { head } = this.read(this.last);
    return head.ordinal + (head.target === null ? head.records : 0);
  }

  /** A batch, checked; its records as they were written, made when asked for. */
  read(id: number): { head: BatchHead; text: () => Uint8Array } {
    const { head, data } = this.#read(id);
    return { head, text: () => decompress(data, head.bytes) };
  }

  #read(id: number): { head: BatchHead; data: Uint8Array } {
    const row = one<BatchHead & { hash: string; data: Uint8Array }>(this.#row, id);
    if (!row) return this.#broken(`batch ${id} is missing`);
    const { hash, data, ...head } = row;
    if (hash !== batchHash(head, data)) this.#broken(`batch ${id} is not as it was written`);
    return { head, data };
  }

  head(id: number): BatchHead | undefined {
    return one(this.#head, id);
  }

  first(): BatchHead | undefined {
    return one(this.#first);
  }

  /** Records for every sink that came up to and with `cursor`, ever. */
  ordinalAfter(cursor: Cursor): number {
    const head = this.head(cursor.batch);
    if (!head) return 0;
    return head.ordinal + (head.target === null ? cursor.index + 1 : 0);
  }

  /** Records after `cursor` that a sink is still to be given: those for every sink, and those for it alone. */
  pending(sink: string, cursor: Cursor): number {
    const alone = this.#meantFor(sink, cursor).reduce((sum, { id, records }) => {
      return sum + records - (id === cursor.batch ? cursor.index + 1 : 0);
    }, 0);
    return this.ordinal - this.ordinalAfter(cursor) + alone;
  }

  /** The first batch after that of `cursor` that a sink is given. */
  nextFor(sink: string, { batch }: Cursor): BatchHead | undefined {
    return one(this.#next, batch, sink);
  }

  /** What waits for a sink alone waits for another one from now on. */
  retarget(from: string, to: string, cursor: Cursor): void {
    for (const { id } of this.#meantFor(from, cursor)) {
      const { head, data } = this.#read(id);
      this.#retarget.run(to, batchHash({ ...head, target: to }, data), id);
    }
  }

  #meantFor(sink: string, { batch }: Cursor): { id: number; records: number }[] {
    return this.#meant.all(sink, batch) as unknown as { id: number; records: number }[];
  }

  /** The cursor that says "all is done". */
  end(): Cursor {
    const head = this.head(this.last);
    return head ? { batch: head.id, index: head.records - 1 } : START;
  }

  /** Is it a place in this journal, with nothing missing after it? */
  has({ batch, index }: Cursor): boolean {
    const head = this.head(batch);
    if (head) return index >= -1 && index < head.records;
    return batch === START.batch && index === START.index && (this.first()?.id ?? 1) === 1;
  }

  /**
   * Puts records in batches of their own: all that the result is given until its `end`. One at a time.
   *
   * @param target the only sink that is given them
   */
  fill(at: number, target: string | null = null): Filling {
    const cutter = this.#cutter.begin((text, records) => this.#append(text, records, at, target));
    return {
      add: (record, json) => {
        const index = cutter.add(record, json);
        return { batch: this.last + 1, index };
      },
      end: () => cutter.end(),
    };
  }

  #append(text: Uint8Array, records: number, at: number, target: string | null): void {
    const head: BatchHead = {
      id: this.last + 1,
      format: FORMAT,
      target,
      ordinal: this.ordinal,
      records,
      bytes: text.length,
      at,
    };
    const data = compress(text);
    const { id, format, ordinal, bytes } = head;
    this.#insert.run(id, format, target, ordinal, records, bytes, at, batchHash(head, data), data);
    this.last = id;
    if (target === null) this.ordinal += records;
  }

  delete(id: number): void {
    this.#delete.run(id);
  }
}

export function batchHash(
  { id, format, target, ordinal, records, bytes, at }: BatchHead,
  data: Uint8Array,
): string {
  return rowHash([id, format, target, ordinal, records, bytes, at], data);
}
