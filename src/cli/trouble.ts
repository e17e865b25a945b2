import { RelayError, UsageError } from '../core/errors.ts';

/** What to tell people about an error; `undefined` when nobody foresaw it, so that its stack is what helps. */
export function messageOf(error: unknown): string | undefined {
  return error instanceof RelayError ? error.message : undefined;
}

/** 2: bad config or usage; 1: anything else. */
export function exitCodeOf(error: unknown): number {
  return error instanceof UsageError ? 2 : 1;
}
