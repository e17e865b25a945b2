import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Advance, Comparison, Cursor, SinkRegistration, Withheld } from '../../src/core/journal.ts';
import { ticksOfMs } from '../../src/core/ticks.ts';
import { pathsIn } from '../../src/journal/database.ts';
import type { Store } from '../../src/journal/store.ts';
import { aRecord } from '../support/records.ts';
import { aDirectory, aPage, aStore, DAY_MS, ids, MIB, someRecords } from './harness.ts';

const siem = { name: 'siem', startFrom: 'journal', shape: 'cef' } as const;
const at = (batch: number, index: number): Cursor => ({ batch, index });
const filtered = (after: Cursor, upTo: Cursor): Withheld => ({ after, upTo, why: 'filtered' });
const refused = (after: Cursor, upTo: Cursor): Withheld => ({ after, upTo, why: 'refused' });

let directory: ReturnType<typeof aDirectory>;
let store: Store;
let nowMs: number;
beforeEach(() => {
  directory = aDirectory();
  nowMs = 1_700_000_000_000;
  open();
});
afterEach(() => {
  store.close();
  directory[Symbol.dispose]();
});

function open(maxBytes = 256 * MIB): void {
  const options = { directory: directory.state, maxBytes, retentionMs: 7 * DAY_MS, version: '1.0.0' };
  store = aStore(options, () => {}, { wall: () => nowMs, steady: () => nowMs });
}

const commit = (write: () => unknown) => store.commit(() => void write());
/** Records a0, a1, …: each one of a revision of its own, all in one batch. */
const append = (names: readonly string[], overrides = {}) =>
  commit(() => store.append(aPage(someRecords(names), overrides)));
const register = (...sinks: SinkRegistration[]) => commit(() => store.register(sinks));
const advance = (cursor: Cursor, withheld: Withheld[] = [], more: Partial<Advance> = {}) =>
  commit(() => store.advance([{ sink: 'siem', cursor, sequence: 0, refused: [], withheld, ...more }]));

/** What became of the first so many records of a batch, a letter for each. */
function fates(count: number, prefix = 'a', sink = 'siem'): string {
  const found = compare(someRecords(ids(count, prefix))).fates.get(sink);
  return found === undefined ? 'u'.repeat(count) : found.map((fate) => fate.charAt(0)).join('');
}

const compare = (records: Comparison['records']) =>
  store.compare({ source: 'alerts', tenant: 'contoso', from: 1_000n, to: 2_000n, records, updates: 'all' });

function rowsOf(table: string): number {
  const reader = new DatabaseSync(pathsIn(directory.state).journal, { readOnly: true });
  const row = reader.prepare(`SELECT count(*) AS count FROM ${table}`).get();
  reader.close();
  return Number(row?.count);
}

