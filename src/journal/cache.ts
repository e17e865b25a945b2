import { compareCursors } from '../core/cursor.ts';
import type { Cursor, Loan } from '../core/journal.ts';
import { type Mark, noMark } from '../core/mark.ts';
import type { RelayRecord } from '../core/record.ts';
import { decodeRecords } from './batch.ts';
import type { RawChunk } from './protocol.ts';

/** Consecutive records, decoded: everything from `before` (not with it) to the last of `ends`. */
export interface Chunk {
  readonly before: Cursor;
  /** The only sink that is given it; `null`: every sink. */
  readonly target: string | null;
  readonly records: readonly RelayRecord[];
  readonly ends: readonly Cursor[];
}

export function decodeChunk({ before, target, batches }: RawChunk, mark: Mark = noMark): Chunk {
  const records: RelayRecord[] = [];
  const ends: Cursor[] = [];
  const first = { batch: batches[0]?.id ?? 0, index: 0 };
  const last = { batch: batches.at(-1)?.id ?? 0, index: Number.MAX_SAFE_INTEGER };
  mark.during({ first, last }, () => {
    for (const { id, format, data } of batches) {
      const decoded = decodeRecords(format, data, (index) => mark.touch({ batch: id, index }));
      for (const [index, record] of decoded.entries()) {
        records.push(record);
        ends.push({ batch: id, index });
      }
    }
  });
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
    this.#chunks = [chunk, ...this.#chunks.filter((other) => other !== chunk)].slice(0, this.capacity);
  }

  clear(): void {
    this.#chunks = [];
  }

  get size(): number {
    return this.#chunks.length;
  }
}
