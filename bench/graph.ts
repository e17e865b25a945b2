import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { lineOf, type Processes } from '../scripts/processes.ts';

const PROGRAM = join(import.meta.dirname, 'generator.ts');

/** A generator that runs. */
export interface Graph {
  readonly child: ChildProcess;
  readonly origin: string;
  readonly pid: number;
  /** When the first alert rose, where they rise; milliseconds since 1970. */
  readonly sinceMs: number;
}

/**
 * Starts a generator of so many alerts, whose files are in the folder of the processes.
 *
 * @param rising so many a second; left out: they are there already
 */
export async function startGraph(
  processes: Processes,
  alerts: number,
  rising?: { readonly rate: number; readonly stamps: string },
): Promise<Graph> {
  const more = rising ? ['--rate', String(rising.rate), '--stamps', rising.stamps] : [];
  const child = processes.start([PROGRAM, '--dir', processes.folder, '--alerts', String(alerts), ...more]);
  child.stderr!.pipe(process.stderr);
  const ready = await lineOf(child, 'stdout', /^ready at (.* since .*)/);
  const [origin = '', since] = ready.split(' since ');
  return { child, origin, pid: child.pid!, sinceMs: Number(since) };
}
