import { randomBytes } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Cursor, JournalStats, SinkRegistration } from '../../src/core/journal.ts';
import { retold, type SourceRecord } from '../../src/core/record.ts';
import { ticksOfMs } from '../../src/core/ticks.ts';
import { decodeRecords } from '../../src/journal/batch.ts';
import { pathsIn } from '../../src/journal/database.ts';
import type { JournalNotice } from '../../src/journal/protocol.ts';
import type { Store } from '../../src/journal/store.ts';
import { aRecord, aSourceRecord } from '../support/records.ts';
import { aDirectory, aPage, aStore, DAY_MS, ids, MIB, START, someRecords } from './harness.ts';

const siem = { name: 'siem', startFrom: 'now', shape: 'cef' } as const;

let directory: ReturnType<typeof aDirectory>;
let store: Store;
let notices: JournalNotice[];
let nowMs: number;
beforeEach(() => {
  directory = aDirectory();
  notices = [];
  nowMs = 1_700_000_000_000;
});
afterEach(() => {
  store.close();
  directory[Symbol.dispose]();
});

function open(maxBytes = 256 * MIB): void {
  const options = { directory: directory.state, maxBytes, retentionMs: 7 * DAY_MS, version: '1.0.0' };
  const clock = { wall: () => nowMs, steady: () => nowMs };
  store = aStore(options, (notice) => notices.push(notice), clock);
}

function commit<T>(write: () => T): T {
  let result: T | undefined;
  store.commit(() => {
    result = write();
  });
  return result as T;
}

const append = (records: readonly SourceRecord[], overrides = {}) =>
  commit(() => store.append(aPage(records, overrides)));
const register = (...sinks: SinkRegistration[]) => commit(() => store.register(sinks));
const advance = (sink: string, cursor: Cursor) =>
  commit(() => store.advance([{ sink, cursor, sequence: 0, refused: [] }]));
/** The record of batch 1 becomes a dead letter of a sink. */
const refuse = (sink: string, id: string) =>
  commit(() => {
    const refused = [{ record: aRecord({ id }), reason: 'rejected', detail: 'no' }] as const;
    store.advance([{ sink, cursor: { batch: 1, index: 0 }, sequence: 1, refused }]);
  });
const tell = (atMs = nowMs, detail = '') =>
  commit(() => store.tell([{ event: { kind: 'config-refused', detail }, atMs, untold: 0 }]));
const pendingOf = (stats: JournalStats) =>
  Object.fromEntries(stats.sinks.map(({ name, pending }) => [name, pending]));

/** The ids of the batches in the journal. */
function batchIds(): number[] {
  const reader = new DatabaseSync(pathsIn(directory.state).journal, { readOnly: true });
  const rows = reader.prepare('SELECT id FROM batch ORDER BY id').all();
  reader.close();
  return rows.map(({ id }) => Number(id));
}

function countOf(table: string): number {
  const reader = new DatabaseSync(pathsIn(directory.state).journal, { readOnly: true });
  const row = reader.prepare(`SELECT count(*) AS count FROM ${table}`).get();
  reader.close();
  return Number(row?.count);
}

let serial = 0;
/** A batch of about 100 kB that does not compress. */
function aHeavyPage(): SourceRecord[] {
  serial++;
  const noise = randomBytes(50_000).toString('hex');
  return [aSourceRecord({ id: `heavy${serial}`, noise }, { revision: BigInt(serial) })];
}

/** Appends heavy pages until the journal says that it is full; at most so many. */
function fill(most = 200): number {
  for (let pages = 0; pages < most; pages++) {
    if (store.stats().paused) return pages;
    append(aHeavyPage());
  }
  return expect.fail('the journal did not become full');
}

