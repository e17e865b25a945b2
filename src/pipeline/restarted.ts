import { type BackoffOptions, backoffMs } from '../core/backoff.ts';
import { JournalError, UnavailableError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { isAbort, wait } from '../lib/wait.ts';
import { Outage } from './outage.ts';

export interface RestartOptions {
  readonly log: Log;
  readonly backoff: BackoffOptions;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly random: () => number;
  readonly signal: AbortSignal;
  /**
   * Told of each failure, by kind: `unavailableReasons`, or `bug` for what nobody foresaw; and in words, which may
   * be shown to everybody who may ask for the status.
   */
  readonly failed: (reason: string, message: string) => void;
  /** Told whenever it has got something done. */
  readonly healthy?: () => void;
}

const UNFORESEEN = 'failed unexpectedly; the log has the details';

/**
 * Runs a part of the relay until `signal`, again and again: what it throws is told (see {@link Outage}), and it
 * starts again with back-off, without end (rules F1, S4). The task calls `healthy` when it has got something done.
 * A lost journal is passed on: no part can go on without it.
 */
export async function restarted(
  task: (healthy: () => void) => Promise<void>,
  options: RestartOptions,
): Promise<void> {
  const { log, now, signal } = options;
  const outage = new Outage(log, now);
  let attempt = 0;
  const healthy = () => {
    attempt = 0;
    outage.healthy();
    options.healthy?.();
  };
  try {
    while (!signal.aborted) {
      try {
        return await task(healthy);
      } catch (error) {
        if (isAbort(error) && signal.aborted) return;
        if (error instanceof JournalError) throw error;
        const unavailable = error instanceof UnavailableError ? error : undefined;
        const waitMs = unavailable?.retryAfterMs ?? backoffMs(attempt, options.backoff, options.random);
        attempt++;
        options.failed(unavailable?.reason ?? 'bug', unavailable?.message ?? UNFORESEEN);
        outage.failed(error, signal.aborted ? undefined : waitMs);
        await wait(waitMs, signal).catch(() => {});
      }
    }
  } finally {
    outage.end();
  }
}
