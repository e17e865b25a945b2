import { hash } from 'node:crypto';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { StateField } from '../core/changes.ts';
import type { JsonObject, Outcome, RecordKind, RelayRecord } from '../core/record.ts';
import { type JsonText, parseJson, stringifyJson, stringOf } from '../lib/json.ts';

/** A row holds at most so many records … */
export const MAX_RECORDS = 256;
/** … or so many bytes of text (K3). */
export const MAX_BYTES = 2 ** 20;

/** Number of the way in which a row's records are written. A new way gets a new number; old rows stay (K3). */
export const FORMAT = 3;

/** A record with its body as text. */
export type StoredRecord = Omit<RelayRecord, 'body'> & { readonly json: JsonText };

type Head = [
  kind: RecordKind,
  source: string,
  tenant: string,
  id: string,
  revision: string,
  unrevised: number,
  outcome: Outcome,
  timeMs: number,
  severity: string,
  createdMs: number,
  /** In bytes; in formats 1 and 2 in UTF-16 units. */
  jsonLength: number,
  /** Field, from, to; since format 2, and only where it is known. */
  changed?: (readonly [StateField, string, string])[],
];

/**
 * A line of JSON with everything but the body, and with the length of that; then the body as it came, and a line feed. The
 * body is not written anew, so it stays what Microsoft sent, and it may have line feeds of its own.
 */
function headLine(record: Omit<StoredRecord, 'json'>, jsonLength: number): string {
  const head: Head = [
    record.kind,
    record.source,
    record.tenant,
    record.id,
    String(record.revision),
    record.unrevised,
    record.outcome,
    record.timeMs,
    record.severity,
    record.createdMs,
    jsonLength,
  ];
  if (record.changed) head.push(record.changed.map(({ field, from, to }) => [field, from, to]));
  return `${JSON.stringify(head)}\n`;
}

/** One record, as it stands in a row. */
export function encodeRecord({ json, ...rest }: StoredRecord): string {
  const text = stringOf(json);
  return `${headLine(rest, Buffer.byteLength(text))}${text}\n`;
}

/** For a record whose body is not at hand as text any more. */
export function storedRecord({ body, ...rest }: RelayRecord): StoredRecord {
  return { ...rest, json: stringifyJson(body) };
}

/** @throws {Error} when the text is not of this format: a bug, for its hash was right */
export function readRecords(format: number, data: Uint8Array): StoredRecord[] {
  if (format < 1 || format > FORMAT) throw new Error(`batch format ${format} is not known to this version`);
  const records: StoredRecord[] = [];
  for (const { head, json } of format < 3 ? cutText(data) : cutBytes(data)) {
    const [kind, source, tenant, id, revision, unrevised, outcome, timeMs, severity, createdMs, , changed] =
      head;
    records.push({
      kind,
      source,
      tenant,
      id,
      revision: BigInt(revision),
      unrevised,
      outcome,
      timeMs,
      severity,
      createdMs,
      ...(changed && { changed: changed.map(([field, from, to]) => ({ field, from, to })) }),
      json,
    });
  }
  return records;
}

/** The body of a record; one that must not be read is its text, as `unread`. */
export function readBody(json: JsonText, mayRead: boolean): JsonObject {
  return mayRead ? (parseJson(json) as JsonObject) : { unread: stringOf(json) };
}

/** Records with their bodies read. @throws {Error} as {@link readRecords} */
export function decodeRecords(format: number, data: Uint8Array): RelayRecord[] {
  return readRecords(format, data).map(({ json, ...rest }) => ({ ...rest, body: readBody(json, true) }));
}

const LINE_FEED = 10;

function* cutBytes({ buffer, byteOffset, length }: Uint8Array): Generator<{ head: Head; json: string }> {
  const data = Buffer.from(buffer, byteOffset, length);
  for (let at = 0; at < data.length; ) {
    const bodyAt = data.indexOf(LINE_FEED, at) + 1;
    const head = JSON.parse(data.toString('utf8', at, bodyAt)) as Head;
    const end = bodyAt + head[10];
    yield { head, json: data.toString('utf8', bodyAt, end) };
    at = end + 1;
  }
}

/** Formats 1 and 2. */
function* cutText(data: Uint8Array): Generator<{ head: Head; json: string }> {
  const text = Buffer.from(data).toString('utf8');
  for (let at = 0; at < text.length; ) {
    const bodyAt = text.indexOf('\n', at) + 1;
    const head = JSON.parse(text.slice(at, bodyAt)) as Head;
    const end = bodyAt + head[10];
    yield { head, json: text.slice(bodyAt, end) };
    at = end + 1;
  }
}

/**
 * Puts records into rows as they come, as many into each as it holds; one that is larger than a row has a row to itself.
 * All of them are written into the same memory: new memory costs more than what is done with it.
 */
export class Cutter {
  #row: Buffer = Buffer.allocUnsafeSlow(MAX_BYTES);
  #used = 0;
  #records = 0;
  #put: (row: Uint8Array, records: number) => void = () => {};

  /**
   * Begins anew.
   *
   * @param put is given each row that is full, and those of {@link end}; only until it returns
   */
  begin(put: (row: Uint8Array, records: number) => void): this {
    this.#used = 0;
    this.#records = 0;
    this.#put = put;
    return this;
  }

  /** @returns the record's index in the row that is put next */
  add(record: Omit<StoredRecord, 'json'>, json: JsonText): number {
    const length = typeof json === 'string' ? Buffer.byteLength(json) : json.length;
    const head = headLine(record, length);
    const size = Buffer.byteLength(head) + length + 1;
    if (this.#records > 0 && (this.#records === MAX_RECORDS || this.#used + size > MAX_BYTES)) this.end();
    if (size > this.#row.length) this.#row = Buffer.allocUnsafeSlow(size);
    this.#used += this.#row.write(head, this.#used);
    if (typeof json === 'string') this.#row.write(json, this.#used);
    else this.#row.set(json, this.#used);
    this.#used += length;
    this.#used = this.#row.writeUInt8(LINE_FEED, this.#used);
    return this.#records++;
  }

  /** The last row, if there is one. */
  end(): void {
    if (this.#records === 0) return;
    this.#put(this.#row.subarray(0, this.#used), this.#records);
    this.#used = 0;
    this.#records = 0;
    if (this.#row.length > MAX_BYTES) this.#row = Buffer.allocUnsafeSlow(MAX_BYTES);
  }
}

const COMPRESSION = {
  params: { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_checksumFlag]: 1 },
};

export function compress(row: Uint8Array): Uint8Array {
  return zstdCompressSync(row, COMPRESSION);
}

/** @param bytes how many it was: then it comes in one piece, of just that size */
export function decompress(data: Uint8Array, bytes: number): Uint8Array {
  return zstdDecompressSync(data, { chunkSize: Math.max(bytes + 1, LEAST_PIECE) });
}

/** Smaller ones Node takes from memory that others share, and that cannot be moved to another thread. */
const LEAST_PIECE = 2 ** 16;

/**
 * Hash over all columns of a row, 128 bits in hex. SQLite does not notice a flipped bit in a value, and a quarter
 * of the flips in a zstd frame without checksum decompress to other text (K3).
 */
export function rowHash(columns: readonly (string | number | null)[], data?: Uint8Array): string {
  const text = JSON.stringify(columns);
  // In one go: the object of a hash keeps its memory until garbage is collected, and there are some for each record.
  return hash('sha256', data ? Buffer.concat([Buffer.from(text), data]) : text).slice(0, 32);
}
