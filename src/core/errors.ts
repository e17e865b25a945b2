/** An error with a message for people: what, where, and what to do. */
export class RelayError extends Error {
  override name = 'RelayError';
}

/**
 * Kinds of being unavailable; a closed set, because it is a metric label. `config`: the far end wants other settings,
 * and only a person can mend it.
 */
export const unavailableReasons = [
  'auth',
  'throttled',
  'timeout',
  'network',
  'server',
  'answer',
  'request',
  'config',
  'journal',
  'other',
] as const;
export type UnavailableReason = (typeof unavailableReasons)[number];

/** A source or destination cannot be used now. The records are fine and stay where they are. */
export class UnavailableError extends RelayError {
  override name = 'UnavailableError';
  readonly reason: UnavailableReason;
  /** How long the far end asked us to wait (milliseconds), e.g. in Retry-After. */
  readonly retryAfterMs: number | undefined;

  constructor(
    message: string,
    options: { reason: UnavailableReason; retryAfterMs?: number | undefined; cause?: unknown },
  ) {
    super(message, { cause: options.cause });
    this.reason = options.reason;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/**
 * The journal cannot be written or read for now: its disk is full, or at fault. It heals by itself. What became of a
 * write is not known: read again where to go on from.
 */
export class JournalUnavailableError extends UnavailableError {
  override name = 'JournalUnavailableError';

  constructor(message: string, options: { cause?: unknown } = {}) {
    super(message, { ...options, reason: 'journal' });
  }
}

/** Bad config or usage: exit code 2, and no stack for anybody to read. */
export class UsageError extends RelayError {
  override name = 'UsageError';
}

/** The journal cannot be used or trusted: ends the process, with exit code 1. */
export class JournalError extends RelayError {
  override name = 'JournalError';
}
