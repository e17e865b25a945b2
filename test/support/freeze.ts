import type { ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** SIGSTOP, and waits until it has taken hold: a process may still read for a moment after it was sent. */
export function freeze(child: ChildProcess): void {
  child.kill('SIGSTOP');
  untilStopped(child.pid!);
}

/** @param pid of a process that SIGSTOP was sent to */
export function untilStopped(pid: number): void {
  const tasks = `/proc/${pid}/task`;
  const isStopped = (task: string) => /^State:\s+T/m.test(readFileSync(`${tasks}/${task}/status`, 'utf8'));
  while (!readdirSync(tasks).every(isStopped));
}
