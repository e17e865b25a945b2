import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Advance, Follow, Journal } from '../../src/core/journal.ts';
import { pathsIn } from '../../src/journal/database.ts';
import type { JournalNotice } from '../../src/journal/protocol.ts';
import type { Store } from '../../src/journal/store.ts';
import { aDirectory, aPage, aStore, DAY_MS, ids, MIB, open, someRecords } from './harness.ts';

const key = { source: 'alerts', tenant: 'contoso' };
const siem = { name: 'siem', startFrom: 'journal', shape: 'cef' } as const;
const follow = (id: string, on = true, revision = 1_000n): Follow => ({ ...key, id, on, revision });

let directory: ReturnType<typeof aDirectory>;
beforeEach(() => {
  directory = aDirectory();
});
afterEach(() => directory[Symbol.dispose]());

describe('follows()', () => {
  let journal: Journal;
  beforeEach(async () => {
    journal = await open(directory.state);
    await journal.register([siem, { ...siem, name: 'other' }]);
    await journal.append(aPage(someRecords(['a', 'b', 'c', 'd'])));
  });
  afterEach(() => journal.close());

  const step = (index: number, ...noted: Follow[]): Advance => ({
    sink: 'siem',
    cursor: { batch: 1, index },
    sequence: index + 1,
    refused: [],
    follow: noted,
  });
  const asked = (sink = 'siem') =>
    journal.follows(
      sink,
      ['a', 'b', 'c'].map((id) => ({ ...key, id })),
    );

  it('R8: knows at once what was noted, before it is on disk, when it is, and after a start', async () => {
    expect(await asked()).toEqual([false, false, false]);
    journal.advance(step(0, follow('a'), follow('b')));
    expect(await asked()).toEqual([true, true, false]);
    const flushed = journal.flush();
    expect(await asked()).toEqual([true, true, false]);
    await flushed;
    expect(await asked()).toEqual([true, true, false]);
    await journal.close();
    journal = await open(directory.state);
    await journal.register([siem, { ...siem, name: 'other' }]);
    expect(await asked()).toEqual([true, true, false]);
    expect(await asked('other')).toEqual([false, false, false]);
  });

  it('R8: the newest word on an id holds, while older ones are still being stored', async () => {
    journal.advance(step(0, follow('a')));
    const first = journal.flush();
    journal.advance(step(1, follow('a', false), follow('b'), follow('b', false), follow('c')));
    await first;
    expect(await asked()).toEqual([false, false, true]);
    await journal.flush();
    expect(await asked()).toEqual([false, false, true]);
  });

  it('K5: a step that does not go on notes nothing', async () => {
    journal.advance(step(1));
    journal.advance(step(0, follow('a')));
    await journal.flush();
    expect(await asked()).toEqual([false, false, false]);
  });

  it('G21: keeps ids apart by tenant, by source, and when they are not well-formed', async () => {
    await journal.append(aPage(someRecords(['x']), { tenant: 'fabrikam' }));
    await journal.append(aPage(someRecords(['x']), { source: 'incidents' }));
    journal.advance(step(0, { ...follow('a\ud800'), tenant: 'fabrikam' }));
    await journal.flush();
    const questions = [
      { ...key, tenant: 'fabrikam', id: 'a\ud800' },
      { ...key, tenant: 'fabrikam', id: 'a\udc00' },
      { ...key, id: 'a\ud800' },
      { ...key, source: 'incidents', id: 'a\ud800' },
      { source: 'nobody', tenant: 'nowhere', id: 'a' },
    ];
    expect(await journal.follows('siem', questions)).toEqual([true, false, false, false, false]);
  });

  it('R8: another shape of the sink keeps what was noted: what was given must still be ended', async () => {
    journal.advance(step(0, follow('a')));
    await journal.register([{ ...siem, shape: 'another match' }]);
    expect(await asked()).toEqual([true, false, false]);
  });
});

