import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { checkJournal } from '../../src/journal/check.ts';
import { pathsIn } from '../../src/journal/database.ts';
import { repairJournal } from '../../src/journal/repair.ts';
import { aDirectory, aPage, ids, open, START, someRecords } from './harness.ts';

/** A new sink begins at the end: it matters that a sink is known. */
const sinks = ['lake', 'siem'].map((name) => ({ name, startFrom: 'now', shape: 'cef' }) as const);
const follow = { source: 'alerts', tenant: 'contoso', id: 'a1', revision: 1n, on: true };

function end<T>(going: Generator<unknown, T>): T {
  for (;;) {
    const step = going.next();
    if (step.done) return step.value;
  }
}

let made: ReturnType<typeof aDirectory>;
beforeAll(async () => {
  made = aDirectory();
  const journal = await open(made.state);
  await journal.register(sinks);
  await journal.append(aPage(someRecords(ids(9))));
  const { records, ends } = await journal.take(START, 9, AbortSignal.timeout(9_000));
  const refused = [{ record: records[0]!, reason: 'rejected', detail: 'HTTP 400' }] as const;
  const apart = { stream: 5, sequence: 1 };
  for (const { name } of sinks)
    journal.advance({ sink: name, cursor: ends[4]!, sequence: 5, refused, follow: [follow], apart });
  await journal.close();
});
afterAll(() => made[Symbol.dispose]());

let directory: ReturnType<typeof aDirectory>;
let state: string;
let file: string;
beforeEach(() => {
  directory = aDirectory();
  state = directory.state;
  file = pathsIn(state).journal;
  cpSync(made.state, state, { recursive: true });
});
afterEach(() => directory[Symbol.dispose]());

/** Where the page of a table or index begins that all its rows are found by. */
function pageOf(name: string): number {
  const database = new DatabaseSync(file, { readOnly: true });
  const row = database.prepare('SELECT rootpage FROM sqlite_schema WHERE name = ?').get(name);
  database.close();
  return (Number(row?.rootpage) - 1) * 4_096;
}

function flip(at: number, bit: number): void {
  const bytes = readFileSync(file);
  bytes[at]! ^= bit;
  writeFileSync(file, bytes);
}

describe('one wrong bit in a page', () => {
  it.each([
    'source',
    'sink',
    'apart',
    'given',
    'extent',
    'dead_letter',
    'dead_letter_of',
    'followed',
    'followed_as_of',
  ])('of %s, by which a row disappears or comes from nowhere, is told at the opening', async (name) => {
    // The low byte of the number of rows in the page.
    flip(pageOf(name) + 4, 1);
    await expect(open(state)).rejects.toThrow(/is not as it was written.*defender-relay journal check/);
    expect(end(checkJournal(state)).findings.isWhole()).toBe(false);
  });

  it('K5: of the sinks leaves none of them out of a repair: each is sent again what there is', async () => {
    flip(pageOf('sink') + 4, 2);
    const names = sinks.map(({ name }) => name);
    end(repairJournal({ directory: state, version: '1.0.0', sinks: names, now: new Date(1.7e12) }));
    const journal = await open(state);
    const positions = await journal.register(sinks);
    expect(names.map((name) => positions.get(name)?.cursor)).toEqual([START, START]);
    await journal.close();
  });

  it('of the schema, by which a table is looked for in the place of another, is told', async () => {
    const database = new DatabaseSync(file, { defensive: false });
    database.exec('PRAGMA writable_schema = ON');
    database.exec(
      `UPDATE sqlite_schema SET rootpage = ${pageOf('gap') / 4_096 + 1} WHERE name = 'dead_letter'`,
    );
    database.close();
    await expect(open(state)).rejects.toThrow(/two of its tables are in one place.*journal check/);
  });

  it('of a row is told at the opening where rows are few', async () => {
    const bytes = readFileSync(join(state, 'journal.db'));
    flip(bytes.indexOf('alertscontoso{}') + 8, 2);
    await expect(open(state)).rejects.toThrow(/is not as it was written.*journal check/);
  });
});
