import { spawnSync } from 'node:child_process';
import { appendFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Cursor } from '../../src/core/journal.ts';
import { MarkFile } from '../../src/journal/mark.ts';
import { collectLog } from '../support/log.ts';
import { aDirectory, aPage, open, START, someRecords } from './harness.ts';

const at = (index: number): Cursor => ({ batch: 3, index });
const page = { sink: 'siem', first: at(0), last: at(9) };

let directory: ReturnType<typeof aDirectory>;
let file: string;
beforeEach(() => {
  directory = aDirectory();
  file = join(directory.path, 'mark');
});
afterEach(() => directory[Symbol.dispose]());

/** A process that works on a page and dies of a record, if it touches it: nothing after that is done. */
function start(
  deadly: number | undefined,
  place = page,
): { touched: number[]; left: number[]; died: boolean; warned: string[] } {
  const log = collectLog();
  const mark = new MarkFile(file, log);
  const touched: number[] = [];
  const left: number[] = [];
  let died = false;
  try {
    mark.during(place, () => {
      for (let index = place.first.index; index <= place.last.index; index++) {
        if (!mark.touch(at(index))) {
          left.push(index);
          continue;
        }
        touched.push(index);
        if (index !== deadly) continue;
        died = true;
        // As death leaves it: the file keeps what it has.
        mark.close();
        throw new Error('died');
      }
    });
  } catch {
    // The next one starts.
  }
  mark.close();
  return { touched, left, died, warned: log.lines.map(({ message }) => message) };
}

describe('MarkFile', () => {
  it('S4: knows what was being read within what was being formatted, and which record was formatted when that was over', () => {
    const read = { first: at(4), last: at(5) };
    const stands = (work: (mark: MarkFile) => void): unknown => {
      const mark = new MarkFile(file, collectLog());
      work(mark);
      mark.close();
      return JSON.parse(readFileSync(file, 'utf8').slice(0, 256).trim() || 'null');
    };
    let within: unknown;
    const after = stands((mark) => {
      mark.during(page, () => {
        mark.during(read, () => {
          mark.touch(at(4));
          within = JSON.parse(readFileSync(file, 'utf8').slice(0, 256));
        });
        expect(JSON.parse(readFileSync(file, 'utf8').slice(0, 256))).toEqual(page);
      });
    });
    expect([within, after]).toEqual([read, null]);

    start(4);
    stands((mark) => {
      mark.during(page, () => {
        mark.touch(at(4));
        const single = { ...page, first: at(4), last: at(4) };
        expect(JSON.parse(readFileSync(file, 'utf8').slice(0, 256))).toEqual(single);
        mark.during(read, () => mark.touch(at(5)));
        expect(JSON.parse(readFileSync(file, 'utf8').slice(0, 256))).toEqual(single);
      });
    });
  });

  it('S4: finds the record that a process dies of, and leaves it alone after three starts that died under its mark', () => {
    // Under the mark of the page; then three times under its own.
    for (let count = 0; count < 4; count++) expect(start(6)).toMatchObject({ died: true, left: [] });
    const fifth = start(6);
    expect(fifth).toMatchObject({ died: false, left: [6] });
    expect(fifth.touched).toHaveLength(9);
    expect(fifth.warned).toEqual(['the last start died while formatting records']);
    expect(start(6).left).toEqual([6]);
  });

  it('S4: a record that was survived once begins anew', () => {
    for (let count = 0; count < 3; count++) start(6);
    expect(start(undefined).died).toBe(false);
    for (let count = 0; count < 3; count++) expect(start(6).died).toBe(true);
    expect(start(undefined).left).toEqual([]);
  });

  it('S4: death that happens elsewhere proves nothing, and takes nothing back', () => {
    for (let count = 0; count < 3; count++) start(6);
    // Killed before it came to the page.
    for (let count = 0; count < 5; count++) new MarkFile(file, collectLog()).close();
    start(6);
    expect(start(6).left).toEqual([6]);
  });

  it('S4: deaths of different records are told apart', () => {
    for (const deadly of [6, 2, 6, 2, 6, 2]) expect(start(deadly).left).toEqual([]);
    expect(start(undefined).left).toEqual([]);
  });

  it('leaves a record alone for the sink whose format it kills, and for all when it cannot be decoded', () => {
    for (let count = 0; count < 4; count++) start(6);
    expect(start(undefined, { ...page, sink: 'other' }).left).toEqual([]);
    const decoding = { first: at(0), last: at(9) };
    for (let count = 0; count < 4; count++) start(8, decoding as typeof page);
    expect(start(undefined, decoding as typeof page).left).toEqual([8]);
    expect(start(undefined, { ...page, sink: 'other' }).left).toEqual([8]);
    expect(start(undefined).left).toEqual([6, 8]);
  });

  it('takes nothing from a file that a crash of the machine has spoilt, and stays small', () => {
    for (const rubbish of [
      '',
      '{',
      '\0'.repeat(9_000),
      '{"first":1}'.padEnd(256),
      `${' '.repeat(256)}{"suspects":[null,1]}`,
    ]) {
      writeFileSync(file, rubbish);
      expect(() => start(undefined)).not.toThrow();
      expect(start(undefined).left).toEqual([]);
    }
    appendFileSync(file, 'x'.repeat(100));
    for (let count = 0; count < 200; count++) start(6, { ...page, sink: `s${count}` });
    expect(statSync(file).size).toBeLessThan(20_000);
  });

  it('S4: outlives a process that is killed', () => {
    const child = () => spawnSync(process.execPath, [join(import.meta.dirname, 'dies-of.ts'), file, '6']);
    for (let count = 0; count < 4; count++) expect(child().signal).toBe('SIGKILL');
    expect(child()).toMatchObject({ status: 0, signal: null });
    expect(start(undefined).left).toEqual([6]);
  });

  it('can be read by its owner only', () => {
    start(undefined);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });
});

describe('a journal', () => {
  it('S4: keeps the body of a record that must not be decoded as text', async () => {
    let journal = await open(directory.state);
    await journal.append(aPage(someRecords(['a', 'b', 'c'])));
    await journal.close();
    const known = { suspects: [{ cursor: { batch: 1, index: 1 }, deaths: 3 }] };
    writeFileSync(join(directory.state, 'mark'), ' '.repeat(256) + JSON.stringify(known));
    journal = await open(directory.state);
    const { records } = await journal.take(START, 10, AbortSignal.timeout(10_000));
    await journal.close();
    expect(records.map(({ id }) => id)).toEqual(['a', 'b', 'c']);
    expect(records.map(({ body }) => Object.keys(body).length > 1)).toEqual([true, false, true]);
    expect(JSON.parse(String(records[1]?.body.unread))).toMatchObject({ id: 'b' });
  });
});
