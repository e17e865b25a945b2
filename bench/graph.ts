import { join } from 'node:path';
import { lineOf, type Processes } from '../scripts/processes.ts';

const PROGRAM = join(import.meta.dirname, 'generator.ts');

/** A generator that runs. */
export interface Graph {
  readonly origin: string;
  readonly pid: number;
}

/** Starts a generator of so many alerts, whose files are in the folder of the processes. */
export async function startGraph(processes: Processes, alerts: number): Promise<Graph> {
  const child = processes.start([PROGRAM, '--dir', processes.folder, '--alerts', String(alerts)]);
  child.stderr!.pipe(process.stderr);
  return { origin: await lineOf(child, 'stdout', /^ready at (.*)/), pid: child.pid! };
}
