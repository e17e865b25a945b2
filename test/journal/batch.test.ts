import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stateFields } from '../../src/core/changes.ts';
import { type JsonObject, outcomes, type RelayRecord } from '../../src/core/record.ts';
import {
  Cutter,
  compress,
  decodeRecords,
  decompress,
  encodeRecord,
  FORMAT,
  MAX_BYTES,
  MAX_RECORDS,
  readBody,
  readRecords,
  rowHash,
  type StoredRecord,
} from '../../src/journal/batch.ts';
import { parseJson, stringifyJson, stringOf } from '../../src/lib/json.ts';

const anyText = fc.string({ unit: 'binary' });
const anyRecord: fc.Arbitrary<StoredRecord> = fc.record({
  kind: fc.constant('alert' as const),
  source: anyText,
  tenant: anyText,
  id: anyText,
  revision: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  unrevised: fc.nat(3),
  outcome: fc.constantFrom(...outcomes),
  timeMs: fc.integer(),
  severity: anyText,
  createdMs: fc.integer(),
  changed: fc.array(fc.record({ field: fc.constantFrom(...stateFields), from: anyText, to: anyText })),
  json: fc
    .record({ body: fc.jsonValue(), long: fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n }) })
    .chain((body) => fc.constantFrom(stringifyJson(body), JSON.stringify({ pretty: [1, '\n'] }, null, 2))),
});

const decoded = ({ json, ...rest }: StoredRecord): RelayRecord => ({
  ...rest,
  body: parseJson(json) as JsonObject,
});

/** The rows that a cutter makes of records, and where it says that each of them stands. */
function cut(records: readonly StoredRecord[], as: (json: string) => string | Uint8Array = (json) => json) {
  const rows: { bytes: number; records: RelayRecord[] }[] = [];
  const cutter = new Cutter().begin((row, count) => {
    const text = decompress(compress(row), row.length);
    const read = decodeRecords(FORMAT, text);
    expect(read).toHaveLength(count);
    rows.push({ bytes: text.length, records: read });
  });
  const places = records.map(({ json, ...record }) => {
    const index = cutter.add(record, as(stringOf(json)));
    return { row: rows.length, index };
  });
  cutter.end();
  cutter.end();
  return { rows, places };
}

const aRecord: StoredRecord = {
  kind: 'alert',
  source: 'alerts',
  tenant: 'contoso',
  id: 'a',
  revision: 5n,
  unrevised: 0,
  outcome: 'update',
  timeMs: 7,
  severity: 'high',
  createdMs: 6,
  json: '{"b":1}',
};

describe('decodeRecords()', () => {
  it('gives back what encodeRecord() was given', () => {
    fc.assert(
      fc.property(fc.array(anyRecord), (records) => {
        const text = Buffer.from(records.map(encodeRecord).join(''));
        expect(decodeRecords(FORMAT, text)).toEqual(records.map(decoded));
      }),
    );
  });

  it('reads what an older version wrote', () => {
    const text = '["alert","alerts","contoso","a","5",0,"update",7,"high",6,9]\n{"b":"é"}\n';
    const { json: _, ...rest } = aRecord;
    for (const format of [1, 2])
      expect(decodeRecords(format, Buffer.from(text + text))).toEqual(
        Array(2).fill({ ...rest, body: { b: 'é' } }),
      );
  });

  it('can leave the bodies as text', () => {
    const text = Buffer.from(encodeRecord(aRecord) + encodeRecord(aRecord));
    const records = readRecords(FORMAT, text).map((record) => ({ ...record, json: stringOf(record.json) }));
    expect(records).toEqual([aRecord, aRecord]);
    expect([false, true].map((mayRead) => readBody(aRecord.json, mayRead))).toEqual([
      { unread: '{"b":1}' },
      { b: 1 },
    ]);
  });

  it('refuses a format that it does not know', () => {
    expect(() => decodeRecords(FORMAT + 1, new Uint8Array())).toThrow(/format 4/);
  });
});

describe('Cutter', () => {
  it('keeps all records in order, in rows within the limits, and says where each stands', () => {
    const sizes = fc.array(fc.constantFrom(2, MAX_BYTES / 3, MAX_BYTES + 1), { maxLength: 20 });
    for (const as of [(json: string) => json, (json: string) => new Uint8Array(Buffer.from(json))]) {
      fc.assert(
        fc.property(sizes, (given) => {
          const records = given.map((size, n) => ({
            ...aRecord,
            id: `${n}`,
            json: `{"b":"${'é'.repeat(size / 2)}"}`,
          }));
          const { rows, places } = cut(records, as);
          const all = rows.flatMap((row) => row.records);
          expect(all).toEqual(records.map(decoded));
          expect(places.map(({ row, index }) => rows[row]?.records[index]?.id)).toEqual(
            all.map(({ id }) => id),
          );
          for (const row of rows) expect(row.records.length === 1 || row.bytes <= MAX_BYTES).toBe(true);
        }),
        { numRuns: 10 },
      );
    }
  });

  it('begins another row after so many records', () => {
    const { rows } = cut(Array.from({ length: MAX_RECORDS + 1 }, () => aRecord));
    expect(rows.map(({ records }) => records.length)).toEqual([MAX_RECORDS, 1]);
  });
});

describe('rowHash()', () => {
  it('differs when a column, its place or the data differs', () => {
    const data = Buffer.from('data');
    const hashes = [
      rowHash(['a', 1, null], data),
      rowHash(['a', 1, 'null'], data),
      rowHash(['a', '1', null], data),
      rowHash([1, 'a', null], data),
      rowHash(['a,1', null], data),
      rowHash(['a', 1, null], Buffer.from('date')),
      rowHash(['a', 1, null]),
    ];
    expect(new Set(hashes).size).toBe(hashes.length);
  });
});