describe('ids that are followed', () => {
  let store: Store;
  let notices: JournalNotice[];
  let nowMs: number;
  beforeEach(() => {
    notices = [];
    nowMs = 1_700_000_000_000;
  });
  afterEach(() => store.close());

  function openStore(maxBytes = 256 * MIB): void {
    const options = { directory: directory.state, maxBytes, retentionMs: 7 * DAY_MS, version: '1.0.0' };
    const clock = { wall: () => nowMs, steady: () => nowMs };
    store = aStore(options, (notice) => notices.push(notice), clock);
  }
  const commit = (write: () => unknown) => store.commit(() => void write());
  const append = (floor = 0n) => commit(() => store.append(aPage(someRecords([]), { floor })));
  const note = (index: number, noted: Follow[], sink = 'siem') =>
    commit(() =>
      store.advance([{ sink, cursor: { batch: 1, index }, sequence: 0, refused: [], follow: noted }]),
    );

  const followed = (): string[] => {
    const reader = new DatabaseSync(pathsIn(directory.state).journal, { readOnly: true });
    const rows = reader.prepare('SELECT sink, id FROM followed ORDER BY sink, id').all();
    reader.close();
    return rows.map(({ sink, id }) => `${sink} ${id}`);
  };

  it('R8: are forgotten 90 days after their last revision, by the time of the source and never by our clock', () => {
    openStore();
    const days = (count: number) => BigInt(count) * 86_400n * 10_000_000n;
    commit(() => store.append(aPage(someRecords(ids(3)))));
    commit(() => store.register([siem]));
    note(0, [follow('old', true, days(1)), follow('renewed', true, days(1))]);
    note(1, [follow('renewed', true, days(5)), follow('renewed', true, days(3))]);
    nowMs += 1_000 * DAY_MS;
    append(days(90));
    expect(followed()).toEqual(['siem old', 'siem renewed']);
    append(days(92));
    expect(followed()).toEqual(['siem renewed']);
    append(days(95));
    expect(followed()).toEqual(['siem renewed']);
    append(days(96));
    expect(followed()).toEqual([]);
  });

  it('R8: are kept for 90 days from when they matched, also when their revision was old then', () => {
    openStore();
    const days = (count: number) => BigInt(count) * 86_400n * 10_000_000n;
    commit(() => store.append(aPage(someRecords(['new'], { revision: days(200) }))));
    commit(() => store.register([siem]));
    note(0, [follow('old', true, days(10))]);
    append(days(280));
    expect(followed()).toEqual(['siem old']);
    append(days(291));
    expect(followed()).toEqual([]);
  });

  it('K8: go with their sink when it is let go of, and with no other', () => {
    openStore();
    commit(() => store.append(aPage(someRecords(['a']))));
    commit(() => store.append(aPage(someRecords(['b']))));
    commit(() => store.register([siem, { ...siem, name: 'left' }]));
    note(0, [follow('a')]);
    note(0, [follow('a')], 'left');
    commit(() => store.register([siem]));
    expect(followed()).toEqual(['left a', 'siem a']);
    nowMs += 8 * DAY_MS;
    append();
    expect(followed()).toEqual(['siem a']);
  });

  it('K6: are bounded: above an eighth of the journal the oldest are forgotten, and that is told', () => {
    // Room for 128 of them.
    openStore(128 * 128 * 8);
    commit(() => store.append(aPage(someRecords(['a', 'b']))));
    commit(() => store.register([siem]));
    note(
      0,
      ids(130).map((id, index) => follow(id, true, 1_000n + BigInt(index))),
    );
    append();
    expect(followed()).toHaveLength(128);
    expect(followed()).not.toContain('siem a1');
    expect(followed()).toContain('siem a2');
    expect(notices).toContainEqual(
      expect.objectContaining({ message: expect.stringContaining('oldest are forgotten') }),
    );
    store.close();
    openStore(128 * 128 * 8);
    note(1, [follow('one more', true, 5_000n)]);
    append();
    expect(followed()).toHaveLength(128);
    expect(followed()).not.toContain('siem a2');
  });
});