describe('memory of what was seen', () => {
  it('K4: is forgotten below the floor, by the revision and never by the clock', () => {
    open();
    append(someRecords(ids(100)));
    nowMs += 1_000 * DAY_MS;
    append([], { floor: 1_050n });
    expect(countOf('seen')).toBe(50);
    expect(append(someRecords(ids(100))).duplicate).toBe(100);
    append([], { floor: 1_050n, tenant: 'fabrikam' });
    expect(countOf('seen')).toBe(50);
  });

  it('K4: is forgotten in steps, so that no commit takes long, and faster than it grows', () => {
    open();
    append(someRecords(ids(5_000)));
    append([], { floor: 1_000_000n });
    expect(countOf('seen')).toBe(4_000);
    append(someRecords(ids(1_500, 'b'), { revision: 2_000_000n }), { floor: 1_000_000n });
    expect(countOf('seen')).toBe(4_000 - 3_000 + 1_500);
  });

  it('K7: an id is known for 90 days after its last revision, by the time of its source', () => {
    open();
    const days = (count: number) => BigInt(count) * 86_400n * 10_000_000n;
    append([aSourceRecord({ id: 'a' }, { revision: days(1) })]);
    append([], { floor: days(90) });
    expect(countOf('alert_state')).toBe(1);
    append([], { floor: days(92) });
    expect(countOf('alert_state')).toBe(0);
  });
});

describe('letting go', () => {
  it('K6: delivered records go when the retention has passed; the newest batch and what is needed stay', () => {
    open();
    const start = register(siem).get('siem')?.cursor;
    for (let page = 0; page < 4; page++) append(someRecords([`a${page}`]));
    expect(start).toEqual(START);
    nowMs += 8 * DAY_MS;
    append([]);
    expect(batchIds()).toEqual([1, 2, 3, 4]);
    advance('siem', { batch: 3, index: 0 });
    expect(batchIds()).toEqual([3, 4]);
    advance('siem', { batch: 4, index: 0 });
    expect(batchIds()).toEqual([4]);
    expect(store.stats()).toMatchObject({ pending: 0, records: 1 });
  });

  it('K6: delivered records within the retention stay as long as there is room', () => {
    open();
    register(siem);
    append(someRecords(['a']));
    append(someRecords(['b']));
    advance('siem', { batch: 2, index: 0 });
    nowMs += 6 * DAY_MS;
    append([]);
    expect(batchIds()).toEqual([1, 2]);
  });

  it('K6: above 80 % of the limit delivered records go, the oldest first; it is told, and nobody pauses', () => {
    open(2 * MIB);
    register(siem);
    for (let page = 1; page <= 60; page++) {
      append(aHeavyPage());
      advance('siem', { batch: page, index: 0 });
    }
    const left = batchIds();
    expect(left.at(-1)).toBe(60);
    expect(left).toEqual(Array.from({ length: left.length }, (_, index) => 61 - left.length + index));
    expect(left.length).toBeGreaterThan(5);
    expect(store.stats()).toMatchObject({ paused: false, pending: 0, records: left.length });
    expect(store.stats().bytes).toBeLessThan(2 * MIB);
    expect(notices).toEqual([expect.objectContaining({ message: expect.stringMatching(/80 % full/) })]);
  });

  it('K3: ids of batches never return', () => {
    open();
    append(someRecords(['a']));
    nowMs += 8 * DAY_MS;
    append(someRecords(['b']));
    append([]);
    expect(batchIds()).toEqual([2]);
    store.close();
    open();
    append(someRecords(['c']));
    expect(batchIds()).toEqual([2, 3]);
  });
});

