import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const program = join(import.meta.dirname, '../../dist/main.js');

/** The built relay as a process of its own. */
export class RelayProcess {
  readonly #args: readonly string[];
  #child: ChildProcess | undefined;
  /** Everything it has logged, over all starts. */
  log = '';

  constructor(config: string) {
    this.#args = [program, 'run', '--config', config];
  }

  /** @throws {Error} it has not been built: else a test would wait for what never comes */
  start(): void {
    if (!existsSync(program)) throw new Error(`there is no ${program}: run "npm run build" first`);
    const child = spawn(process.execPath, this.#args, { stdio: ['ignore', 'ignore', 'pipe'] });
    child.stderr.on('data', (data: Buffer) => {
      this.log += data.toString();
    });
    this.#child = child;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Ends it by a signal and gives its exit code, `null` when the signal killed it. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    if (!child || !this.running) return child?.exitCode ?? null;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
    return child.exitCode;
  }
}
