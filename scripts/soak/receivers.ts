import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Processes } from '../processes.ts';
import type { Received } from './receiver.ts';

const PROGRAM = join(import.meta.dirname, 'receiver.ts');

/** A receiver that runs. */
export class Receiver {
  readonly #child: ChildProcess;
  readonly #port = Promise.withResolvers<number>();
  /** What it has said last. */
  received: Received = { events: 0, repeated: 0, missing: 0, digest: '', latencyMs: null };

  constructor(processes: Processes, does: 'reads' | 'flaps' | 'away') {
    this.#child = processes.start([PROGRAM, does]);
    this.#child.stderr!.pipe(process.stderr);
    this.#child.once('exit', (code) => this.#port.reject(new Error(`a receiver ended (exit code ${code})`)));
    this.#listen();
  }

  get port(): Promise<number> {
    return this.#port.promise;
  }

  /** It has been away, and comes back. */
  comeBack(): void {
    this.#child.kill('SIGUSR2');
  }

  async #listen(): Promise<void> {
    for await (const line of createInterface({ input: this.#child.stdout! })) {
      if (line.startsWith('{')) this.received = JSON.parse(line);
      else this.#port.resolve(Number(line));
    }
  }
}
