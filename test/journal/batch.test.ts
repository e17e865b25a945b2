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
  MAX_CHARACTERS,
  MAX_RECORDS,
  rowHash,
  type StoredRecord,
} from '../../src/journal/batch.ts';
import { parseJson, stringifyJson } from '../../src/lib/json.ts';

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

describe('decodeRecords()', () => {
  it('gives back what encodeRecord() was given, through compression', () => {
    fc.assert(
      fc.property(fc.array(anyRecord), (records) => {
        const text = decompress(compress(records.map(encodeRecord).join('')));
        expect(decodeRecords(FORMAT, text)).toEqual(records.map(decoded));
      }),
    );
  });

  it('reads what an older version wrote', () => {
    const text = '["alert","alerts","contoso","a","5",0,"update",7,"high",6,7]\n{"b":1}\n';
    expect(decodeRecords(1, text)).toEqual([
      {
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
        body: { b: 1 },
      },
    ]);
  });

  it('refuses a format that it does not know', () => {
    expect(() => decodeRecords(FORMAT + 1, '')).toThrow(/format 3/);
  });
});

describe('Cutter', () => {
  it('keeps all texts in order, in rows within the limits, and says where each stands', () => {
    const texts = fc.array(
      fc.constantFrom('x', 'y'.repeat(MAX_CHARACTERS / 3), 'z'.repeat(MAX_CHARACTERS + 1)),
      {
        maxLength: 50,
      },
    );
    fc.assert(
      fc.property(texts, (given) => {
        const cutter = new Cutter();
        const places = given.map((text) => cutter.add(text));
        expect(cutter.rows.flat()).toEqual(given);
        expect(places.map(({ row, index }) => cutter.rows[row]?.[index])).toEqual(given);
        for (const row of cutter.rows) {
          expect(row.length === 1 || row.join('').length <= MAX_CHARACTERS).toBe(true);
        }
      }),
      { numRuns: 20 },
    );
  });

  it('begins another row after so many records', () => {
    const cutter = new Cutter();
    for (let count = 0; count < MAX_RECORDS + 1; count++) cutter.add('x');
    expect(cutter.rows.map((row) => row.length)).toEqual([MAX_RECORDS, 1]);
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
