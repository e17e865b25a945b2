import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Append, Repair, SinkRegistration } from '../../src/core/journal.ts';
import type { SourceRecord } from '../../src/core/record.ts';
import { ticksOfMs } from '../../src/core/ticks.ts';
import { decodeRecords } from '../../src/journal/batch.ts';
import type { Store } from '../../src/journal/store.ts';
import { aSourceRecord } from '../support/records.ts';
import { aDirectory, aPage, aStore, DAY_MS, MIB } from './harness.ts';

const siem = { name: 'siem', startFrom: 'journal', shape: 'cef' } as const;
const lake = { ...siem, name: 'lake', required: false } as const;
const key = { source: 'alerts', tenant: 'contoso', updates: 'all' } as const;
const NOON = Date.UTC(2026, 0, 1, 12);
const time = (seconds: number) => ticksOfMs(NOON + seconds * 1_000);

let directory: ReturnType<typeof aDirectory>;
let store: Store;
beforeEach(() => {
  directory = aDirectory();
  open();
});
afterEach(() => {
  store.close();
  directory[Symbol.dispose]();
});

function open(): void {
  const options = { directory: directory.state, maxBytes: MIB, retentionMs: 7 * DAY_MS, version: '1.0.0' };
  store = aStore(options, () => {}, { wall: () => NOON, steady: () => NOON });
}

function commit<T>(write: () => T): T {
  let result: T | undefined;
  store.commit(() => {
    result = write();
  });
  return result as T;
}

const register = (...sinks: SinkRegistration[]) => commit(() => store.register(sinks));
const append = (records: readonly SourceRecord[], more: Partial<Append> = {}) =>
  commit(() => store.append(aPage(records, more)));
const repair = (records: readonly SourceRecord[], more: Partial<Repair> = {}) =>
  commit(() => store.repair({ ...key, records, ...more }));
const advance = (sink: string, batch = store.lastBatch, index = 0) =>
  commit(() => store.advance([{ sink, cursor: { batch, index }, sequence: 1, refused: [] }]));
const record = (id: string, seconds: number, more: Partial<SourceRecord> = {}) =>
  aSourceRecord({ id }, { revision: time(seconds), ...more });
const fates = (records: readonly SourceRecord[], sink: string) =>
  store.compare({ ...key, from: time(0), to: time(7_200), records }).fates.get(sink);

/** What stands in the last batches, from `id` on. */
function readFrom(id: number): { target: string | null; told: string[] }[] {
  const found: { target: string | null; told: string[] }[] = [];
  for (let batch = id; batch <= store.lastBatch; batch++) {
    const chunk = store.read({ batch: batch - 1, index: 1_000 })!;
    const [{ format, data }] = chunk.batches as [(typeof chunk.batches)[number]];
    const told = decodeRecords(format, data).map(({ id: name, outcome }) => `${name} ${outcome}`);
    found.push({ target: chunk.target, told });
  }
  return found;
}

const isGone = () => store.stats().sinks.find(({ name }) => name === 'lake')?.gaps === undefined;

/** The sink takes what is there, and the log of the database is emptied. */
function comeOn(): void {
  advance('lake');
  store.close();
  open();
  append([]);
}

/** Fills the journal with what `lake` does not take, until it has a gap; then it comes on. */
function aGap(): { all: SourceRecord[]; lost: SourceRecord[] } {
  register(siem, lake);
  const all: SourceRecord[] = [];
  while (isGone()) {
    const n = all.length;
    all.push(record(`big${n}`, n, { json: JSON.stringify(randomBytes(15_000).toString('hex')) }));
    append(all.slice(-1));
    advance('siem');
  }
  const lost = all.slice(0, store.gaps()[0]!.records);
  return { all, lost };
}