describe('a full journal', () => {
  it('Q5: pauses when one sink does not move, and until then the others go on', () => {
    open(2 * MIB);
    register(siem, { ...siem, name: 'dead' });
    let page = 0;
    while (!store.stats().paused) {
      append(aHeavyPage());
      page++;
      expect(store.read({ batch: page - 1, index: 0 })?.batches).toHaveLength(1);
      advance('siem', { batch: page, index: 0 });
      expect(pendingOf(store.stats())).toEqual({ siem: 0, dead: page });
    }
    expect(batchIds()).toHaveLength(page);
    expect(notices).toContainEqual({ paused: true });
    expect(notices).toContainEqual(
      expect.objectContaining({
        level: 'warn',
        fields: expect.objectContaining({ sinks: [{ name: 'dead', pending: page }, expect.anything()] }),
      }),
    );
  });

  it('K6: is full until it is below 90 % again', () => {
    open(2 * MIB);
    register(siem);
    const pages = fill();
    advance('siem', { batch: 2, index: 0 });
    expect(store.stats().paused).toBe(true);
    for (let page = 3; store.stats().paused; page++) advance('siem', { batch: page, index: 0 });
    const { bytes, pending } = store.stats();
    expect(bytes).toBeLessThan(0.9 * 2 * MIB);
    expect(pending).toBeGreaterThan(pages / 2);
    expect(notices.at(-2)).toEqual({ paused: false });
  });

  it('K6: sources stop 1 % below the limit; the rest is for cursors and for what the relay tells of itself', () => {
    const limit = 2 * MIB;
    open(limit);
    register(siem);
    fill();
    const full = store.stats().bytes;
    expect(full).toBeGreaterThanOrEqual(0.99 * limit);
    let told = 0;
    while (tell(nowMs, randomBytes(100).toString('hex'))) told++;
    expect(told).toBeGreaterThan(5);
    expect(store.stats().bytes).toBeLessThan(Math.max(limit, full + limit / 100) + 0.01 * limit);
    advance('siem', { batch: 1, index: 0 });
    expect(store.stats()).toMatchObject({ paused: true });
    for (let page = 2; store.stats().paused; page++) advance('siem', { batch: page, index: 0 });
    expect(tell()).toBe(true);
  });

  it('Q4: opens again, full, and with another limit', () => {
    open(2 * MIB);
    register(siem);
    const pages = fill();
    store.close();
    open(MIB);
    expect(store.stats()).toMatchObject({ paused: true, pending: pages });
    expect(notices.at(-2)).toEqual({ paused: true });
    store.close();
    open(4 * MIB);
    expect(store.stats()).toMatchObject({ paused: false, pending: pages });
    expect(fill()).toBeGreaterThan(5);
    expect(store.read(START)?.batches[0]?.id).toBe(1);
  });

  it('K6: nobody waits for room that only remembered ids take', () => {
    open(MIB);
    register(siem);
    append(someRecords(ids(20_000)));
    advance('siem', { batch: store.read(START) ? 79 : 0, index: 31 });
    expect(store.stats()).toMatchObject({ pending: 0, paused: false });
    expect(store.stats().bytes).toBeGreaterThan(MIB);
  });
});

describe('tell()', () => {
  it('gives no two events the same revision, also when the clock is set back', () => {
    open();
    tell(5_000);
    tell(5_000);
    tell(4_000);
    const [first, second, third] = store
      .read(START)!
      .batches.flatMap(({ format, data }) => decodeRecords(format, data))
      .map(({ revision }) => revision);
    expect([second, third]).toEqual([first! + 1n, first! + 2n]);
  });
});

describe('sinks that have left the config', () => {
  it('K8: keep their backlog for the retention and are then let go of', () => {
    open();
    register(siem, { ...siem, name: 'old' });
    append(someRecords(['a']));
    append(someRecords(['b']));
    register(siem);
    advance('siem', { batch: 2, index: 0 });
    nowMs += 7 * DAY_MS;
    append([]);
    expect(batchIds()).toEqual([1, 2]);
    nowMs += 1;
    append([]);
    expect(batchIds()).toEqual([2]);
    expect(notices).toEqual([expect.objectContaining({ fields: expect.objectContaining({ sink: 'old' }) })]);
    expect(register({ ...siem, name: 'old' }).get('old')?.cursor).toEqual({ batch: 2, index: 0 });
  });

  it('K8: pause nobody: their backlog goes when there is no room for it', () => {
    open(2 * MIB);
    register(siem, { ...siem, name: 'old' });
    append(aHeavyPage());
    register(siem);
    for (let page = 1; page <= 40; page++) {
      append(aHeavyPage());
      advance('siem', { batch: page, index: 0 });
      expect(store.stats().paused).toBe(false);
    }
    expect(notices).toContainEqual(
      expect.objectContaining({ fields: expect.objectContaining({ sink: 'old' }) }),
    );
    store.close();
    open(2 * MIB);
    expect(pendingOf(store.stats())).toEqual({ siem: 1 });
  });
});

