import { compareCursors } from '../core/cursor.ts';
import type { Append, Cursor } from '../core/journal.ts';
import type { Mark } from '../core/mark.ts';
import { retold } from '../core/record.ts';
import { MAX_BYTES, MAX_RECORDS, type StoredRecord } from './batch.ts';
import { type Chunk, chunkOf } from './cache.ts';
import type { Kept } from './protocol.ts';

/** Most that is kept, as far as it is known: a page of a source with large records, or some thousands of small ones. */
const MOST_KEPT = 6 * 2 ** 20;
/** What a record takes beside its text. */
const RECORD_BYTES = 1_000;

interface Run {
  readonly before: Cursor;
  readonly records: readonly StoredRecord[];
  readonly ends: readonly Cursor[];
  readonly bytes: number;
}

/**
 * Records that are on disk by now, as they were given to the journal: a sink that keeps up is given these, and nothing
 * has to be read, sent between the threads and decompressed for it. The oldest go when there are too many.
 */
export class Fresh {
  #runs: Run[] = [];
  #bytes = 0;

  put(page: Append, { told, before }: Kept): void {
    let [from, last] = [0, before];
    while (from < told.length) {
      const run = this.#runOf(page, told, from, last);
      from += run.records.length;
      last = run.ends.at(-1)!;
      this.#runs.push(run);
      this.#bytes += run.bytes;
    }
    while (this.#bytes > MOST_KEPT) this.#bytes -= this.#runs.shift()!.bytes;
  }

  /** About as many as a chunk of the journal has. */
  #runOf(page: Append, told: Kept['told'], from: number, before: Cursor): Run {
    const records: StoredRecord[] = [];
    const ends: Cursor[] = [];
    let bytes = 0;
    for (let at = from; at < told.length; at++) {
      const { index, place, outcome, unrevised, changed } = told[at]!;
      const record = retold(page, page.records[index]!);
      const isFull = records.length === MAX_RECORDS || bytes + record.json.length > MAX_BYTES;
      if (isFull && records.length > 0) break;
      records.push({ ...record, outcome, unrevised, ...(changed && { changed }) });
      ends.push(place);
      bytes += record.json.length + RECORD_BYTES;
    }
    return { before, records, ends, bytes };
  }

  /** Those that come after the cursor, read: about one batch. `undefined`: they are not here. */
  find(cursor: Cursor, mark?: Mark): Chunk | undefined {
    const runs = this.#after(cursor);
    const before = runs[0]?.before;
    if (!before) return undefined;
    const stored = runs.flatMap((run) => run.records);
    return chunkOf({ before, target: null, ends: runs.flatMap((run) => run.ends) }, stored, mark);
  }

  #after(cursor: Cursor): readonly Run[] {
    const first = this.#runs.findIndex(({ before, ends }) => {
      return compareCursors(before, cursor) <= 0 && compareCursors(cursor, ends.at(-1)!) < 0;
    });
    if (first < 0) return [];
    let [records, bytes] = [0, 0];
    let end: Cursor | undefined;
    const rest = this.#runs.slice(first);
    const last = rest.findIndex((run) => {
      records += run.records.length;
      bytes += run.bytes;
      const isNext = !end || compareCursors(end, run.before) === 0;
      end = run.ends.at(-1);
      return !isNext || (run !== rest[0] && (records > MAX_RECORDS || bytes > MAX_BYTES));
    });
    return last < 0 ? rest : rest.slice(0, last);
  }

  clear(): void {
    this.#runs = [];
    this.#bytes = 0;
  }
}
