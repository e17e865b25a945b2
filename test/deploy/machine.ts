import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { makeNamespace } from '../support/namespace.ts';

/** A network of its own, in which programs run and do not outlive it. */
export interface Machine {
  start(command: readonly string[]): Running;
  /** Runs a command to its end; gives its exit code. */
  exitCode(command: readonly string[]): Promise<number | null>;
  /**
   * Sends SIGTERM to the programs whose arguments begin so, whatever flags Node has been given. Not to what has started
   * them: buildah does not pass it on.
   */
  end(command: readonly string[]): void;
  close(): void;
}

export interface Running {
  /** What it has written until now. */
  readonly stdout: string;
  readonly stderr: string;
  /** Its exit code, once all that it wrote has been read. */
  readonly ended: Promise<number | null>;
}

export function openMachine(): Machine {
  const { prefix, close } = makeNamespace();
  const [command, ...inside] = prefix;
  execFileSync(command!, [...inside, 'ip', 'link', 'set', 'lo', 'up']);
  const pids = () => {
    const text = execFileSync('ip', ['netns', 'pids', prefix.at(-1)!], { encoding: 'utf8' });
    return text.split('\n').filter(Boolean).map(Number);
  };
  const start = (args: readonly string[]): Running => {
    const child = spawn(command!, [...inside, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    const written = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        written[name] += text;
      });
    }
    return {
      get stdout() {
        return written.stdout;
      },
      get stderr() {
        return written.stderr;
      },
      ended: once(child, 'close').then(([code]) => code),
    };
  };
  return {
    start,
    exitCode: (args) => start(args).ended,
    end(args) {
      const isMeant = (pid: number) => args.every((word, index) => argumentsOf(pid)[index] === word);
      for (const pid of pids().filter(isMeant)) process.kill(pid, 'SIGTERM');
    },
    close() {
      for (const pid of pids()) kill(pid);
      close();
    },
  };
}

/** Without the flags of Node: `run` gives itself some. */
function argumentsOf(pid: number): string[] {
  try {
    const [program = '', ...rest] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return [program, ...rest.slice(rest.findIndex((word) => !word.startsWith('--')))];
  } catch {
    return [];
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
