import { hash } from 'node:crypto';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { StateField } from '../core/changes.ts';
import type { JsonObject, Outcome, RecordKind, RelayRecord } from '../core/record.ts';
import { parseJson, stringifyJson } from '../lib/json.ts';

/** A row holds at most so many records … */
export const MAX_RECORDS = 256;
/** … or so many characters of text (K3). */
export const MAX_CHARACTERS = 2 ** 20;

/** Number of the way in which a row's records are written. A new way gets a new number; old rows stay (K3). */
export const FORMAT = 2;

/** A record with its body as text. */
export type StoredRecord = Omit<RelayRecord, 'body'> & { readonly json: string };

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
  jsonLength: number,
  /** Field, from, to; since format 2, and only where it is known. */
  changed?: (readonly [StateField, string, string])[],
];

/**
 * Formats 1 and 2: a line of JSON with everything but the body, with the length of the body in UTF-16
 * units; then the body as it came, and a line feed. The body is not written anew, so it stays what Microsoft
 * sent, and it may have line feeds of its own.
 */
export function encodeRecord(record: StoredRecord): string {
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
    record.json.length,
  ];
  if (record.changed) head.push(record.changed.map(({ field, from, to }) => [field, from, to]));
  return `${JSON.stringify(head)}\n${record.json}\n`;
}

/** For a record whose body is not at hand as text any more. */
export function storedRecord({ body, ...rest }: RelayRecord): StoredRecord {
  return { ...rest, json: stringifyJson(body) };
}

/**
 * @param touch asked before the body of each is read; when it says no, the body stays text, as `unread`
 * @throws {Error} when the text is not of this format: a bug, for its hash was right
 */
export function decodeRecords(
  format: number,
  text: string,
  touch: (index: number) => boolean = () => true,
): RelayRecord[] {
  if (format < 1 || format > FORMAT) throw new Error(`batch format ${format} is not known to this version`);
  const records: RelayRecord[] = [];
  let at = 0;
  while (at < text.length) {
    const headEnd = text.indexOf('\n', at);
    const [
      kind,
      source,
      tenant,
      id,
      revision,
      unrevised,
      outcome,
      timeMs,
      severity,
      createdMs,
      length,
      changed,
    ] = JSON.parse(text.slice(at, headEnd)) as Head;
    const bodyEnd = headEnd + 1 + length;
    const json = text.slice(headEnd + 1, bodyEnd);
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
      body: touch(records.length) ? (parseJson(json) as JsonObject) : { unread: json },
    });
    at = bodyEnd + 1;
  }
  return records;
}

/** Cuts an answer into rows as records come; one record that is larger than a row has a row to itself. */
export class Cutter {
  readonly rows: string[][] = [];
  #characters = 0;

  /** Where the record will stand. */
  add(text: string): { row: number; index: number } {
    let row = this.rows.at(-1);
    if (!row || row.length >= MAX_RECORDS || this.#characters + text.length > MAX_CHARACTERS) {
      row = [];
      this.rows.push(row);
      this.#characters = 0;
    }
    this.#characters += text.length;
    return { row: this.rows.length - 1, index: row.push(text) - 1 };
  }
}

const COMPRESSION = {
  params: { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_checksumFlag]: 1 },
};

export function compress(text: string): Uint8Array {
  return zstdCompressSync(text, COMPRESSION);
}

/**
 * Most rows fit into one piece, large enough for the system to take it back as soon as it is garbage: of pieces of 16 KiB,
 * the default, those that are garbage stay for a long time.
 */
const PIECES = { chunkSize: 2 ** 18 };

export function decompress(data: Uint8Array): string {
  return zstdDecompressSync(data, PIECES).toString('utf8');
}

/**
 * Hash over all columns of a row, 128 bits in hex. SQLite does not notice a flipped bit in a value, and a quarter
 * of the flips in a zstd frame without checksum decompress to other text (K3).
 */
export function rowHash(columns: readonly (string | number | null)[], data?: Uint8Array): string {
  const text = JSON.stringify(columns);
  // In one go: the object of a hash keeps its memory until garbage is collected, and there are some for each record.
  return hash('sha256', data ? Buffer.concat([Buffer.from(text), data]) : text).slice(0, 32);
}
