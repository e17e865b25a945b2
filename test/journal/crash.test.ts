import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { Journal } from '../../src/core/journal.ts';
import { aDirectory, aPage, open, START, takeAll } from './harness.ts';

const APPENDER = fileURLToPath(new URL('appender.ts', import.meta.url));

/** Runs the appender until `until` says so of its output, or until it ends by itself; then it is killed. */
async function runAppender(
  command: readonly string[],
  until: (output: string) => boolean,
): Promise<{ ids: string[]; output: string }> {
  const [program = '', ...args] = command;
  const child: ChildProcess = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    if (until(output)) child.kill('SIGKILL');
  });
  await once(child, 'close');
  // A line that was cut off was not printed.
  const lines = output.slice(0, output.lastIndexOf('\n') + 1).split('\n');
  return { output, ids: lines.filter((line) => line.startsWith('p')).flatMap((line) => line.split(' ')) };
}

/** Everything that was acknowledged is there once, and checkpoint and records tell the same story. */
async function expectWhole(
  journal: Journal,
  acknowledged: readonly string[],
  perPage: number,
): Promise<void> {
  const found = (await takeAll(journal)).map(({ id }) => id);
  const pages = Number(await journal.checkpoint(aPage([])));
  const expected = Array.from(
    { length: pages * perPage },
    (_, at) => `p${Math.floor(at / perPage) + 1}.${at % perPage}`,
  );
  expect(found).toEqual(expected);
  const there = new Set(found);
  expect(acknowledged.filter((id) => !there.has(id))).toEqual([]);
}

describe('after kill -9', () => {
  it('Q1, G14, G17, Q2: all that was acknowledged is there, checkpoint and records agree, and it opens again', async () => {
    using directory = aDirectory();
    const acknowledged: string[] = [];
    for (let round = 0; round < 6; round++) {
      // A random number of bytes of output, so that the kill comes at any point of the work after it.
      const bytes = Math.random() * 8_000;
      const { ids } = await runAppender(
        [process.execPath, APPENDER, directory.state, '20'],
        (output) => output.length > bytes,
      );
      acknowledged.push(...ids);
      const journal = await open(directory.state);
      await expectWhole(journal, acknowledged, 20);
      const { cursor, sequence } = (
        await journal.register([{ name: 'siem', startFrom: 'journal', shape: 'cef' }])
      ).get('siem')!;
      // The running number was stored with its cursor: it is the number of records up to there.
      const before = (await takeAll(journal, START)).length - (await journal.stats()).pending;
      expect(sequence).toBe(before);
      expect(cursor.batch > 0 || sequence === 0).toBe(true);
      await journal.close();
    }
    expect(acknowledged.length).toBeGreaterThan(0);
  }, 60_000);
});

describe('after an I/O error', () => {
  it('K1: nothing more is acknowledged, and what was is there after reopening', async () => {
    using directory = aDirectory();
    // No file may grow beyond 5 MiB (`ulimit -f` of sh counts blocks of 512 bytes, of others 1 KiB): a write fails.
    const limited = `ulimit -f 10240; exec '${process.execPath}' '${APPENDER}' '${directory.state}' 50`;
    const { ids, output } = await runAppender(['/bin/sh', '-c', limited], () => false);
    expect(output).toMatch(/\nfailed the (journal in|disk of) .*state .+goes on by itself\n$/);
    expect(ids.length).toBeGreaterThan(0);
    const journal = await open(directory.state);
    await expectWhole(journal, ids, 50);
    await journal.close();
  });
});
