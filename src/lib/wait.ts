import { setTimeout as sleep } from 'node:timers/promises';

/** Waits `ms` milliseconds, or until the signal: then throws its AbortError. */
export async function wait(ms: number, signal?: AbortSignal): Promise<void> {
  await sleep(ms, undefined, signal ? { signal } : {});
}

/** Settles with `promise`, or throws an AbortError at the signal. The promise itself goes on; its failure is swallowed then. */
export function orAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(abortError(signal));
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

/** An error by which everybody knows that a signal asked for the end. */
export function abortError(signal: AbortSignal): Error {
  const error = new Error('stopped', { cause: signal.reason });
  error.name = 'AbortError';
  return error;
}

/** Ended because a signal asked for it; nobody's fault. */
export function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}
