import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import type { Processes } from '../scripts/processes.ts';
import type { Mark } from './receiver.ts';

const PROGRAM = join(import.meta.dirname, 'receiver.ts');

/** A receiver that runs, and says what it has received. */
export class Receiver {
  readonly child: ChildProcess;
  readonly port: number;
  readonly #lines: AsyncIterator<string>;

  private constructor(child: ChildProcess, port: number, lines: AsyncIterator<string>) {
    this.child = child;
    this.port = port;
    this.#lines = lines;
  }

  /**
   * @param marks numbers of events, rising
   * @param flags of its program
   */
  static async start(
    processes: Processes,
    marks: readonly number[],
    flags: readonly string[] = [],
  ): Promise<Receiver> {
    const child = processes.start([PROGRAM, ...flags, ...marks.map(String)]);
    child.stderr!.pipe(process.stderr);
    const reader: Interface = createInterface({ input: child.stdout! });
    const lines = reader[Symbol.asyncIterator]();
    return new Receiver(child, Number((await lines.next()).value), lines);
  }

  /**
   * The next mark, when it is reached.
   *
   * @param withinMs else it is given up
   */
  async mark(withinMs: number): Promise<Mark> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(new Error('not all events came in time')), withinMs);
    try {
      const { done, value } = await Promise.race([this.#lines.next(), late.promise]);
      if (done) throw new Error('the receiver has ended');
      return JSON.parse(value);
    } finally {
      clearTimeout(timer);
    }
  }
}
