import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished } from 'vitest';
import { aDirectory, open, takeAll } from './harness.ts';

const SURVIVOR = fileURLToPath(new URL('survivor.ts', import.meta.url));
const PAGES = 60;
const PER_PAGE = 20;

interface Said {
  readonly delivered?: readonly string[];
  readonly told?: string;
  readonly lost?: string;
}

/**
 * Has a journal relay pages while strace makes its system calls fail: everything arrives once, in one process.
 *
 * @param problem what the log says of it; left out: it is none
 */
export async function surviveAll(injection: string, problem?: RegExp): Promise<void> {
  using directory = aDirectory();
  const said = await survive(directory.state, injection);
  const ids = Array.from({ length: PAGES * PER_PAGE }, (_, at) => {
    return `p${1 + Math.floor(at / PER_PAGE)}.${at % PER_PAGE}`;
  });
  expect(said.flatMap(({ delivered = [] }) => delivered)).toEqual(ids);
  expect(said.filter(({ lost }) => lost)).toEqual([]);
  const told = said.flatMap(({ told = [] }) => told);
  if (problem) {
    expect(told[0]).toMatch(problem);
    expect(told.at(-1)).toMatch(/well again/);
  } else {
    expect(told).toEqual([]);
  }
  const journal = await open(directory.state);
  expect(journal.opening.clean).toBe(true);
  expect((await takeAll(journal)).map(({ id }) => id)).toEqual(ids);
  const positions = await journal.register([{ name: 'siem', startFrom: 'journal', shape: 'cef' }]);
  expect(positions.get('siem')?.sequence).toBe(ids.length);
  await journal.close();
}

async function survive(state: string, injection: string): Promise<Said[]> {
  const calls = injection.slice(0, injection.indexOf(':'));
  const tracer = ['-f', '-qq', '-o', '/dev/null', '--seccomp-bpf', '-e', `trace=${calls}`];
  const program = [process.execPath, SURVIVOR, state, String(PAGES)];
  const child = spawn('strace', [...tracer, '-e', `inject=${injection}`, ...program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  expect(await once(child, 'close')).toEqual([0, null]);
  return output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Said);
}
