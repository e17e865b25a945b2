import { compareCursors } from '../core/cursor.ts';
import type { Cursor, Loan } from '../core/journal.ts';
import { type Mark, noMark } from '../core/mark.ts';
import type { JsonObject, RelayRecord } from '../core/record.ts';
import type { JsonText } from '../lib/json.ts';
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

/** Records whose bodies are read when somebody looks into them. */
export function chunkOf(
  { before, target, ends }: Pick<Chunk, 'before' | 'target' | 'ends'>,
  stored: readonly StoredRecord[],
  mark: Mark = noMark,
): Chunk {
  const bodies = new Bodies(
    stored.map(({ json }) => json),
    ends,
    mark,
  );
  const records = stored.map(({ json: _, ...rest }, at) => new HeldRecord(rest, bodies, at).asRecord());
  return { before, target, records, ends };
}

/** So many bodies are read together, with one mark, and are kept until others are. */
const TOGETHER = 16;

/**
 * A body is several times as large as its text, and all but the first look into it lies within the same turn: kept no longer
 * than that it is garbage of the cheap kind, while the record stays until it is confirmed.
 */
class Bodies {
  readonly #texts: readonly JsonText[];
  readonly #ends: readonly Cursor[];
  readonly #mark: Mark;
  #from = -1;
  #read: readonly JsonObject[] = [];

  constructor(texts: readonly JsonText[], ends: readonly Cursor[], mark: Mark) {
    this.#texts = texts;
    this.#ends = ends;
    this.#mark = mark;
  }

  at(index: number): JsonObject {
    const from = index - (index % TOGETHER);
    if (from !== this.#from) {
      const ends = this.#ends.slice(from, from + TOGETHER);
      this.#read = this.#mark.during({ first: ends[0]!, last: ends.at(-1)! }, () =>
        ends.map((end, n) => readBody(this.#texts[from + n]!, this.#mark.touch(end))),
      );
      this.#from = from;
    }
    return this.#read[index - from]!;
  }
}

/** One accessor for all: with one each, every record would be of a kind of its own to the engine, at a kilobyte each. */
class HeldRecord {
  static readonly #body = {
    enumerable: true,
    get(this: HeldRecord) {
      return this.#bodies.at(this.#at);
    },
  };
  readonly #bodies: Bodies;
  readonly #at: number;

  constructor(rest: Omit<StoredRecord, 'json'>, bodies: Bodies, at: number) {
    this.#bodies = bodies;
    this.#at = at;
    Object.assign(this, rest);
    Object.defineProperty(this, 'body', HeldRecord.#body);
  }

  asRecord(): RelayRecord {
    return this as unknown as RelayRecord;
  }
}

/** At most `limit` records of a chunk that has some after `cursor`. */
export function lend({ records, ends }: Chunk, cursor: Cursor, limit: number): Loan {
  const from = ends.findIndex((end) => compareCursors(end, cursor) > 0);
  return { records: records.slice(from, from + limit), ends: ends.slice(from, from + limit) };
}

/**
 * A few chunks, shared by all sinks: sinks that are close to each other take a batch apart once, and memory is one
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