describe('Store.repair()', () => {
  it('journals for all sinks, marked, what was never read; and nothing of it twice', () => {
    register(siem);
    append([record('a', 1)]);
    const listed = [record('c', 3), record('a', 1), record('b', 2)];
    expect(repair(listed)).toEqual({ records: 2 });
    expect(readFrom(2)).toEqual([{ target: null, told: ['b repair', 'c repair'] }]);
    expect(fates(listed, 'siem')).toEqual(['waiting', 'waiting', 'waiting']);
    expect(repair(listed)).toEqual({ records: 0 });
    // The source that finds it after all knows it.
    append(listed);
    expect(store.lastBatch).toBe(2);
    append([record('b', 5)]);
    expect(readFrom(3)).toEqual([{ target: null, told: ['b update'] }]);
  });

  it('leaves out what was replaced meanwhile, what nobody wants, and what is not remembered', () => {
    register(siem);
    append([record('a', 10)], { floor: time(5) });
    append([], { floor: time(5) });
    expect(repair([record('a', 8), record('x', 3), record('y', 9, { unwanted: true })])).toEqual({
      records: 0,
    });
    expect(repair([record('a', 12)], { updates: 'none' })).toEqual({ records: 0 });
    expect(repair([record('a', 12)])).toEqual({ records: 1 });
  });

  it('K6: gives one sink alone what lies in its gap, once it has come on, and never twice', () => {
    const { all, lost } = aGap();
    expect(repair(lost, { sink: 'lake' })).toEqual({ records: 0, why: 'not-back' });
    comeOn();
    const before = store.lastBatch + 1;
    expect(repair(all.slice(0, 1), { sink: 'nobody' })).toEqual({ records: 0, why: 'no-sink' });
    expect(repair(all.slice(0, 2), { sink: 'lake' })).toEqual({ records: Math.min(2, lost.length) });
    expect(readFrom(before)).toEqual([{ target: 'lake', told: ['big0 repair', 'big1 repair'] }]);
    expect(fates(all.slice(0, 2), 'lake')).toEqual(['waiting', 'waiting']);
    store.close();
    open();
    expect(repair(all.slice(0, 2), { sink: 'lake' })).toEqual({ records: 0 });
    advance('lake', store.lastBatch, 1);
    expect(fates(all.slice(0, 2), 'lake')).toEqual(['given', 'given']);
    expect(fates(all.slice(0, 2), 'siem')).toEqual(['given', 'given']);
  });

  it('K6: a refill takes free room only', () => {
    const { lost } = aGap();
    advance('lake', store.lastBatch - 1);
    const huge = lost.slice(0, 1).map((each) => ({ ...each, json: JSON.stringify('x'.repeat(MIB)) }));
    expect(repair(huge, { sink: 'lake' })).toEqual({ records: 0, why: 'no-room' });
  });

  it('K6: a gap is closed when it has ended and has not grown since', () => {
    aGap();
    const [open] = store.gaps();
    expect(open).toMatchObject({ sink: 'lake', open: true });
    expect(commit(() => store.closeGap(open!))).toBe(false);
    advance('lake');
    const [gap] = store.gaps();
    expect(commit(() => store.closeGap({ ...gap!, grownMs: 7 }))).toBe(false);
    expect(commit(() => store.closeGap(gap!))).toBe(true);
    expect(store.gaps()).toEqual([]);
    expect(isGone()).toBe(true);
  });

  it('knows when a source was last compared', () => {
    expect(store.reconciledAt(key)).toBeUndefined();
    commit(() => store.noteReconciled(key, NOON));
    expect(store.reconciledAt(key)).toBeUndefined();
    append([]);
    commit(() => store.noteReconciled(key, NOON));
    expect(store.reconciledAt(key)).toBe(NOON);
  });

  it('K8: what a sink was given again goes with its name', () => {
    const { all } = aGap();
    comeOn();
    repair(all.slice(0, 1), { sink: 'lake' });
    register(siem, { ...lake, name: 'pond', formerly: 'lake' });
    expect(fates(all.slice(0, 1), 'pond')).toEqual(['waiting']);
    commit(() => store.forget('pond', true));
    register(siem, { ...lake, name: 'pond' });
    expect(fates(all.slice(0, 1), 'pond')).not.toEqual(['given']);
  });
});
