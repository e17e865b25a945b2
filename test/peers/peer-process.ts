import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { freeze } from '../support/freeze.ts';

export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly isReady: () => boolean;
}

/** A real component that runs beside the tests: started, frozen, killed, started again. */
export interface Peer {
  /** Resolves when it is ready; throws with what it said when it ends before that. */
  start(): Promise<void>;
  /** SIGSTOP: connections are still accepted, by the kernel, and nobody reads. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  /** No-op when it does not run. SIGKILL works on a frozen one, and it reads nothing more before. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** Ends it in good order; nothing of it is left. */
  remove(): Promise<void>;
}

/** How long a program may take to heed SIGTERM. */
const GRACE_MS = 5000;

/** As a child process. */
export class PeerProcess implements Peer {
  readonly #program: Program;
  #child: ChildProcess | undefined;

  constructor(program: Program) {
    this.#program = program;
  }

  async start(): Promise<void> {
    const { command, args, isReady } = this.#program;
    // Times without a zone are read as in most tests: as UTC.
    const env = { ...process.env, TZ: 'UTC' };
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'], env });
    this.#child = child;
    let said = '';
    child.stderr.on('data', (data: Buffer) => {
      said += data.toString();
    });
    while (!isReady()) {
      if (hasEnded(child)) throw new Error(`${command} did not start: ${said}`);
      await sleep(10);
    }
  }

  async freeze(): Promise<void> {
    if (this.#child) freeze(this.#child);
  }

  async thaw(): Promise<void> {
    this.#child?.kill('SIGCONT');
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (!child || hasEnded(child)) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    // A frozen one would not heed SIGTERM; and must not read on before SIGKILL.
    child.kill('SIGCONT');
    // It must not outlive the test, whatever it does.
    const timer = setTimeout(() => child.kill('SIGKILL'), GRACE_MS);
    await ended;
    clearTimeout(timer);
  }

  remove(): Promise<void> {
    return this.end('SIGTERM');
  }
}

const hasEnded = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null;

/** Someone listens on `127.0.0.1:PORT`. Not found out by connecting: that would be one more connection. */
export function isBound(protocol: 'tcp' | 'udp', port: number): boolean {
  const address = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const state = { tcp: '0A', udp: '07' }[protocol];
  return readFileSync(`/proc/self/net/${protocol}`, 'utf8').includes(`${address} 00000000:0000 ${state}`);
}

/**
 * A port that is free for TCP and UDP on 127.0.0.1, for a program that cannot choose one by itself. From below those
 * that Linux gives away, so that it stays free until the program has come up.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 22_000);
    const tcp = createServer();
    const udp = createSocket('udp4');
    try {
      tcp.listen(port, '127.0.0.1');
      await once(tcp, 'listening');
      udp.bind(port, '127.0.0.1');
      await once(udp, 'listening');
      return port;
    } catch {
      // Taken: another one.
    } finally {
      tcp.close();
      udp.close();
    }
  }
}
