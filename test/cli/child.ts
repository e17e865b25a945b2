import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

const source = join(import.meta.dirname, '../../src/main.ts');

export interface Program {
  readonly child: ChildProcess;
  /** What it has written until now. */
  readonly stdout: string;
  readonly stderr: string;
  /** Exit code and signal, once it has ended and everything it wrote has been read. */
  readonly ended: Promise<readonly [code: number | null, signal: NodeJS.Signals | null]>;
}

export interface StartOptions {
  readonly node?: string;
  readonly main?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** Starts the program as a process of its own, which does not outlive the test. */
export function start(args: readonly string[], options: StartOptions = {}): Program {
  const { node = process.execPath, main = source, env = {}, cwd } = options;
  const child = spawn(node, [main, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    // Nothing of the test runner's own (its colours, its loader options).
    env: { ...pick('PATH', 'HOME', 'NODE_COMPILE_CACHE'), ...env },
    ...(cwd !== undefined && { cwd }),
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const written = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      written[name] += text;
    });
  }
  child.stdin.on('error', () => {});
  return {
    child,
    get stdout() {
      return written.stdout;
    },
    get stderr() {
      return written.stderr;
    },
    ended: once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>,
  };
}

function pick(...names: string[]): NodeJS.ProcessEnv {
  return Object.fromEntries(names.map((name) => [name, process.env[name]]));
}