describe('appendFor()', () => {
  const replay = () => {
    const records = aHeavyPage().map((record) => retold({ source: 'alerts', tenant: 'contoso' }, record));
    return commit(() => store.appendFor({ sink: 'siem', outcome: 'replay', records }));
  };

  it('K6: takes free room only: it pauses nobody, and costs no sink its backlog', () => {
    open(2 * MIB);
    register(siem, { ...siem, name: 'lake', required: false });
    let appended = 0;
    while (appended < 99 && replay() === 'appended') appended++;
    expect(appended).toBeGreaterThan(5);
    expect(store.stats()).toMatchObject({ paused: false, pending: appended });
    expect(batchIds()).toHaveLength(appended);
    // What was delivered may go for it.
    for (let batch = appended; batch < appended + 5; batch++) {
      advance('siem', { batch, index: 0 });
      advance('lake', { batch, index: 0 });
      expect(replay()).toBe('appended');
    }
    expect(batchIds()[0]).toBeGreaterThan(1);
    expect(notices.filter((notice) => 'paused' in notice || 'moved' in notice)).toEqual([]);
  });

  it('K6: makes no orphan lose its backlog', () => {
    open(2 * MIB);
    register(siem, { ...siem, name: 'old' });
    register(siem);
    let appended = 0;
    while (appended < 99 && replay() === 'appended') advance('siem', { batch: ++appended, index: 0 });
    expect(batchIds()).toHaveLength(appended);
    expect(notices).toEqual([]);
  });
});

describe('search()', () => {
  it('says from when on all is there, and does not look into what is far older', () => {
    open();
    register(siem);
    append(someRecords(['old']));
    advance('siem', { batch: 1, index: 0 });
    const begunMs = nowMs;
    const range = { from: ticksOfMs(begunMs), to: ticksOfMs(begunMs) + 9_999n };
    expect(store.search({ ...range, after: 0 })).toMatchObject({ sinceMs: begunMs });
    nowMs += 8 * DAY_MS;
    for (const id of ['a', 'b']) {
      const page = [aSourceRecord({ id }, { revision: ticksOfMs(nowMs) })];
      append(page);
    }
    advance('siem', { batch: 2, index: 0 });
    const later = { from: ticksOfMs(nowMs), to: ticksOfMs(nowMs) + 1n };
    expect(store.search({ ...later, after: 0 })).toEqual({
      found: [2, 3].map((batch) => ({ revision: ticksOfMs(nowMs), place: { batch, index: 0 } })),
      broken: 0,
      after: undefined,
      sinceMs: nowMs,
    });
    // It would have had to come a day and more before its time.
    nowMs -= 2 * DAY_MS;
    append([aSourceRecord({ id: 'c' }, { revision: later.from })]);
    expect(store.search({ ...later, after: 3 }).found).toEqual([]);
  });

  it('says of what is broken that it is, and goes on', () => {
    open();
    append(someRecords(['a', 'b']));
    append(someRecords(['c']));
    const database = new DatabaseSync(pathsIn(directory.state).journal);
    database.exec('UPDATE batch SET records = 3 WHERE id = 1');
    database.close();
    const { found, broken } = store.search({ from: 0n, to: 9_999n, after: 0 });
    expect([found.map(({ place }) => place.batch), broken]).toEqual([[2], 3]);
    expect(store.recordsAt([{ batch: 1, index: 0 }])).toEqual({ places: 1, records: [] });
    expect(notices).toContainEqual(expect.objectContaining({ level: 'error', fields: { batch: 1 } }));
  });

  it('looks at about one batch at a time, however small the rows are', () => {
    open();
    const json = JSON.stringify({ title: 'x'.repeat(3_000) });
    for (let page = 0; page < 3; page++) append(someRecords(ids(300, `p${page}.`), { json }));
    const range = { from: 0n, to: 10_000n };
    const pieces: number[] = [];
    for (let after: number | undefined = 0; after !== undefined; ) {
      const piece = store.search({ ...range, after });
      pieces.push(piece.found.length);
      after = piece.after;
    }
    expect(pieces.length).toBeGreaterThan(1);
    expect(pieces.reduce((sum, found) => sum + found)).toBe(900);
  });
});

