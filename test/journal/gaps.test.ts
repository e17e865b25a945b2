import { randomBytes } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Cursor, Moved, SinkRegistration } from '../../src/core/journal.ts';
import { ticksOfMs } from '../../src/core/ticks.ts';
import { pathsIn } from '../../src/journal/database.ts';
import { Keeper } from '../../src/journal/keeper.ts';
import type { JournalNotice } from '../../src/journal/protocol.ts';
import type { Store } from '../../src/journal/store.ts';
import { type GapRow, GapTable } from '../../src/journal/tables/gaps.ts';
import { aRecord, aSourceRecord } from '../support/records.ts';
import { aDirectory, aPage, aStore, DAY_MS, MIB } from './harness.ts';

const siem = { name: 'siem', startFrom: 'now', shape: 'cef' } as const;
const lake = { ...siem, name: 'lake', required: false } as const;
const BEGUN = Date.UTC(2026, 0, 1);

let directory: ReturnType<typeof aDirectory>;
let store: Store;
let notices: JournalNotice[];
let serial: number;
beforeEach(() => {
  directory = aDirectory();
  notices = [];
  serial = 0;
  open();
});
afterEach(() => {
  store.close();
  directory[Symbol.dispose]();
});

function open(maxBytes = MIB): void {
  const options = { directory: directory.state, maxBytes, retentionMs: 7 * DAY_MS, version: '1.0.0' };
  store = aStore(options, (notice) => notices.push(notice), { wall: () => BEGUN, steady: () => BEGUN });
}

function commit<T>(write: () => T): T {
  let result: T | undefined;
  store.commit(() => {
    result = write();
  });
  return result as T;
}

const register = (...sinks: SinkRegistration[]) => commit(() => store.register(sinks));
const advance = (sink: string, batch: number, index = 0, stream?: number) => {
  const step = { sink, cursor: { batch, index }, sequence: 7, refused: [] };
  return commit(() => store.advance([stream === undefined ? step : { ...step, stream }]));
};
/** Appends batches of two records, about 100 kB each, that do not compress; the revisions are seconds. */
function append(batches: number): void {
  for (let count = 0; count < batches; count++) {
    const records = [1, 2].map(() => {
      serial++;
      const noise = randomBytes(25_000).toString('hex');
      return aSourceRecord({ id: `a${serial}`, noise }, { revision: ticksOfMs(BEGUN + serial * 1_000) });
    });
    commit(() => store.append(aPage(records)));
  }
}
/** So many batches go in for each one that the sink takes, until there is a gap. */
function appendUntilGap(...takers: string[]): void {
  for (let batch = serial / 2 + 1; gapsOf('lake').length === 0; batch++) {
    append(1);
    for (const taker of takers) advance(taker, batch, 1);
  }
}

function look<T>(read: (database: DatabaseSync) => T): T {
  const database = new DatabaseSync(pathsIn(directory.state).journal, { readOnly: true });
  try {
    return read(database);
  } finally {
    database.close();
  }
}
const gapsOf = (sink: string): GapRow[] =>
  look((database) =>
    new GapTable(database, (what) => {
      throw new Error(what);
    }).of(sink),
  );
const firstBatch = () =>
  look((database) => Number(database.prepare('SELECT min(id) AS id FROM batch').get()?.id));
const sinkOf = (name: string) => store.stats().sinks.find((sink) => sink.name === name)!;
const moved = (): Moved[] => notices.flatMap((notice) => ('moved' in notice ? notice.moved : []));
const told = () =>
  notices.flatMap((notice) => ('level' in notice ? `${notice.level}: ${notice.message}` : []));

