import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';

const built = join(import.meta.dirname, '../../dist/main.js');

/** The built relay as a process of its own. */
export class RelayProcess {
  /** Another copy of the built program may be run in its place. */
  program = built;
  readonly #args: readonly string[];
  #child: ChildProcess | undefined;
  #ended: Promise<NodeJS.Signals | number> | undefined;
  /** Everything it has logged, over all starts. */
  log = '';
  /** How much of it was there before the last start. */
  #before = 0;

  constructor(config: string, ...flags: string[]) {
    this.#args = ['run', '--config', config, ...flags];
  }

  /**
   * @param before command that runs it, in the same process
   * @throws {Error} it has not been built: else a test would wait for what never comes
   */
  start(before: readonly string[] = []): void {
    const { program } = this;
    if (!existsSync(program)) throw new Error(`there is no ${program}: run "npm run build" first`);
    const [command, ...args] = [...before, process.execPath, program, ...this.#args];
    const child = spawn(command!, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    child.stderr.on('data', (data: Buffer) => {
      this.log += data.toString();
    });
    this.#before = this.log.length;
    this.#child = child;
    this.#ended = once(child, 'exit').then(([code, signal]) => signal ?? code);
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** How the one that was started last has ended: by which signal, or with which exit code. */
  async ended(): Promise<NodeJS.Signals | number | undefined> {
    return await this.#ended;
  }

  /** Ends it by a signal and gives its exit code, `null` when the signal killed it. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    if (!child || !this.running) return child?.exitCode ?? null;
    // Before that it does not listen, and would be killed by what should end it.
    const listens = () => this.log.includes('"msg":"starting"', this.#before);
    while (signal !== 'SIGKILL' && this.running && !listens()) await setImmediate();
    child.kill(signal);
    await this.ended();
    return child.exitCode;
  }
}
