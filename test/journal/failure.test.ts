import { readFileSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { JournalError } from '../../src/core/errors.ts';
import type { Journal } from '../../src/core/journal.ts';
import { pathsIn } from '../../src/journal/database.ts';
import { aSourceRecord } from '../support/records.ts';
import { aDirectory, aLog, aPage, ids, MIB, open, START, someRecords, takeAll } from './harness.ts';

const never = new AbortController().signal;
const siem = { name: 'siem', startFrom: 'journal', shape: 'cef' } as const;

let directory: ReturnType<typeof aDirectory>;
let journal: Journal;
let file: string;
beforeEach(async () => {
  directory = aDirectory();
  file = pathsIn(directory.state).journal;
  journal = await open(directory.state);
});
afterEach(async () => {
  await journal.close();
  directory[Symbol.dispose]();
});

/** Two batches, a cursor, a checkpoint; then SQL behind the journal's back. */
async function tamper(sql: string): Promise<void> {
  await journal.register([siem]);
  for (const prefix of ['a', 'b']) await journal.append(aPage(someRecords(ids(30, prefix))));
  await journal.close();
  const database = new DatabaseSync(file);
  database.exec(sql);
  database.close();
}

describe('a journal that is not as it was written', () => {
  it.each([
    ['format', 'UPDATE batch SET format = 2 WHERE id = 1'],
    ['target', "UPDATE batch SET target = 'x' WHERE id = 1"],
    ['ordinal', 'UPDATE batch SET ordinal = 1 WHERE id = 1'],
    ['records', 'UPDATE batch SET records = 29 WHERE id = 1'],
    ['bytes', 'UPDATE batch SET bytes = 1 WHERE id = 1'],
    ['at', 'UPDATE batch SET at = 1 WHERE id = 1'],
    ['hash', "UPDATE batch SET hash = 'x' WHERE id = 1"],
    ['data', 'UPDATE batch SET data = zeroblob(100) WHERE id = 1'],
  ])(
    'Q2: is told at the batch where the column "%s" differs, and is the end of this journal',
    async (_, sql) => {
      await tamper(sql);
      journal = await open(directory.state);
      const problem = /batch 1 is not as it was written.*mv .*\.broken/;
      await expect(journal.take(START, 1, never)).rejects.toThrow(problem);
      await expect(journal.failed).rejects.toThrow(problem);
      await expect(journal.append(aPage([]))).rejects.toBeInstanceOf(JournalError);
      expect(() => journal.advance({ sink: 'siem', cursor: START, sequence: 0, refused: [] })).toThrow(
        problem,
      );
    },
  );

  it.each([
    ['a byte of the last batch', 'UPDATE batch SET data = zeroblob(100) WHERE id = 2', /batch 2 is not as/],
    ['a cursor', 'UPDATE sink SET position = 5', /cursor of sink siem is not as/],
    ['a running number', 'UPDATE sink SET sequence = 5', /cursor of sink siem is not as/],
    ['a checkpoint', "UPDATE source SET checkpoint = '{ }'", /checkpoint of source alerts/],
    ['the first batch missing', 'DELETE FROM batch WHERE id = 1', /sink siem stands at batch 0, record -1/],
    ['the last batch missing', 'DELETE FROM batch WHERE id = 2', /batches 1 to 2 only 1/],
    ['all batches missing', 'DELETE FROM batch', /batches 1 to 2 only 0/],
  ])('G15: is not opened, with what to do: %s', async (_, sql, problem) => {
    await tamper(sql);
    await expect(open(directory.state)).rejects.toThrow(problem);
    await expect(open(directory.state)).rejects.toThrow(/mv .*state .*state\.broken/);
  });

  it('K3: is told after any flipped bit of the records on disk', async () => {
    const noise = Buffer.from(ids(2_000).join(';')).toString('base64');
    await journal.append(aPage([aSourceRecord({ id: 'a', noise })]));
    await journal.append(aPage(someRecords(['b'])));
    await journal.close();
    const database = new DatabaseSync(file);
    const data = Buffer.from(
      database.prepare('SELECT data FROM batch WHERE id = 1').get()?.data as Uint8Array,
    );
    database.close();
    const whole = readFileSync(file);
    // The end of a value lies on pages of its own, in one piece; the rest is spread.
    const at = whole.indexOf(data.subarray(-100));
    expect(at).toBeGreaterThan(0);
    const flipped = Buffer.from(whole);
    flipped[at + 50]! ^= 1 << Math.floor(Math.random() * 8);
    writeFileSync(file, flipped);
    journal = await open(directory.state);
    await expect(journal.take(START, 1, never)).rejects.toThrow(/batch 1 is not as it was written/);
    await journal.close();
    writeFileSync(file, whole);
    journal = await open(directory.state);
    expect((await takeAll(journal)).map(({ id }) => id)).toEqual(['a', 'b']);
  });
});

describe('one process', () => {
  it('K9: has the directory; another journal there is refused, and the first goes on', async () => {
    await expect(open(directory.state)).rejects.toThrow(
      new RegExp(`another defender-relay uses the state directory ${directory.state}`),
    );
    await expect(open(directory.state)).rejects.toBeInstanceOf(JournalError);
    await journal.append(aPage(someRecords(['a'])));
    await expect(open(directory.state)).rejects.toBeInstanceOf(JournalError);
    expect((await takeAll(journal)).map(({ id }) => id)).toEqual(['a']);
  });

  it('K1: a lost journal gives the directory free, so that it can be opened again', async () => {
    await tamper('UPDATE batch SET at = 1 WHERE id = 1');
    journal = await open(directory.state);
    await expect(journal.take(START, 1, never)).rejects.toBeInstanceOf(JournalError);
    await journal.close();
    journal = await open(directory.state);
    expect(journal.opening).toMatchObject({ created: false, lastBatch: 2 });
  });

  it('a place that is not in the journal is never stored as a cursor', async () => {
    await journal.register([siem]);
    await journal.append(aPage(someRecords(['a'])));
    journal.advance({ sink: 'siem', cursor: { batch: 7, index: 0 }, sequence: 1, refused: [] });
    await expect(journal.flush()).rejects.toThrow(/cannot advance to batch 7/);
    await expect(journal.failed).rejects.toBeInstanceOf(JournalError);
    await journal.close();
    journal = await open(directory.state);
    expect((await journal.register([siem])).get('siem')?.cursor).toEqual(START);
  });
});

describe('a full journal', () => {
  it('Q5: makes sources wait for room, until the sink that is behind has moved', async () => {
    await journal.close();
    const log = aLog();
    journal = await open(directory.state, { maxBytes: 2 * MIB, log });
    const { cursor } = (await journal.register([siem])).get('siem')!;
    let page = 0;
    while (!(await journal.stats()).paused) {
      const noise = Array.from({ length: 20_000 }, () => Math.random().toString(36)).join('');
      await journal.append(aPage([aSourceRecord({ id: `a${page++}`, noise })]));
    }
    expect(log.lines).toEqual([expect.stringMatching(/full of what sinks still need: all sources pause/)]);
    const stop = new AbortController();
    const stopped = journal.room(stop.signal);
    stop.abort();
    await expect(stopped).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }));

    let room = false;
    const waiting = journal.room(never).then(() => {
      room = true;
    });
    let at = cursor;
    for (let sequence = 1; !room; sequence++) {
      const { ends } = await journal.take(at, 1, never);
      at = ends[0]!;
      journal.advance({ sink: 'siem', cursor: at, sequence, refused: [] });
      await journal.flush();
      await new Promise(setImmediate);
    }
    await waiting;
    expect((await journal.stats()).paused).toBe(false);
    expect(log.lines.at(-1)).toMatch(/has room again/);
  });
});