describe('read()', () => {
  it('K3: gives a batch that is for one sink by itself, and none that would pass it over', () => {
    open();
    register(siem);
    append(someRecords(['a']));
    refuse('siem', 'a');
    append(someRecords(['b']));
    commit(() => store.retry({ sink: 'siem' }));
    append(someRecords(['c']));
    const at = (cursor: Cursor) => {
      const chunk = store.read(cursor);
      return chunk && { target: chunk.target, batches: chunk.batches.map(({ id }) => id) };
    };
    expect(at(START)).toEqual({ target: null, batches: [1, 2] });
    expect(at({ batch: 2, index: 0 })).toEqual({ target: 'siem', batches: [3] });
    expect(at({ batch: 3, index: 0 })).toEqual({ target: null, batches: [4] });
    expect(at({ batch: 4, index: 0 })).toBeUndefined();
  });

  it('Q6: gives about one batch, however much there is and however small the rows are', () => {
    open();
    for (const id of ids(300)) append(someRecords([id]));
    append(someRecords(ids(600, 'b')));
    const first = store.read(START)!;
    expect(first.batches).toHaveLength(256);
    expect(store.read({ batch: 300, index: 0 })?.batches).toHaveLength(1);
  });
});

describe('register() with another name', () => {
  const renamed = { ...siem, name: 'new', formerly: 'siem' };

  it('K8: goes on where the former one stood, with all that is kept by its name', () => {
    open();
    register(siem);
    append(someRecords(['a']));
    refuse('siem', 'a');
    const { stream } = commit(() => store.register([siem])).get('siem')!;
    append(someRecords(['b', 'c']));
    commit(() => store.retry({ sink: 'siem' }));
    store.close();
    open();
    const position = register(renamed).get('new')!;
    expect(position).toMatchObject({ cursor: { batch: 1, index: 0 }, stream, sequence: 1 });
    expect(notices).toContainEqual(expect.objectContaining({ message: 'sink new takes over from siem' }));
    // The dead letter waits for it, too.
    expect(pendingOf(store.stats())).toEqual({ new: 3 });
    expect(store.read({ batch: 2, index: 1 })?.target).toBe('new');
    expect(countOf('sink')).toBe(1);
    expect(countOf('apart')).toBe(1);
  });

  it('takes over dead letters', () => {
    open();
    register(siem);
    append(someRecords(['a']));
    refuse('siem', 'a');
    register(renamed);
    expect(store.stats().deadLetters).toEqual([{ kind: 'sink', name: 'new', count: 1 }]);
    expect(commit(() => store.retry({ sink: 'new' })).done).toHaveLength(1);
  });

  it('leaves the former one alone when it has a cursor of its own already, and says so', () => {
    open();
    register(siem, { ...siem, name: 'new' });
    append(someRecords(['a']));
    advance('new', { batch: 1, index: 0 });
    expect(register(renamed).get('new')).toMatchObject({ cursor: { batch: 1, index: 0 } });
    expect(notices).toContainEqual(
      expect.objectContaining({ message: expect.stringContaining('does not go on where siem stood') }),
    );
    expect(countOf('sink')).toBe(2);
  });

  it('is as without when there is no former one, or it is there still', () => {
    open();
    append(someRecords(['a']));
    expect(register(renamed).get('new')).toMatchObject({ cursor: { batch: 1, index: 0 } });
    register(renamed, siem);
    expect([...register(renamed, siem).keys()]).toEqual(['new', 'siem']);
  });
});

describe('stats()', () => {
  it('says since when the oldest pending record waits', () => {
    open();
    register(siem);
    expect(store.stats().sinks).toEqual([{ name: 'siem', pending: 0, oldestPendingMs: undefined }]);
    append(someRecords(['a', 'b']));
    nowMs += 5_000;
    append(someRecords(['c']));
    const oldest = () => store.stats().sinks[0]?.oldestPendingMs;
    expect(oldest()).toBe(nowMs - 5_000);
    advance('siem', { batch: 1, index: 0 });
    expect(oldest()).toBe(nowMs - 5_000);
    advance('siem', { batch: 1, index: 1 });
    expect(oldest()).toBe(nowMs);
    advance('siem', { batch: 2, index: 0 });
    expect(oldest()).toBeUndefined();
  });
});
