import { existsSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Cursor } from '../../src/core/journal.ts';
import { decodeRecords } from '../../src/journal/batch.ts';
import { pathsIn } from '../../src/journal/database.ts';
import type { JournalNotice } from '../../src/journal/protocol.ts';
import type { Store } from '../../src/journal/store.ts';
import { aDirectory, aPage, aStore, DAY_MS, MIB, open, START, someRecords, takeAll } from './harness.ts';

const siem = { name: 'siem', startFrom: 'now', shape: 'cef' } as const;

let directory: ReturnType<typeof aDirectory>;
beforeEach(() => {
  directory = aDirectory();
});
afterEach(() => directory[Symbol.dispose]());

describe('files that are missing', () => {
  it('Q3: beside the journal begin nothing anew: all that waits is given, and nothing is written over', async () => {
    const before = await open(directory.state);
    await before.register([siem]);
    await before.append(aPage(someRecords(['a', 'b'])));
    await before.close();
    const { journal, wal, ...others } = pathsIn(directory.state);
    for (const file of Object.values(others)) rmSync(file, { force: true });

    const after = await open(directory.state);
    expect(after.opening).toMatchObject({ created: false, clean: true, lastBatch: 1 });
    const { cursor } = (await after.register([siem])).get('siem')!;
    expect(cursor).toEqual(START);
    await after.append(aPage(someRecords(['c'])));
    expect((await takeAll(after, cursor)).map(({ id }) => id)).toEqual(['a', 'b', 'c']);
    await after.close();
    expect([existsSync(journal), existsSync(wal)]).toEqual([true, false]);
  });

  it('Q3: a journal that does not know how far it was counted is refused, not counted from one', async () => {
    const before = await open(directory.state);
    await before.append(aPage(someRecords(['a'])));
    await before.close();
    const database = new DatabaseSync(pathsIn(directory.state).journal);
    database.exec('DELETE FROM sqlite_sequence');
    database.close();
    await expect(open(directory.state)).rejects.toThrow(/batches 1 to 0 only 1/);
  });
});

describe('an outage of a sink', () => {
  it('Q7: of ten days, with a restart each day: its first hours are there when it ends, and all after them', () => {
    let nowMs = 1_700_000_000_000;
    const notices: JournalNotice[] = [];
    const options = {
      directory: directory.state,
      maxBytes: 256 * MIB,
      retentionMs: DAY_MS,
      version: '1.0.0',
    };
    const clock = { wall: () => nowMs, steady: () => nowMs };
    const anew = (): Store => {
      const store = aStore(options, (notice) => notices.push(notice), clock);
      store.commit(() => void store.register([siem, { ...siem, name: 'dead' }]));
      return store;
    };
    let store = anew();
    const hours = Array.from({ length: 10 * 12 }, (_, count) => `hour${2 * count}`);
    for (const [index, id] of hours.entries()) {
      nowMs += DAY_MS / 12;
      store.commit(() => void store.append(aPage(someRecords([id]))));
      const cursor = { batch: index + 1, index: 0 };
      store.commit(() => store.advance([{ sink: 'siem', cursor, sequence: index + 1, refused: [] }]));
      if (index % 12 !== 11) continue;
      store.close();
      store = anew();
    }
    expect(store.stats().sinks).toMatchObject([
      { name: 'dead', pending: 120 },
      { name: 'siem', pending: 0 },
    ]);
    expect(idsAfter(store, START)).toEqual(hours);
    expect(notices).toEqual([]);
    store.close();
  });
});

function idsAfter(store: Store, cursor: Cursor): string[] {
  const ids: string[] = [];
  for (
    let chunk = store.read(cursor);
    chunk;
    chunk = store.read({ batch: chunk.batches.at(-1)!.id, index: 0 })
  )
    for (const { format, data } of chunk.batches)
      ids.push(...decodeRecords(format, data).map(({ id }) => id));
  return ids;
}
