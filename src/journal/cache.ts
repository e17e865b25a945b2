import { compareCursors } from '../core/cursor.ts';
import type { Cursor, Loan } from '../core/journal.ts';
import { type Mark, noMark } from '../core/mark.ts';
import type { JsonObject, RelayRecord } from '../core/record.ts';
import { readBody, readRecords, type StoredRecord } from './batch.ts';
import type { RawChunk } from './protocol.ts';

/** Consecutive records, decoded: everything from `before` (not with it) to the last of `ends`. */
export interface Chunk {
  readonly before: Cursor;
  /** The only sink that is given it; `null`: every sink. */
  readonly target: string | null;
  readonly records: readonly RelayRecord[];
  readonly ends: readonly Cursor[];
}

export function decodeChunk({ before, target, batches }: RawChunk, mark?: Mark): Chunk {
  const records: StoredRecord[] = [];
  const ends: Cursor[] = [];
  for (const { id, format, data } of batches) {
    for (const [index, record] of readRecords(format, data).entries()) {
      records.push(record);
      ends.push({ batch: id, index });
    }
  }
  return chunkOf({ before, target, ends }, records, mark);
}

/** So many bodies are read together, with one mark, and are kept until others are. */
const TOGETHER = 16;

/**
 * Records whose bodies are read when somebody looks into them. A body is several times as large as its text, and all but the first
 * look into it lies within the same turn: kept no longer than that it is garbage of the cheap kind, while the record stays until
 * it is confirmed.
 */
export function chunkOf(
  { before, target, ends }: Pick<Chunk, 'before' | 'target' | 'ends'>,
  stored: readonly StoredRecord[],
  mark: Mark = noMark,
): Chunk {
  let read: { readonly from: number; readonly bodies: readonly JsonObject[] } | undefined;
  const bodyOf = (at: number): JsonObject => {
    const from = at - (at % TOGETHER);
    if (read?.from !== from) {
      const some = stored.slice(from, from + TOGETHER);
      const place = { first: ends[from]!, last: ends[from + some.length - 1]! };
      const bodies = mark.during(place, () =>
        some.map(({ json }, n) => readBody(json, mark.touch(ends[from + n]!))),
      );
      read = { from, bodies };
    }
    return read.bodies[at - from]!;
  };
  const records = stored.map(({ json, ...rest }, at) => ({
    ...rest,
    get body() {
      return bodyOf(at);
    },
  }));
  return { before, target, records, ends };
}

/** At most `limit` records of a chunk that has some after `cursor`. */
export function lend({ records, ends }: Chunk, cursor: Cursor, limit: number): Loan {
  const from = ends.findIndex((end) => compareCursors(end, cursor) > 0);
  return { records: records.slice(from, from + limit), ends: ends.slice(from, from + limit) };
}

/**
 * A few chunks, shared by all sinks: sinks that are close to each other decode a batch once, and memory is one
 * chunk for each sink at most, however long the backlog (K2, K6).
 */
export class ChunkCache {
  /** Most chunks kept. */
  capacity = 1;
  /** The one used last comes first. */
  #chunks: Chunk[] = [];

  /** A chunk with records after `cursor`. */
  find(cursor: Cursor): Chunk | undefined {
    const found = this.#chunks.find(({ before, ends }) => {
      const last = ends.at(-1);
      return last && compareCursors(before, cursor) <= 0 && compareCursors(cursor, last) < 0;
    });
    if (found) this.put(found);
    return found;
  }

  put(chunk: Chunk): void {
    this.#chunks = [chunk, ...this.#chunks.filter((other) => other !== chunk)];
    this.#chunks.length = Math.min(this.#chunks.length, this.capacity);
  }

  clear(): void {
    this.#chunks = [];
  }

  get size(): number {
    return this.#chunks.length;
  }
}