describe('a sink that is not required', () => {
  it('K6: loses its oldest backlog when it fills the journal, and nobody waits for it', () => {
    register(siem, lake);
    appendUntilGap('siem');
    append(30);
    const { batch } = firstBatchCursor();
    const [gap, ...more] = gapsOf('lake');
    expect(more).toEqual([]);
    expect(gap).toMatchObject({
      from: { batch: 0, index: -1 },
      to: { batch: batch - 1, index: 1 },
      records: 2 * (batch - 1),
      ranges: [
        {
          source: 'alerts',
          tenant: 'contoso',
          from: ticksOfMs(BEGUN + 1_000),
          to: ticksOfMs(BEGUN + 2 * (batch - 1) * 1_000),
          records: 2 * (batch - 1),
        },
      ],
      reason: 'full',
      begun: BEGUN,
      ended: null,
    });
    const { pending, gaps } = sinkOf('lake');
    expect(pending + gap!.records).toBe(serial);
    expect(gaps).toMatchObject({ count: 1, records: gap!.records, open: true, oldestMs: BEGUN + 1_000 });
  });

  function firstBatchCursor(): Cursor {
    advance('siem', serial / 2, 1);
    return { batch: firstBatch(), index: -1 };
  }

  it('K6: keeps all of it until the limit, and then loses no more than a twentieth of the room', () => {
    register(siem, lake);
    appendUntilGap('siem');
    const [gap] = gapsOf('lake');
    expect(store.stats()).toMatchObject({ paused: false });
    expect(store.stats().bytes).toBeGreaterThan(0.85 * MIB);
    expect(gap!.records).toBeLessThan(6);
    expect(notices.filter((notice) => 'paused' in notice)).toEqual([]);
  });

  it('K6: is told once when its gap begins and once when it has come on, and then there is another gap', () => {
    register(siem, lake);
    appendUntilGap('siem');
    append(5);
    advance('siem', serial / 2, 1);
    append(5);
    const begins = /^warn: the journal is full of what waits for sink lake, which is not required/;
    expect(told()).toEqual([expect.stringMatching(begins)]);
    // What has come in last makes room with the next transaction.
    commit(() => {});
    const { records } = gapsOf('lake')[0]!;
    advance('lake', firstBatch(), 0);
    const ends = `warn: sink lake has come on, behind a gap of at most ${records} records that it was not given`;
    expect(told()).toEqual([expect.stringMatching(begins), expect.stringContaining(ends)]);
    expect(sinkOf('lake').gaps).toMatchObject({ count: 1, open: false });
    for (let batch = serial / 2 + 1; gapsOf('lake').length === 1; batch++) {
      append(1);
      advance('siem', batch, 1);
    }
    const [first, second] = gapsOf('lake');
    expect(first).toMatchObject({ records, ended: BEGUN });
    // The record that it has taken is in none of them.
    expect(second!.from).toEqual({ batch: first!.to.batch + 1, index: 0 });
    expect(second!.records % 2).toBe(1);
    expect(told()).toHaveLength(3);
  });

  it('S6: goes on in new streams, behind the gap, and the worker says where', () => {
    const before = register(siem, lake).get('lake')!;
    append(1);
    advance('lake', 1, 0, before.stream);
    appendUntilGap('siem');
    const [first] = moved();
    expect(first).toMatchObject({
      sink: 'lake',
      position: { cursor: { batch: firstBatch(), index: -1 }, sequence: 0 },
    });
    expect(first!.position.stream).not.toBe(before.stream);
    expect(first!.position.apart!.stream).not.toBe(before.apart!.stream);
    expect(store.places().get('lake')).toEqual(moved().at(-1)!.position);
    expect(register(siem, lake).get('lake')).toEqual(moved().at(-1)!.position);
  });

  it('K6: what was on its way does not move the cursor back, and its numbers are not those of the new stream', () => {
    const { stream } = register(siem, lake).get('lake')!;
    appendUntilGap('siem');
    const at = store.places().get('lake')!;
    const step = { sink: 'lake', stream, sequence: 9, apart: { stream, sequence: 9 } };
    const refused = [{ record: aRecord({ id: 'a1' }), reason: 'rejected', detail: 'no' }] as const;
    commit(() => store.advance([{ ...step, cursor: { batch: 1, index: 1 }, refused }]));
    expect(store.places().get('lake')).toEqual(at);
    expect(store.stats().deadLetters).toEqual([]);
    const beyond = { batch: at.cursor.batch, index: 1 };
    commit(() => store.advance([{ ...step, cursor: beyond, refused: [] }]));
    expect(store.places().get('lake')).toEqual({ ...at, cursor: beyond });
    expect(gapsOf('lake')[0]!.ended).toBe(BEGUN);
  });

  it('K6: what lies before a gap, or in it, is read as what comes behind it', () => {
    register(siem, lake);
    appendUntilGap('siem');
    const first = firstBatch();
    for (const cursor of [
      { batch: 0, index: -1 },
      { batch: first - 1, index: 0 },
    ])
      expect(store.read(cursor)?.batches[0]?.id).toBe(first);
  });

  it('K6: keeps what a required sink still needs: then all sources pause', () => {
    register(siem, lake);
    append(3);
    advance('siem', 3, 1);
    for (let count = 0; count < 60 && !store.stats().paused; count++) append(1);
    expect(store.stats()).toMatchObject({ paused: true });
    expect(firstBatch()).toBe(3);
    expect(gapsOf('lake')).toMatchObject([{ to: { batch: 2, index: 1 }, records: 4 }]);
    expect(notices).toContainEqual(
      expect.objectContaining({
        fields: expect.objectContaining({ sinks: [expect.objectContaining({ name: 'siem' })] }),
      }),
    );
    // Up to the last record.
    expect(sinkOf('siem').pending + 6).toBe(serial);
  });

  it('K6: nothing is let go of that a required sink needs, though one that is not needs it, too', () => {
    register(siem, lake);
    for (let count = 0; count < 60 && !store.stats().paused; count++) append(1);
    expect(store.stats()).toMatchObject({ paused: true });
    expect(firstBatch()).toBe(1);
    expect(store.stats().bytes).toBeLessThan(1.2 * MIB);
  });

  it('K6: ends a pause when a sink becomes one', () => {
    register({ ...lake, required: true }, siem);
    for (let batch = 1; !store.stats().paused; batch++) {
      append(1);
      advance('siem', batch, 1);
    }
    register(lake, siem);
    expect(store.stats().paused).toBe(false);
    append(2);
    expect(store.stats().paused).toBe(false);
    expect(gapsOf('lake')).toHaveLength(1);
  });

  it('K6: the last batch stays, whatever fills the journal', () => {
    register(lake);
    store.close();
    open(1);
    append(8);
    commit(() => {});
    expect(sinkOf('lake')).toMatchObject({ pending: 2, gaps: { records: 14 } });
    expect(store.stats().paused).toBe(false);
  });

  it('K6: a gap outlives the process, and the sink being required again', () => {
    register(siem, lake);
    appendUntilGap('siem');
    const [gap] = gapsOf('lake');
    const place = store.places().get('lake');
    // Not closed, as after a kill; the log stays, for somebody else has it open.
    const keeper = new Keeper(pathsIn(directory.state).journal);
    keeper.hold();
    store.abandon();
    open();
    keeper.close();
    expect(store.places().get('lake')).toEqual(place);
    expect(sinkOf('lake')).toMatchObject({ required: false });
    register(siem, { ...lake, required: true });
    expect(gapsOf('lake')).toEqual([gap]);
    expect(sinkOf('lake')).not.toHaveProperty('required');
  });

  it('K8: its gaps go along with its name, and with itself', () => {
    register(siem, lake);
    appendUntilGap('siem');
    const { records } = gapsOf('lake')[0]!;
    register(siem, { ...lake, name: 'pond', formerly: 'lake' });
    expect(sinkOf('pond').gaps).toMatchObject({ records });
    expect(gapsOf('lake')).toEqual([]);
    register(siem);
    commit(() => store.forget('pond', false));
    expect(gapsOf('pond')).toEqual([]);
  });

  it('K6: a dead letter that was to be sent again is in the gap, in a range of its own time', () => {
    register(siem, lake);
    append(1);
    const old = { id: 'old', revision: ticksOfMs(BEGUN - 90 * DAY_MS) };
    const refused = [{ record: aRecord({ id: 'old' }, old), reason: 'rejected', detail: 'no' }] as const;
    commit(() => store.advance([{ sink: 'lake', cursor: { batch: 1, index: 1 }, sequence: 1, refused }]));
    commit(() => store.retry({ sink: 'lake' }));
    serial = 4;
    appendUntilGap('siem');
    const [gap] = gapsOf('lake');
    expect(gap!.ranges[0]).toMatchObject({ from: old.revision, to: old.revision, records: 1 });
    expect(gap!.ranges[1]).toMatchObject({ from: ticksOfMs(BEGUN + 5_000) });
    expect(gap!.records % 2).toBe(1);
  });

  it('K3: a gap that is not as it was written is the end of this journal', () => {
    register(siem, lake);
    appendUntilGap('siem');
    store.close();
    const database = new DatabaseSync(pathsIn(directory.state).journal);
    database.exec('UPDATE gap SET records = records + 1');
    database.close();
    expect(() => open()).toThrow(/gap 1 of sink lake is not as it was written/);
    const mended = new DatabaseSync(pathsIn(directory.state).journal);
    mended.exec('DELETE FROM gap');
    mended.close();
    open();
  });

  it('K6: has fifty gaps at most; then the last one grows', () => {
    const database = new DatabaseSync(':memory:');
    database.exec(
      look((journal) =>
        String(journal.prepare("SELECT sql FROM sqlite_schema WHERE name = 'gap'").get()?.sql),
      ),
    );
    const table = new GapTable(database, (what) => {
      throw new Error(what);
    });
    for (let batch = 1; batch <= 60; batch++) {
      const at = { batch, index: 0 };
      const gap = { sink: 'lake', from: at, to: at, records: 1, ranges: [], reason: 'full' } as const;
      expect(table.add(gap, batch)).toBe('begun');
      table.end('lake', batch);
    }
    expect(table.of('lake')).toHaveLength(50);
    expect(table.of('lake').at(-1)).toMatchObject({
      from: { batch: 50 },
      to: { batch: 60 },
      records: 11,
      ended: 60,
    });
  });
});
