import {
  chmodSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { JournalError } from '../../src/core/errors.ts';
import type { Journal, SinkRegistration } from '../../src/core/journal.ts';
import { ticksOf } from '../../src/core/ticks.ts';
import { checkJournal } from '../../src/journal/check.ts';
import { makeDatabase, openDatabase, pathsIn } from '../../src/journal/database.ts';
import { exportJournal } from '../../src/journal/export.ts';
import { migrations } from '../../src/journal/migrations.ts';
import { repairJournal } from '../../src/journal/repair.ts';
import { KEPT } from '../../src/journal/tables/kept.ts';
import { aSourceRecord } from '../support/records.ts';
import { aDirectory, aLog, aPage, ids, open } from './harness.ts';

const BATCHES = 12;
const PER_BATCH = 10;
const sinks: readonly SinkRegistration[] = ['siem', 'late'].map((name) => ({
  name,
  startFrom: 'now',
  shape: 'cef',
}));
const start = ticksOf('2026-11-20T10:00:00Z')!;
const all = Array.from({ length: BATCHES }, (_, batch) => ids(PER_BATCH, `b${batch + 1}.`)).flat();

function end<T>(going: Generator<unknown, T>): T {
  for (;;) {
    const step = going.next();
    if (step.done) return step.value;
  }
}
const check = (directory: string) => end(checkJournal(directory));
/** What is exported; without what is kept as a dead letter, if so wished. */
const exported = (directory: string, pending = false) =>
  [...exportJournal(directory)]
    .flat()
    .filter(({ deadLetter }) => !(pending && deadLetter))
    .map(({ id }) => id);
const repair = (directory: string) =>
  end(repairJournal({ directory, version: '1.0.0', sinks: ['siem', 'late'], now: new Date(1.7e12) }));

const page = (batch: number) => {
  const records = ids(PER_BATCH, `b${batch}.`).map((id, index) => {
    // Large enough for a batch to fill some pages.
    const noise = Buffer.from(crypto.getRandomValues(new Uint8Array(600))).toString('hex');
    return aSourceRecord({ id, noise }, { revision: start + BigInt(batch * 600_000_000 + index) });
  });
  return aPage(records, { checkpoint: String(batch) });
};

/** What each sink is still sent, and then nothing more. */
async function toldNext(journal: Journal): Promise<Record<string, string[]>> {
  const told: Record<string, string[]> = {};
  for (const [name, { cursor }] of await journal.register(sinks)) {
    told[name] = [];
    for (let at = cursor; ; ) {
      const loan = await journal.peek(at, 1_000, AbortSignal.timeout(9_000), name);
      if (!loan) break;
      told[name].push(...loan.records.map(({ id }) => id));
      at = loan.ends.at(-1)!;
    }
  }
  return told;
}

/** Twelve batches, of which `siem` has had six and a half, and `late` none. One is of a relay that died. */
let made: ReturnType<typeof aDirectory>;
beforeAll(async () => {
  made = aDirectory();
  const journal = await open(made.state);
  const { cursor } = (await journal.register(sinks)).get('siem')!;
  for (let batch = 1; batch <= BATCHES - 1; batch++) await journal.append(page(batch));
  const { records, ends } = await journal.take(cursor, 1, AbortSignal.timeout(9_000));
  const refused = [{ record: records[0]!, reason: 'rejected', detail: 'HTTP 400' }] as const;
  journal.advance({ sink: 'siem', cursor: ends[0]!, sequence: 1, refused });
  await journal.flush();
  journal.advance({ sink: 'siem', cursor: { batch: 7, index: 4 }, sequence: 65, refused: [] });
  await journal.close();
  cpSync(made.state, join(made.path, 'older'), { recursive: true });
  const again = await open(made.state);
  await again.register(sinks);
  await again.append(page(BATCHES));
  cpSync(made.state, join(made.path, 'died'), { recursive: true });
  await again.close();
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
  chmodSync(state, 0o700);
});
afterEach(() => directory[Symbol.dispose]());

function tamper(sql: string): void {
  const database = new DatabaseSync(file);
  database.exec(sql);
  database.close();
}

const batch = (id: number) => all.slice((id - 1) * PER_BATCH, id * PER_BATCH);
const without = (...lost: number[]) => all.filter((id) => !lost.some((each) => batch(each).includes(id)));
const beyond = (from: readonly string[], id: string) => from.slice(from.indexOf(id) + 1);

/** After its repair it opens, has what was whole, and takes more. */
async function expectRepaired(expected: { siem: readonly string[]; late: readonly string[] }) {
  const { kept, plan } = repair(state);
  expect(plan.length).toBeGreaterThan(0);
  expect(existsSync(kept!)).toBe(true);
  expect(check(state).findings.problems).toEqual([]);
  const journal = await open(state);
  expect(journal.opening).toMatchObject({ created: false, clean: true });
  expect(await toldNext(journal)).toEqual(expected);
  const { cursor } = (await journal.register(sinks)).get('siem')!;
  await journal.append(page(99));
  await journal.close();
  expect(exported(state).slice(-PER_BATCH)).toEqual(ids(PER_BATCH, 'b99.'));
  expect(check(state).findings.problems).toEqual([]);
  return { plan: plan.join('\n'), cursor };
}

describe('a journal that is whole', () => {
  it('is found to be so, and repair does nothing', () => {
    const before = readFileSync(file);
    const { findings, plan, schema, running } = check(state);
    expect(findings.problems).toEqual([]);
    expect(plan).toEqual([]);
    expect({ schema, running }).toEqual({ schema: migrations.length, running: false });
    expect(findings.records).toBe(all.length);
    expect(exported(state)).toEqual([all[0], ...all]);
    expect(repair(state).kept).toBeUndefined();
    expect(readFileSync(file).equals(before)).toBe(true);
    expect(readdirSync(state).toSorted()).toEqual(readdirSync(made.state).toSorted());
  });

  it('K9: is checked and exported beside a running relay, and not repaired', async () => {
    const journal = await open(state);
    expect(check(state)).toMatchObject({ running: true, findings: { problems: [] } });
    expect(exported(state)).toEqual([all[0], ...all]);
    expect(() => repair(state)).toThrow(/another defender-relay uses/);
    await journal.append(page(13));
    await journal.close();
  });

  it('of a relay that died is whole, with what is only in its log', async () => {
    rmSync(state, { recursive: true });
    cpSync(join(made.path, 'died'), state, { recursive: true });
    expect(check(state).findings.problems).toEqual([]);
    expect(exported(state)).toEqual([all[0], ...all]);
    const journal = await open(state);
    expect(journal.opening.clean).toBe(false);
    expect((await toldNext(journal)).late).toEqual(all);
    await journal.close();
  });

  it('Q3: restored from an older copy opens, and reads again from there', async () => {
    rmSync(state, { recursive: true });
    cpSync(join(made.path, 'older'), state, { recursive: true });
    expect(check(state).findings.problems).toEqual([]);
    const journal = await open(state);
    expect(await journal.checkpoint(aPage([]))).toBe(String(BATCHES - 1));
    await journal.append(page(BATCHES));
    expect((await toldNext(journal)).late).toEqual(all);
    await journal.close();
  });

  it('without its log after a clean end is whole', async () => {
    rmSync(pathsIn(state).wal, { force: true });
    expect(check(state).findings.problems).toEqual([]);
    await (await open(state)).close();
  });

  it.each(migrations.map((_, at) => at + 1))('G22: of schema %i is checked as it is', (schema) => {
    rmSync(file);
    makeDatabase(state, 'old', migrations.slice(0, schema));
    expect(check(state)).toMatchObject({ schema, writer: 'old', findings: { problems: [] } });
  });
});

describe('a repair', () => {
  it('knows all tables that there are', () => {
    const database = new DatabaseSync(file, { readOnly: true });
    const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
    database.close();
    const known = ['meta', 'batch', 'sqlite_sequence', ...KEPT.map(({ name }) => name)];
    expect(tables.map(({ name }) => name).toSorted()).toEqual(known.toSorted());
  });
});

describe('a journal that is broken', () => {
  it('Q2: a flipped byte of a batch is found, and the batch left out; sinks that had it miss nothing', async () => {
    tamper('UPDATE batch SET data = zeroblob(50) WHERE id IN (3, 9)');
    const { findings, plan } = check(state);
    expect(findings.problems.map(({ what }) => what)).toEqual([
      'batch 3 is not as it was written',
      'batch 9 is not as it was written',
    ]);
    expect(findings.lost).toMatchObject([
      { first: 3, last: 3, sinks: ['late'], of: [{ source: 'alerts', tenant: 'contoso', records: 10 }] },
      { first: 9, last: 9, sinks: ['late', 'siem'] },
    ]);
    expect(plan.join('\n')).toContain(
      'batch 9 is lost: 10 records of source alerts (tenant contoso), changed from 2026-11-20T10:09:00Z to ' +
        '2026-11-20T10:09:00Z; not, or not all, given yet to sinks late, siem',
    );
    expect(exported(state)).toEqual([all[0], ...without(3, 9)]);
    await expectRepaired({ siem: beyond(without(3, 9), 'b7.4'), late: without(3, 9) });
  });

  it('K4: what was lost is told when a source reads it again, and nothing else is', async () => {
    tamper('UPDATE batch SET data = zeroblob(50) WHERE id = 9');
    repair(state);
    const journal = await open(state);
    await journal.register(sinks);
    expect(await journal.append(page(8))).toMatchObject({ new: 0, duplicate: PER_BATCH });
    const { told } = await journal.append(page(9));
    expect(told.map(({ outcome }) => outcome)).toEqual(Array(PER_BATCH).fill('new'));
    expect(await journal.append(page(9))).toMatchObject({ new: 0, duplicate: PER_BATCH });
    await journal.close();
  });

  it('the last batch, and the one a cursor stands in', async () => {
    tamper('DELETE FROM batch WHERE id = 12; UPDATE batch SET records = 9 WHERE id = 7');
    await expect(open(state)).rejects.toThrow(/defender-relay journal check/);
    const { cursor } = await expectRepaired({ siem: beyond(without(7, 12), 'b6.9'), late: without(7, 12) });
    expect(cursor).toEqual({ batch: 7, index: -1 });
    expect(exported(state).at(-1)).toBe('b99.9');
  });

  it('K5: a cursor: its sink is sent all again, also when its name cannot be trusted', async () => {
    tamper("UPDATE sink SET name = 'siam' WHERE name = 'siem'");
    await expect(open(state)).rejects.toThrow(JournalError);
    const { plan } = await expectRepaired({ siem: all, late: all });
    expect(plan).toContain('the cursor of sink siam is not as it was written: the sink is sent again all');
  });

  it('a checkpoint: its source begins anew', async () => {
    tamper("UPDATE source SET checkpoint = '99'");
    const { plan } = await expectRepaired({ siem: beyond(all, 'b7.4'), late: all });
    expect(plan).toMatch(/checkpoint of source alerts.*begins anew at its startFrom/);
  });

  it('a dead letter', async () => {
    tamper("UPDATE dead_letter SET detail = 'x'");
    expect(exported(state)).toEqual(all);
    await expectRepaired({ siem: beyond(all, 'b7.4'), late: all });
  });

  it('S6: running numbers begin anew in new streams after a repair', async () => {
    const numbers = async () => {
      const journal = await open(state);
      const position = (await journal.register(sinks)).get('siem')!;
      await journal.close();
      return position;
    };
    const before = await numbers();
    tamper('DELETE FROM batch WHERE id = 12');
    repair(state);
    expect(await numbers()).toMatchObject({ cursor: before.cursor, sequence: 0 });
    expect((await numbers()).stream).not.toBe(before.stream);
  });

  it.each([
    ['empty', () => truncateSync(file), 0],
    ['cut off after a part of its header', () => truncateSync(file, 50), 0],
    ['another file', () => writeFileSync(file, 'hello'.repeat(2_000)), 0],
    ['gone, with its log there', () => renameSync(file, pathsIn(state).wal), 0],
    ['with a flipped bit in its name', () => flip(3), 0],
    ['with a flipped bit in its page size', () => flip(16), 0],
    ['with a flipped bit in the number that says whose it is', () => flip(69), all.length],
    ['cut off in the middle', () => truncateSync(file, half()), 0],
    ['cut off after nine tenths', () => truncateSync(file, Math.floor(1.8 * half())), 1],
    ['cut off before its last page', () => truncateSync(file, readFileSync(file).length - 4_096), 1],
    ['torn: a page of zeros', () => tear(Math.floor(readFileSync(file).length / 4_096 / 2)), 1],
    ['torn: the second page', () => tear(1), 1],
  ])(
    '%s: is refused with what to do or opens, what is whole is exported, and the relay starts after its repair',
    async (_, damage, least) => {
      damage();
      const copy = join(directory.path, 'copy');
      cpSync(state, copy, { recursive: true });
      const refusal = await open(copy).then(
        (journal) => journal.close(),
        (error: Error) => error,
      );
      if (refusal) {
        expect(refusal).toBeInstanceOf(JournalError);
        expect(refusal.message).toContain('defender-relay journal check');
      }
      const { findings } = check(state);
      expect(findings.isWhole()).toBe(false);
      const ids = exported(state, true);
      expect(ids.length).toBeGreaterThanOrEqual(least);
      const broken = existsSync(file) ? readFileSync(file) : undefined;
      const { kept } = repair(state);
      if (broken) expect(readFileSync(join(kept!, 'journal.db')).equals(broken)).toBe(true);
      expect(check(state).findings.problems).toEqual([]);
      const journal = await open(state);
      const told = await toldNext(journal);
      expect(all.filter((id) => ids.includes(id))).toEqual(told.late);
      await journal.append(page(99));
      expect((await toldNext(journal)).siem!.slice(-1)).toEqual(['b99.9']);
      await journal.close();
    },
  );

  it('K10: without its log after a relay died is refused, and goes on without it after a repair', async () => {
    rmSync(state, { recursive: true });
    cpSync(join(made.path, 'died'), state, { recursive: true });
    rmSync(pathsIn(state).wal);
    rmSync(`${file}-shm`, { force: true });
    await expect(open(state)).rejects.toThrow(/write-ahead log .* is missing.*defender-relay journal check/s);
    expect(check(state).findings.problems).toHaveLength(1);
    expect(exported(state)).toEqual([all[0], ...without(12)]);
    await expectRepaired({ siem: beyond(without(12), 'b7.4'), late: without(12) });
  });

  it('K10: with a log that is cut off is refused, and goes on with what is before the cut after a repair', async () => {
    rmSync(state, { recursive: true });
    cpSync(join(made.path, 'died'), state, { recursive: true });
    truncateSync(pathsIn(state).wal, 5_000);
    await expect(open(state)).rejects.toThrow(/write-ahead log .* cannot be read from byte .*journal check/s);
    await expectRepaired({ siem: beyond(without(12), 'b7.4'), late: without(12) });
  });

  it('after a power failure goes on before the transaction that was cut off', async () => {
    rmSync(state, { recursive: true });
    cpSync(join(made.path, 'died'), state, { recursive: true });
    truncateSync(pathsIn(state).wal, 5_000);
    rmSync(pathsIn(state).index);
    const journal = await open(state);
    expect(await journal.checkpoint(aPage([]))).toBe(String(BATCHES - 1));
    await journal.append(page(BATCHES));
    expect((await toldNext(journal)).late).toEqual(all);
    await journal.close();
  });

  it('is left to the newer version that wrote it', () => {
    rmSync(file);
    makeDatabase(state, '7.8.9', [...migrations, 'CREATE TABLE further (x);']);
    expect(() => openDatabase(state, '1.0.0')).toThrow(/7\.8\.9/);
    for (const touch of [check, exported, repair])
      expect(() => touch(state)).toThrow(/written by defender-relay 7\.8\.9/);
  });
});

describe('after a sudden end', () => {
  /** As it is while a relay has it. */
  async function died(): Promise<string> {
    const journal = await open(state);
    const copy = join(directory.path, 'copy');
    cpSync(state, copy, { recursive: true });
    chmodSync(copy, 0o700);
    await journal.close();
    return copy;
  }

  it('K10: all is checked while the relay works, and that is told', async () => {
    const copy = await died();
    const log = aLog();
    const journal = await open(copy, { log });
    await journal.append(page(99));
    await expect
      .poll(() => log.lines, { timeout: 10_000 })
      .toEqual([expect.stringMatching(/checked, and is whole: 1[23]0 records/)]);
    await journal.close();
  });

  it('K10: a batch that is broken is told at once, before a sink comes to it', async () => {
    tamper('UPDATE batch SET data = zeroblob(50) WHERE id = 9');
    const copy = await died();
    const log = aLog();
    const journal = await open(copy, { log });
    await expect
      .poll(() => log.lines, { timeout: 10_000 })
      .toEqual([
        expect.stringMatching(
          /found that batch 9 is not.*ends when it comes to it for late, siem.*journal check/,
        ),
      ]);
    expect(await journal.checkpoint(aPage([]))).toBe(String(BATCHES));
    await journal.close();
    expect((await open(copy).then((again) => again.close().then(() => again.opening))).clean).toBe(true);
  });

  it('nothing is checked after a clean one', async () => {
    const log = aLog();
    const journal = await open(state, { log });
    await new Promise((resolve) => setTimeout(resolve, 100));
    await journal.close();
    expect(log.lines).toEqual([]);
  });
});

function flip(at: number): void {
  const bytes = readFileSync(file);
  bytes[at]! ^= 4;
  writeFileSync(file, bytes);
}

const half = () => Math.floor(readFileSync(file).length / 8_192) * 4_096;

function tear(page: number): void {
  const bytes = readFileSync(file);
  bytes.fill(0, page * 4_096, (page + 1) * 4_096);
  writeFileSync(file, bytes);
}
