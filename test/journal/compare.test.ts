import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Append, Comparison, SinkRegistration } from '../../src/core/journal.ts';
import type { SourceRecord } from '../../src/core/record.ts';
import { ticksOfMs } from '../../src/core/ticks.ts';
import type { Store } from '../../src/journal/store.ts';
import { aSourceRecord } from '../support/records.ts';
import { aDirectory, aPage, aStore, DAY_MS, MIB } from './harness.ts';

const siem = { name: 'siem', startFrom: 'journal', shape: 'cef' } as const;
const lake = { ...siem, name: 'lake', required: false } as const;
const key = { source: 'alerts', tenant: 'contoso' } as const;
const NOON = Date.UTC(2026, 0, 1, 12);
const time = (seconds: number) => ticksOfMs(NOON + seconds * 1_000);
const window = { ...key, from: time(0), to: time(7_200), updates: 'all' } as const;

let directory: ReturnType<typeof aDirectory>;
let store: Store;
beforeEach(() => {
  directory = aDirectory();
  const options = { directory: directory.state, maxBytes: MIB, retentionMs: 7 * DAY_MS, version: '1.0.0' };
  store = aStore(options, () => {}, { wall: () => NOON, steady: () => NOON });
});
afterEach(() => {
  store.close();
  directory[Symbol.dispose]();
});

const commit = (write: () => unknown) => store.commit(() => void write());
const register = (...sinks: SinkRegistration[]) => commit(() => store.register(sinks));
const append = (records: readonly SourceRecord[], more: Partial<Append> = {}) =>
  commit(() => store.append(aPage(records, more)));
const record = (id: string, seconds: number, more: Partial<SourceRecord> = {}) =>
  aSourceRecord({ id }, { revision: time(seconds), ...more });
const fates = (records: Comparison['records'], sink = 'siem') =>
  store.compare({ ...window, records }).fates.get(sink);

describe('Store.compare()', () => {
  it('K5: tells what was given from what waits, and from what was never read', () => {
    register(siem);
    const records = ['a', 'b', 'c'].map((id, n) => record(id, n));
    append(records.slice(0, 2));
    commit(() => store.advance([{ sink: 'siem', cursor: { batch: 1, index: 0 }, sequence: 1, refused: [] }]));
    expect(fates(records)).toEqual(['given', 'waiting', 'unread']);
    expect(fates(records, 'other')).toBeUndefined();
  });

  it('knows nothing of a source that was never read', () => {
    register(siem);
    expect(store.compare({ ...window, records: [record('a', 1)] })).toEqual({ fates: new Map(), extra: [] });
  });

  it('R1: goes by id and revision; a revision that is older than the newest known one was replaced meanwhile', () => {
    register(siem);
    append([record('a', 10)]);
    expect(fates([record('a', 5), record('a', 10), record('a', 15)])).toEqual([
      'replaced',
      'waiting',
      'unread',
    ]);
  });

  it('K4: below what is remembered it says "unknown", and never that anything is missing', () => {
    register(siem);
    append([record('a', 10), record('b', 20)]);
    append([record('c', 30)], { floor: time(15) });
    const listed = [record('a', 10), record('x', 12), record('b', 20), record('y', 22)];
    expect(fates(listed)).toEqual(['unknown', 'unknown', 'waiting', 'unread']);
  });

  it('R8, D14: what the source does not want is not missing', () => {
    register(siem);
    append([record('a', 1)]);
    append([record('a', 2), record('b', 3, { unwanted: true })], { updates: 'none' });
    const listed = [record('a', 2), record('b', 3, { unwanted: true }), record('c', 4, { unwanted: true })];
    expect(fates(listed)).toEqual(['unwanted', 'unwanted', 'unwanted']);
  });

  it('counts what is not listed any more by the hour: replaced by a newer revision, or gone', () => {
    register(siem);
    append([record('a', 1), record('b', 2), record('c', 3_700)]);
    append([record('a', 3_800)]);
    expect(store.compare({ ...window, records: [record('a', 3_800)] }).extra).toEqual([
      { hourMs: NOON, replaced: 1, gone: 1 },
      { hourMs: NOON + 3_600_000, replaced: 0, gone: 1 },
    ]);
    const part = { ...window, to: time(2) };
    expect(store.compare({ ...part, records: [] }).extra).toEqual([{ hourMs: NOON, replaced: 1, gone: 0 }]);
  });

  it('K6: what lies in a gap of a sink is missing for that one, also when it is not remembered any more', () => {
    register(siem, lake);
    const big = (n: number) =>
      record(`big${n}`, n, { json: JSON.stringify(randomBytes(50_000).toString('hex')) });
    let count = 0;
    const gap = () => store.stats().sinks.find(({ name }) => name === 'lake')?.gaps;
    while (gap() === undefined) {
      append([big(count)]);
      count++;
      const cursor = { batch: count, index: 0 };
      commit(() => store.advance([{ sink: 'siem', cursor, sequence: count, refused: [] }]));
    }
    const lost = gap()!.records;
    const all = Array.from({ length: count }, (_, n) => big(n));
    const expected = all.map((_, n) => (n < lost ? 'in-gap' : 'waiting'));
    expect(fates(all, 'lake')).toEqual(expected);
    expect(new Set(fates(all))).toEqual(new Set(['given']));
    append([], { floor: time(count) });
    expect(fates(all.slice(0, lost), 'lake')).toEqual(expected.slice(0, lost));
    expect(fates([record('x', 0)], 'lake')).toEqual(['in-gap']);
    expect(fates([record('x', 0)])).toEqual(['unknown']);
  });
});
