import { isAbort } from './wait.ts';

/**
 * Runs tasks side by side until `stop`. The first to fail stops the rest; returns when all have ended. To end by
 * an AbortError is to end well, once there was an abort.
 *
 * @throws the failure; an AggregateError when there were several different ones
 */
export async function runTogether(
  tasks: readonly ((signal: AbortSignal) => Promise<void>)[],
  stop: AbortSignal,
): Promise<void> {
  const sibling = new AbortController();
  const signal = AbortSignal.any([stop, sibling.signal]);
  const ended = await Promise.allSettled(
    tasks.map(async (task) => {
      try {
        await task(signal);
      } catch (error) {
        if (isAbort(error) && signal.aborted) return;
        sibling.abort();
        throw error;
      }
    }),
  );
  const reasons = ended.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []));
  // What all depend on breaks once, and each of them tells of it.
  const failures = [...new Set(reasons)];
  if (failures.length === 1) throw failures[0];
  if (failures.length > 1) throw new AggregateError(failures, 'several parts failed');
}
