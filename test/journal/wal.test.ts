import { cpSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { checkJournal } from '../../src/journal/check.ts';
import { pathsIn } from '../../src/journal/database.ts';
import { exportJournal } from '../../src/journal/export.ts';
import { peekJournal } from '../../src/journal/peek.ts';
import { repairJournal } from '../../src/journal/repair.ts';
import { surveyWal } from '../../src/journal/wal.ts';
import { aDirectory, aPage, ids, MIB, open, someRecords, takeAll } from './harness.ts';

const siem = { name: 'siem', startFrom: 'journal', shape: 'cef' } as const;
const FRAME = 24 + 4_096;
const frameAt = (frame: number) => 32 + frame * FRAME;

function end<T>(going: Generator<unknown, T>): T {
  for (;;) {
    const step = going.next();
    if (step.done) return step.value;
  }
}
const exported = (directory: string) => [...exportJournal(directory)].flat().map(({ id }) => id);

/** Of a relay that died: four transactions are in its log only. */
let made: ReturnType<typeof aDirectory>;
let all: string[];
beforeAll(async () => {
  made = aDirectory();
  const journal = await open(made.state);
  await journal.register([siem]);
  all = ['a', 'b', 'c'].flatMap((prefix) => ids(10, prefix));
  for (const prefix of ['a', 'b', 'c']) await journal.append(aPage(someRecords(ids(10, prefix))));
  cpSync(made.state, join(made.path, 'died'), { recursive: true });
  await journal.close();
});
afterAll(() => made[Symbol.dispose]());

let directory: ReturnType<typeof aDirectory>;
let state: string;
let log: Buffer;
let index: Buffer;
beforeEach(() => {
  directory = aDirectory();
  state = directory.state;
  cpSync(join(made.path, 'died'), state, { recursive: true });
  log = readFileSync(pathsIn(state).wal);
  index = readFileSync(pathsIn(state).index);
});
afterEach(() => directory[Symbol.dispose]());

/** Of each frame: where it says that a transaction ends. */
const ends = () =>
  Array.from({ length: (log.length - 32) / FRAME }, (_, frame) => log.readUInt32BE(frameAt(frame) + 4));
const total = () => ends().length;

function flip(at: number): void {
  const flipped = Buffer.from(log);
  flipped[at]! ^= 4;
  writeFileSync(pathsIn(state).wal, flipped);
}

describe('a write-ahead log', () => {
  it('is read to its end, with its index or without', () => {
    const whole = { read: total(), stored: total(), brokenAt: log.length };
    expect(surveyWal(log, index)).toEqual(whole);
    expect(surveyWal(log)).toEqual(whole);
    expect(surveyWal(Buffer.alloc(0), index)).toBeUndefined();
    expect(surveyWal(Buffer.alloc(9_000), index)).toBeUndefined();
  });

  it('may end in a transaction that was lost while it was written, in any part of it', () => {
    const first = ends().findLastIndex((commits, at) => commits > 0 && at < total() - 1) + 1;
    for (let frame = first; frame < total(); frame++) {
      for (const [from, to] of [
        [0, 24],
        [24, 512],
        [2_048, FRAME],
        [0, FRAME],
      ] as const) {
        const torn = Buffer.from(log).fill(0, frameAt(frame) + from, frameAt(frame) + to);
        if (!torn.equals(log)) expect(surveyWal(torn)).toMatchObject({ read: first, stored: first });
        expect(surveyWal(log.subarray(0, frameAt(frame) + to - 1))).toMatchObject({ stored: first });
      }
    }
  });

  it('that an older index belongs to, or one of another log, or nonsense, is not asked for more', () => {
    const older = Buffer.from(index);
    older[40]! ^= 1;
    const torn = log.subarray(0, -1);
    for (const nonsense of [older, Buffer.alloc(512), index.subarray(0, 90)])
      expect(surveyWal(torn, nonsense)).toMatchObject({ stored: surveyWal(torn)?.read });
    const other = Buffer.from(log);
    for (let frame = 0; frame < total(); frame++) other[frameAt(frame) + 8]! ^= 1;
    expect(surveyWal(other, index)).toMatchObject({ read: 0, stored: total() });
  });

  it('G15: with a wrong byte in any frame is not opened, and nothing that is whole is left behind', () => {
    for (let frame = 0; frame < total(); frame++) {
      const flipped = Buffer.from(log);
      flipped[frameAt(frame) + 24 + frame * 37]! ^= 1;
      const at = frameAt(frame);
      expect(surveyWal(flipped, index)).toMatchObject({ stored: total(), brokenAt: at });
      expect(surveyWal(flipped, index)?.read).toBeLessThanOrEqual(frame);
    }
  });
});

describe('a journal whose log is broken', () => {
  it.each([
    ['its header', 9],
    ['the salt in its header', 17],
    ['its first frame', 32 + 24 + 100],
    ['a salt', frameAt(3) + 9],
    ['a sum', frameAt(5) + 17],
  ])('is refused, with the file and what to do: a wrong byte in %s', async (_, at) => {
    flip(at);
    const problem = /write-ahead log .*journal\.db-wal cannot be read from byte \d+ on.*journal check/;
    expect(() => peekJournal(state, MIB)).toThrow(problem);
    await expect(open(state)).rejects.toThrow(problem);
    expect(end(checkJournal(state)).findings.problems[0]?.what).toMatch(/journal\.db-wal is not as it was/);
    expect(exported(state)).toEqual(all);
    const { kept } = end(
      repairJournal({ directory: state, version: '1.0.0', sinks: ['siem'], now: new Date(1.7e12) }),
    );
    expect(readFileSync(join(kept!, 'journal.db-wal'))[at]).toBe(log[at]! ^ 4);
    const journal = await open(state);
    expect((await takeAll(journal)).map(({ id }) => id)).toEqual(all);
    await journal.close();
  });

  it('that was cut short is refused as long as its index is there', async () => {
    truncateSync(pathsIn(state).wal, log.length - FRAME);
    await expect(open(state)).rejects.toThrow(/cannot be read from byte/);
    rmSync(pathsIn(state).index);
    await (await open(state)).close();
  });

  it('is not looked at while a relay has it', async () => {
    const journal = await open(state);
    await journal.append(aPage(someRecords(['d'])));
    expect(peekJournal(state, MIB)?.running).toBe(true);
    expect(end(checkJournal(state)).findings.problems).toEqual([]);
    await journal.close();
  });
});

describe('a journal whose schema is another', () => {
  it('is broken: to start again is no help', async () => {
    rmSync(state, { recursive: true });
    cpSync(made.state, state, { recursive: true });
    const database = new DatabaseSync(pathsIn(state).journal);
    database.exec('ALTER TABLE seen RENAME COLUMN position TO positiom');
    database.close();
    await expect(open(state)).rejects.toThrow(/position.*journal check/);
  });
});
