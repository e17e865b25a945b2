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
  /**
   * Lets go of the bodies that were read: they are several times as large as their texts. Whoever holds on to a record, as one does
   * until it is confirmed, can look into it all the same; its body is then read again.
   */
  release(): void;
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

/** Reads the bodies of records: once, so that what they do to the relay is known to come of reading them (S4). */
export function chunkOf(
  { before, target, ends }: Pick<Chunk, 'before' | 'target' | 'ends'>,
  stored: readonly StoredRecord[],
  mark: Mark = noMark,
): Chunk {
  const first = ends[0] ?? before;
  let bodies: readonly { readonly mayRead: boolean; readonly body?: JsonObject }[] = mark.during(
    { first, last: ends.at(-1) ?? first },
    () =>
      stored.map(({ json }, at) => {
        const mayRead = mark.touch(ends[at]!);
        return { mayRead, body: readBody(json, mayRead) };
      }),
  );
  const records = stored.map(({ json, ...rest }, at) => ({
    ...rest,
    get body() {
      const { mayRead, body } = bodies[at]!;
      return body ?? readBody(json, mayRead);
    },
  }));
  const release = () => {
    bodies = bodies.map(({ mayRead }) => ({ mayRead }));
  };
  return { before, target, records, ends, release };
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
    for (const old of this.#chunks.splice(this.capacity)) old.release();
  }

  clear(): void {
    for (const old of this.#chunks.splice(0)) old.release();
  }

  get size(): number {
    return this.#chunks.length;
  }
}
