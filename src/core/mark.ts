import type { Cursor } from './journal.ts';

/** Records that are being worked on. */
export interface Place {
  /** The sink whose format works on them; none: they are being decoded, for all sinks. */
  readonly sink?: string | undefined;
  readonly first: Cursor;
  readonly last: Cursor;
}

/**
 * Says on disk what is being worked on, so that the next start knows which record this process died of, should it
 * die of one: memory, stack, an endless loop that somebody ends (S4). Only for work that does not wait for anything:
 * death while waiting for a sink proves nothing.
 */
export interface Mark {
  /** Does `work` with the mark standing; within another one, that one stands again after it. */
  during<T>(place: Place, work: () => T): T;
  /** Inside of `during`, before each record. `false`: three starts in a row died of it; leave it alone. */
  touch(cursor: Cursor): boolean;
}

/** For what leaves no trace. */
export const noMark: Mark = { during: (_, work) => work(), touch: () => true };
