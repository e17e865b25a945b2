import { type BackoffOptions, backoffMs } from '../core/backoff.ts';
import { JournalError, UnavailableError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { isAbort, wait } from '../lib/wait.ts';

export interface RestartOptions {
  readonly log: Log;
  readonly backoff: BackoffOptions;
  readonly random: () => number;
  readonly signal: AbortSignal;
  /** Told of each failure, by kind: `unavailableReasons`, or `bug` for what nobody foresaw. */
  readonly failed: (reason: string) => void;
}

/**
 * Runs a part of the relay until `signal`, again and again: what it throws is told once when it starts failing
 * and once when it is healed, and it starts again with back-off, without end (rules F1, S4). The task calls
 * `healthy` when it has got something done. A lost journal is passed on: no part can go on without it.
 */
export async function restarted(
  task: (healthy: () => void) => Promise<void>,
  options: RestartOptions,
): Promise<void> {
  const { log, signal } = options;
  let attempt = 0;
  const healthy = () => {
    if (attempt > 0) log.info({ failures: attempt }, 'working again');
    attempt = 0;
  };
  while (!signal.aborted) {
    try {
      return await task(healthy);
    } catch (error) {
      if (isAbort(error) && signal.aborted) return;
      if (error instanceof JournalError) throw error;
      const unavailable = error instanceof UnavailableError ? error : undefined;
      const waitMs = unavailable?.retryAfterMs ?? backoffMs(attempt, options.backoff, options.random);
      options.failed(unavailable?.reason ?? 'bug');
      tell(log, error, attempt, waitMs);
      attempt++;
      await wait(waitMs, signal).catch(() => {});
    }
  }
}

/** The first of a row of failures is news; the others are counted and can be seen with level `debug`. */
function tell(log: Log, error: unknown, attempt: number, waitMs: number): void {
  const fields = { retryInMs: waitMs, attempt: attempt + 1 };
  if (error instanceof UnavailableError) {
    const level = attempt === 0 ? 'warn' : 'debug';
    log[level]({ ...fields, reason: error.reason }, error.message);
  } else {
    // Nobody foresaw this one, so the stack is what helps.
    log.error({ ...fields, err: error }, 'failed unexpectedly; starting again');
  }
}
