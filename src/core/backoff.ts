export interface BackoffOptions {
  /** Ceiling of the first wait, milliseconds. */
  readonly initialMs: number;
  /** Ceiling of every wait, milliseconds. */
  readonly maxMs: number;
}

/**
 * Milliseconds to wait before retry `attempt` (from 0): exponential with "equal" jitter, so that relays which
 * lost the same server do not come back in step, and none comes back at once.
 *
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function backoffMs(attempt: number, options: BackoffOptions, random: () => number): number {
  const ceiling = Math.min(options.maxMs, options.initialMs * 2 ** Math.min(attempt, 30));
  return Math.round(ceiling / 2 + (random() * ceiling) / 2);
}
