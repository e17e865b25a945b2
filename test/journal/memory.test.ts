import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AlertState } from '../../src/core/changes.ts';
import type { Appended } from '../../src/core/journal.ts';
import type { SourceRecord } from '../../src/core/record.ts';
import { decodeRecords } from '../../src/journal/batch.ts';
import { pathsIn } from '../../src/journal/database.ts';
import type { JournalNotice } from '../../src/journal/protocol.ts';
import type { Store } from '../../src/journal/store.ts';
import { aSourceRecord } from '../support/records.ts';
import { aDirectory, aPage, aStore, DAY_MS, ids, START, someRecords } from './harness.ts';

/** Room for 421 rows of `seen`, and for 100 of `alert_state`. */
const SMALL = 320 * 100 * 4;

let directory: ReturnType<typeof aDirectory>;
let store: Store;
let notices: JournalNotice[];
let nowMs: number;
beforeEach(() => {
  directory = aDirectory();
  notices = [];
  nowMs = 1_700_000_000_000;
  open();
});
afterEach(() => {
  store.close();
  directory[Symbol.dispose]();
});

function open(): void {
  const options = { directory: directory.state, maxBytes: SMALL, retentionMs: 7 * DAY_MS, version: '1.0.0' };
  const clock = { wall: () => nowMs, steady: () => nowMs };
  store = aStore(options, (notice) => notices.push(notice), clock);
}

function append(records: readonly SourceRecord[], overrides = {}): Appended {
  let appended: Appended | undefined;
  store.commit(() => {
    appended = store.append(aPage(records, overrides));
  });
  return appended!;
}

const at = (id: string, revision: number) =>
  aSourceRecord({ id }, { revision: BigInt(revision), created: BigInt(revision) });

function countOf(table: string): number {
  const reader = new DatabaseSync(pathsIn(directory.state).journal, { readOnly: true });
  const row = reader.prepare(`SELECT count(*) AS count FROM ${table}`).get();
  reader.close();
  return Number(row?.count);
}

const told = (text: string) =>
  notices.filter((notice) => 'message' in notice && notice.message.includes(text)).length;

describe('an alert', () => {
  const minute = (n: number) => BigInt(n) * 600_000_000n;
  const alert = (revision: number, created: bigint | undefined) => ({ ...at('a', revision), created });

  it('is known by its id and the minute of its creation, however that is rounded', () => {
    const created = minute(5) + 1_234_567n;
    append([alert(1, created)]);
    expect(append([alert(2, created - 567n)]).told).toMatchObject([{ outcome: 'update' }]);
    expect(countOf('alert_state')).toBe(1);
  });

  it('that does not say when it was created is known all the same', () => {
    append([alert(1, undefined)]);
    expect(append([alert(2, undefined)]).told).toMatchObject([{ outcome: 'update' }]);
    expect(append([alert(3, minute(5))]).told).toMatchObject([{ outcome: 'update' }]);
    expect(countOf('alert_state')).toBe(1);
  });
});

describe('what has changed', () => {
  const state = (status: string): AlertState => ({
    status,
    severity: 'high',
    classification: '',
    determination: '',
    assignedTo: '',
    comments: '0 c',
    evidence: '0 e',
    remediation: ' r',
  });
  const one = (revision: number, status?: string, fingerprint = 1) => ({
    ...at('a', revision),
    fingerprint,
    ...(status !== undefined && { state: state(status) }),
  });
  // Whoever waits keeps all that was told in the journal.
  beforeEach(() =>
    store.commit(() => void store.register([{ name: 'siem', startFrom: 'now', shape: 'cef' }])),
  );

  /** How each record of the journal was told, and what had changed then. */
  const tellings = () =>
    store
      .read(START)!
      .batches.flatMap(({ format, data }) => decodeRecords(format, data))
      .map(
        ({ outcome, changed }) =>
          `${outcome} ${changed?.map(({ from, to }) => `${from}>${to}`) ?? 'unknown'}`,
      );

  it('K7: is told with an update, also after a restart; an earlier revision has no difference and changes nothing', () => {
    append([one(100, 'new')]);
    append([one(200, 'inProgress')]);
    append([one(150, 'resolved')]);
    store.close();
    open();
    append([one(300, 'resolved')]);
    append([one(300, 'inProgress', 2)]);
    append([one(400, 'inProgress')]);
    expect(tellings()).toEqual([
      'new unknown',
      'update new>inProgress',
      'late unknown',
      'update inProgress>resolved',
      'unrevised resolved>inProgress',
      'update ',
    ]);
  });

  it('K7: is not known where the source does not say, or an older version has kept it', () => {
    append([one(100, 'new')]);
    append([one(200)]);
    append([one(300, 'new')]);
    append([one(400, 'resolved')]);
    expect(tellings()).toEqual(['new unknown', 'update unknown', 'update unknown', 'update new>resolved']);
  });

  it('K7: is known across revisions that were not told', () => {
    append([one(100, 'new')], { updates: 'none' });
    append([one(200, 'inProgress')], { updates: 'none' });
    append([one(300, 'resolved')]);
    expect(tellings()).toEqual(['new unknown', 'update inProgress>resolved']);
  });
});

