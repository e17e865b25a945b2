import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { start } from '../cli/child.ts';

const root = join(import.meta.dirname, '../..');
const main = join(root, 'dist/main.js');
const fixture = (name: string) => join(root, 'test/fixtures', name);

/** A Node before 24, of those in PATH; no `node_modules/.bin`: there is ours. */
function oldNode(): string | undefined {
  const found = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'node'));
  return found.find((node) => {
    try {
      accessSync(node, constants.X_OK);
      return Number(/^v(\d+)/.exec(execFileSync(node, ['--version'], { encoding: 'utf8' }))?.[1]) < 24;
    } catch {
      return false;
    }
  });
}

const old = oldNode();
const node = old ?? '';
const packaged = existsSync(join(root, `node_modules/node-${process.platform}-${process.arch}/bin/node`));

/** A simulator that an old Node has started with another one, and the process id of that. */
async function simulatorUnder(oldNode: string) {
  const program = start(['simulate'], { node: oldNode, main });
  await expect.poll(() => program.stdout, { timeout: 20_000 }).toContain('https://127.0.0.1:');
  const { pid } = program.child;
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);
  expect(children).toHaveLength(1);
  const child = children[0]!;
  onTestFinished(() => {
    try {
      process.kill(child, 'SIGKILL');
    } catch {
      // It has ended, as it should.
    }
  });
  return { program, child };
}

describe.skipIf(old === undefined || !packaged)(
  'main.js under an old Node (skipped where there is none)',
  () => {
    it('starts itself again with the Node that came with it', async () => {
      const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
      const program = start(['--version'], { node, main });
      expect(await program.ended).toEqual([0, null]);
      expect(program).toMatchObject({ stdout: `${version}\n`, stderr: '' });
    });

    it('passes arguments, standard input and output on', async () => {
      const config = fixture('config/good-sinks-only.yaml');
      const program = start(['preview', '--config', config, '--input', '-'], { node, main });
      program.child.stdin!.end(readFileSync(fixture('graph/mdi-golden-ticket.json')));
      expect(await program.ended).toEqual([0, null]);
      expect(program.stdout).toMatch(/^CEF:0\|/);
    });

    it('passes the exit code on', async () => {
      const program = start(['jump'], { node, main });
      expect(await program.ended).toEqual([2, null]);
      expect(program.stderr).toContain("unknown command 'jump'");
    });

    it.each(['SIGTERM', 'SIGINT'] as const)('passes %s on, and ends as the program ends', async (signal) => {
      const program = start(['simulate'], { node, main });
      await expect.poll(() => program.stdout, { timeout: 20_000 }).toContain('https://127.0.0.1:');
      program.child.kill(signal);
      expect(await program.ended).toEqual([0, null]);
    });

    it('takes a signal that all processes are sent for one wish to end, not for two', async () => {
      const { program, child } = await simulatorUnder(node);
      // A service manager tells the program; the process before it passes on what it is told.
      process.kill(child, 'SIGTERM');
      program.child.kill('SIGTERM');
      expect(await program.ended).toEqual([0, null]);
    });

    it('leaves no program behind when it is killed', async () => {
      const { program } = await simulatorUnder(node);
      program.child.kill('SIGKILL');
      // Their output is one and the same: it has an end when both have ended.
      expect(await program.ended).toEqual([null, 'SIGKILL']);
    });

    it('ends as a shell would say when a signal has ended the program', async () => {
      // Nobody listens to SIGHUP in `simulate`.
      const program = start(['simulate'], { node, main });
      await expect.poll(() => program.stdout, { timeout: 20_000 }).toContain('https://127.0.0.1:');
      program.child.kill('SIGHUP');
      expect(await program.ended).toEqual([129, null]);
    });
  },
);

describe('main.js', () => {
  it('runs under this Node', async () => {
    const program = start(['--version'], { main });
    expect(await program.ended).toEqual([0, null]);
  });

  describe('told to be sparing with memory', () => {
    const tell = 'console.error(process.pid, process.env.MALLOC_ARENA_MAX, ...process.execArgv)';
    const shown = `--import=data:text/javascript,${encodeURIComponent(tell)}`;
    const run = ['run', '--config', 'there-is-none.yaml'];
    const linesOf = async (args: readonly string[], options = shown) => {
      const program = start(args, { main, env: { NODE_OPTIONS: options } });
      expect(await program.ended).toEqual([2, null]);
      const { pid } = program.child;
      return program.stderr.split('\n').filter((line) => line.startsWith(`${pid} `));
    };

    it('begins anew as the same process', async () => {
      const [before, after, ...more] = await linesOf(run);
      expect(before).toMatch(/^\d+ undefined$/);
      expect(after).toMatch(/^\d+ 2 --max-semi-space-size=2 --heap-growing-percent=20$/);
      expect(more).toEqual([]);
    });

    it('does not where somebody has said otherwise, nor for what ends soon', async () => {
      expect(await linesOf(run, `${shown} --max-semi-space-size=16`)).toHaveLength(1);
      expect(await linesOf(['show', ...run.slice(1)])).toHaveLength(1);
    });
  });
});