describe('the ledger', () => {
  it('K5: knows of each record what became of it, step by step and after a restart', () => {
    append(ids(6));
    register(siem);
    expect(fates(6)).toBe('wwwwww');
    advance(at(1, 1), [filtered(at(1, -1), at(1, 0))]);
    expect(fates(6)).toBe('fgwwww');
    advance(at(1, 4), [filtered(at(1, 1), at(1, 3)), refused(at(1, 3), at(1, 4))]);
    store.close();
    open();
    expect(fates(6)).toBe('fgffrw');
    advance(at(1, 5));
    expect(fates(6)).toBe('fgffrg');
    expect([rowsOf('given'), rowsOf('withheld')]).toEqual([1, 1]);
  });

  it('K5: a step over many batches', () => {
    for (const prefix of ['a', 'b', 'c']) append(ids(3, prefix));
    register(siem);
    advance(at(3, 1), [filtered(at(1, 0), at(3, 0))]);
    expect([fates(3, 'a'), fates(3, 'b'), fates(3, 'c')]).toEqual(['gff', 'fff', 'fgw']);
  });

  it('K5: says nothing of what came before the sink, nor of what was never read', () => {
    append(ids(2, 'a'));
    register({ ...siem, startFrom: 'now' });
    append(ids(2, 'b'));
    advance(at(2, 0));
    expect([fates(2, 'a'), fates(2, 'b'), fates(1, 'x')]).toEqual(['uu', 'gw', 'u']);
    expect(fates(2, 'b', 'other')).toBe('uu');
  });

  it('K5: a new match or format begins a new range', () => {
    append(ids(4));
    register(siem);
    advance(at(1, 1), [filtered(at(1, -1), at(1, 0))]);
    register({ ...siem, shape: 'another' });
    advance(at(1, 3), [filtered(at(1, 2), at(1, 3))]);
    expect(fates(4)).toBe('fggf');
    const found = compare(someRecords(ids(4))).fates.get('siem');
    expect(found).toEqual(['filtered-before', 'given', 'given', 'filtered']);
    expect([rowsOf('given'), rowsOf('withheld')]).toEqual([2, 2]);
  });

  it('K5: begins a new range where it does not reach the cursor, and notices when it is not what was written', () => {
    append(ids(4));
    register(siem);
    advance(at(1, 0));
    store.close();
    const database = new DatabaseSync(pathsIn(directory.state).journal);
    database.exec("UPDATE given SET to_position = -1, hash = 'x'");
    database.close();
    expect(() => open()).toThrow('a range of what sink siem was given is not as it was written');
    const mended = new DatabaseSync(pathsIn(directory.state).journal);
    mended.exec('DELETE FROM given');
    mended.close();
    open();
    advance(at(1, 3), [filtered(at(1, -1), at(1, 1))]);
    expect(fates(4)).toBe('ufgg');
  });

  it('K3: what is for one sink alone, and is passed over or refused again, is neither', () => {
    append(ids(2));
    register(siem, { ...siem, name: 'other' });
    const letter = { record: aRecord(), reason: 'rejected', detail: 'no' } as const;
    for (const sink of ['siem', 'other'])
      advance(at(1, 0), [refused(at(1, -1), at(1, 0))], { sink, refused: [letter] });
    commit(() => store.retry({ sink: 'other' }));
    commit(() => store.retry({ sink: 'siem' }));
    append(ids(1, 'b'));
    advance(at(4, 0), [
      filtered(at(1, 0), at(2, 0)),
      refused(at(2, 0), at(3, 0)),
      filtered(at(3, 0), at(4, 0)),
    ]);
    expect([fates(2), fates(1, 'b')]).toEqual(['rf', 'f']);
    expect(rowsOf('withheld')).toBe(3);
  });

  it('K8: goes with a sink to its new name, and with one that is let go of', () => {
    append(ids(3));
    register(siem, { ...siem, name: 'other' });
    advance(at(1, 1), [filtered(at(1, 0), at(1, 1))]);
    advance(at(1, 0), [filtered(at(1, -1), at(1, 0))], { sink: 'other' });
    register({ ...siem, name: 'renamed', formerly: 'siem' });
    expect([fates(3, 'a', 'siem'), fates(3, 'a', 'renamed')]).toEqual(['uuu', 'gfw']);
    advance(at(1, 2), [], { sink: 'renamed' });
    expect(fates(3, 'a', 'renamed')).toBe('gfg');
    expect(rowsOf('given')).toBe(2);
    commit(() => store.forget('other', true));
    expect([rowsOf('given'), rowsOf('withheld')]).toEqual([1, 1]);
  });

  it('K5: is pruned with what was seen', () => {
    append(ids(2, 'a'));
    nowMs += 3 * DAY_MS;
    append(ids(2, 'b'));
    const floor = ticksOfMs(nowMs - DAY_MS);
    commit(() => store.append(aPage(someRecords(['fresh'], { revision: floor + 1n }), { source: 'other' })));
    register(siem);
    advance(at(2, 1), [filtered(at(1, -1), at(1, 0)), filtered(at(1, 1), at(2, 0))]);
    append([], { source: 'other', floor });
    expect(rowsOf('withheld')).toBe(2);
    // Of the first source nothing is remembered any more; of the other one it is what came after the floor.
    append([], { floor });
    append([]);
    expect(rowsOf('withheld')).toBe(1);
  });

  it('K6: is bounded: what it has let go of is not known', () => {
    store.close();
    // Room for ten rows.
    open(16 * 192 * 10);
    register(siem);
    for (const id of ids(12, 'x')) append([id]);
    advance(
      at(12, 0),
      ids(12).map((_, n) => filtered(at(n, n === 0 ? -1 : 0), at(n + 1, 0))),
    );
    append([]);
    expect(rowsOf('withheld')).toBe(10);
    const records = ['x0', 'x1', 'x2', 'x11'].map((id) => ({ id, revision: 1_000n, created: undefined }));
    expect(compare(records).fates.get('siem')).toEqual(['unknown', 'unknown', 'filtered', 'filtered']);
  });

  it('K3: a flipped bit in it is noticed', () => {
    append(ids(2));
    register(siem);
    advance(at(1, 1), [filtered(at(1, -1), at(1, 0))]);
    store.close();
    const database = new DatabaseSync(pathsIn(directory.state).journal);
    database.exec("UPDATE withheld SET filtered = '3'");
    database.close();
    open();
    expect(() => fates(2)).toThrow('what the ledger says of batch 1 is not as it was written');
  });

  it('K5: however steps are cut, it says of each record what the sink was told', () => {
    const kinds = fc.array(fc.constantFrom('given', 'filtered', 'refused'), { minLength: 1, maxLength: 30 });
    let run = 0;
    register(siem);
    fc.assert(
      fc.property(kinds, fc.nat(7), (wanted, cut) => {
        const prefix = `r${run++}-`;
        append(ids(wanted.length, prefix));
        const batch = store.lastBatch;
        let step: Withheld[] = [];
        for (const [index, why] of wanted.entries()) {
          if (why !== 'given') step.push({ after: at(batch, index - 1), upTo: at(batch, index), why });
          if (index % (cut + 1) !== 0 && index < wanted.length - 1) continue;
          advance(at(batch, index), step);
          step = [];
        }
        expect(fates(wanted.length, prefix)).toBe(wanted.map((why) => why.charAt(0)).join(''));
      }),
      { numRuns: 15 },
    );
  });
});