describe('what is remembered of records', () => {
  it('K6: may take a quarter each: the oldest are forgotten, which is told, and not told again', () => {
    append(someRecords(ids(500)));
    append([]);
    expect([countOf('seen'), countOf('alert_state')]).toEqual([421, 100]);
    expect(told('earlier states')).toBe(1);
    expect(told('are forgotten, and what becomes of them')).toBe(1);
    // a0 to a78 are in neither, a79 to a399 have been seen, and of the rest the newest revision is known, too.
    expect(append(someRecords(ids(500)))).toMatchObject({ new: 0, duplicate: 421, unknown: 79 });
    expect(told('may have been told before')).toBe(1);
    nowMs += 3_600_000;
    append(someRecords(ids(2)));
    expect(notices).toContainEqual(expect.objectContaining({ level: 'warn', fields: { records: 2 } }));
  });

  it('K6: a change of an alert whose past is forgotten is told', () => {
    append(someRecords(ids(500)));
    append([]);
    const { new: count, told: outcomes } = append([at('a0', 5_000)].map((r) => ({ ...r, created: 1_000n })));
    expect([count, outcomes[0]?.outcome]).toEqual([1, 'update']);
  });

  it('K6: a late find that was never told is told, as long as all ids of that time are known', () => {
    // One alert with many changes: it is known by one row.
    append(ids(700).map((_, n) => at('busy', 1_000 + n)));
    append([]);
    expect(countOf('seen')).toBe(421);
    expect(append([at('hidden', 1_050)])).toMatchObject({ new: 1 });
    expect(append([at('hidden', 1_050)])).toMatchObject({ duplicate: 1 });
    expect(append([at('busy', 1_060)])).toMatchObject({ new: 0, unknown: 1 });
    expect(append([at('busy', 1_690)])).toMatchObject({ new: 0, duplicate: 1 });
  });

  it('K6: what was forgotten stays so after a restart, and its size is not counted again', () => {
    append(someRecords(ids(500)));
    append([]);
    store.close();
    open();
    expect(append(someRecords(ids(500)))).toMatchObject({ new: 0, duplicate: 421, unknown: 79 });
    expect(countOf('seen')).toBe(421);
  });

  it('K6: the source with the most gives up first, and one that is told of does not hide another', () => {
    append([at('quiet', 1)], { source: 'quiet' });
    append(someRecords(ids(500)));
    append([], { source: 'quiet' });
    expect(append([at('quiet', 1)], { source: 'quiet' })).toMatchObject({ duplicate: 1 });
    expect(countOf('seen')).toBe(421);
    expect(notices).toContainEqual(
      expect.objectContaining({ fields: expect.objectContaining({ source: 'alerts', tenant: 'contoso' }) }),
    );
  });

  it('K6: those of one time are not forgotten by half: a reading of them may be under way', () => {
    append(ids(500).map((id) => at(id, 7)));
    append([]);
    expect(append(ids(500).map((id) => at(id, 7)))).toMatchObject({ new: 0, duplicate: 500 });
    append([at('next', 8)]);
    append([]);
    expect(append(ids(500).map((id) => at(id, 7)))).toMatchObject({ new: 0, duplicate: 500 });
  });

  it('K6: however little is remembered, nothing is told twice, and the newest is always told', () => {
    const step = fc.array(fc.record({ id: fc.nat(150), back: fc.oneof(fc.constant(0), fc.nat(400)) }), {
      minLength: 1,
      maxLength: 100,
    });
    let run = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 12 }), (steps) => {
        const source = `source${run++}`;
        const seen = new Set<string>();
        let newest = 1_000;
        for (const page of steps) {
          const before = newest;
          const records = page.map(({ id, back }) => at(`a${id}`, ++newest - back));
          for (const { index } of append(records, { source }).told) {
            const { id, revision } = records[index]!;
            expect(seen.has(`${id} ${revision}`)).toBe(false);
            seen.add(`${id} ${revision}`);
          }
          for (const { id, revision } of records)
            if (revision > before) expect(seen.has(`${id} ${revision}`)).toBe(true);
        }
      }),
      { numRuns: 20 },
    );
  });
});
