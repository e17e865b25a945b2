import type { Room } from '../core/sink.ts';

export const BOUNDLESS: Room = { records: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY };

/** What the sink has room for, less what it has been handed and not yet written, within the upper bound for all. */
export function roomLeft(present: Room, bound: Room, unconfirmed: Room, unwritten: Room): Room {
  return {
    records: Math.min(present.records - unwritten.records, bound.records - unconfirmed.records),
    bytes: Math.min(present.bytes - unwritten.bytes, bound.bytes - unconfirmed.bytes),
  };
}

/** Counts records and bytes. */
export class Tally implements Room {
  records = 0;
  bytes = 0;
  readonly #changed: ((records: number) => void) | undefined;

  constructor(changed?: (records: number) => void) {
    this.#changed = changed;
  }

  add({ records, bytes }: Room): void {
    this.records += records;
    this.bytes += bytes;
    this.#changed?.(this.records);
  }

  subtract({ records, bytes }: Room): void {
    this.records -= records;
    this.bytes -= bytes;
    this.#changed?.(this.records);
  }

  clear(): void {
    this.records = 0;
    this.bytes = 0;
    this.#changed?.(0);
  }
}
