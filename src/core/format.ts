import type { RelayRecord } from './record.ts';

/** What a sink puts on the events of one record. */
export interface Stamp {
  /** Identity of the run of numbers: a random 31-bit number (S6). */
  readonly stream: number;
  /** Number of the record's first event; the following parts count on (S6). */
  readonly sequence: number;
  /** Time of sending, milliseconds since 1970. */
  readonly sentMs: number;
  /** Most bytes (UTF-8) that one event may have. */
  readonly maxBytes: number;
}

/**
 * A record as text, one string for each event (part). Pure and total: any record gives at least one event,
 * and none has a line break. The number of parts depends on record and `maxBytes` only, never on the
 * numbers in the stamp, so that an event that is sent again has its old number.
 */
export type Format = (record: RelayRecord, stamp: Stamp) => readonly string[];
