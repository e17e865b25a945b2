import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Kills the process at the n-th sync of one of its threads; and so the tracer ends, too. */
const killAtSync = (nth: number) => [
  ...['-qq', '-o', '/dev/null', '-e', 'trace=fsync,fdatasync'],
  ...['-e', `inject=fsync,fdatasync:signal=KILL:when=${nth}`],
];

/** Command for a program that is to die at the n-th sync since its start. It is itself the child, and not the tracer. */
export const dyingAtSync = (nth: number): string[] => ['strace', '-D', '-f', ...killAtSync(nth)];

/**
 * Lets a process die at the n-th sync of one of its threads from now on. Others are not traced, so it is hardly slower.
 *
 * @param thread its name; waited for
 */
export async function letDieAtSync(pid: number, thread: string, nth: number): Promise<void> {
  const threadId = await threadOf(pid, thread);
  if (threadId !== undefined) spawn('strace', [...killAtSync(nth), '-p', threadId], { stdio: 'ignore' });
}

/** Number of a thread of a process, waited for. `undefined`: the process has ended. */
export async function threadOf(pid: number, name: string): Promise<string | undefined> {
  const tasks = `/proc/${pid}/task`;
  for (;;) {
    const ids = unlessGone(() => readdirSync(tasks));
    if (!ids) return undefined;
    // One that has just ended says nothing of the others: a relay that begins anew loses all threads of its first life.
    const found = ids.find(
      (id) => unlessGone(() => readFileSync(`${tasks}/${id}/comm`, 'utf8')) === `${name}\n`,
    );
    if (found !== undefined) return found;
    await sleep(10);
  }
}

function unlessGone<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
