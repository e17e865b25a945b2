import type { Room } from '../../core/sink.ts';

/**
 * How much is written before it is confirmed by closing, and whether that can be had at all (S2). Pure: every
 * confirmation and every time-out makes a new one. Times in milliseconds of a clock that only goes forward.
 */
export interface Pace {
  /** Most bytes before a confirmation. What one record has above that goes alone: 1 means one record. */
  readonly bytes: number;
  /** Bytes that timed out: so much is not tried again until then. */
  readonly tooMuch: { readonly bytes: number; readonly untilMs: number } | undefined;
  /** The last thing that happened was a time-out. */
  readonly isHalving: boolean;
  /** Time-outs in a row with one record. */
  readonly atOne: number;
  /** Last confirmation. */
  readonly confirmedMs: number | undefined;
  /** *Unconfirmable*: does not answer a close, whatever it is sent. To be tried again with one record then. */
  readonly unconfirmable: { readonly triedMs: number } | undefined;
}

const MAX_BYTES = 4 * 2 ** 20;
const MAX_RECORDS = 10_000;
const ENOUGH_TIMEOUTS = 3;
const HOUR_MS = 3_600_000;

export const START: Pace = {
  bytes: 256 * 1024,
  tooMuch: undefined,
  isHalving: false,
  atOne: 0,
  confirmedMs: undefined,
  unconfirmable: undefined,
};

/** What may be written between two confirmations. */
export function roomOf({ bytes }: Pace): Room {
  return { records: bytes > 1 ? MAX_RECORDS : 1, bytes };
}

/**
 * After a confirmation of `used`. The room doubles when that came within a quarter of the time it had, and when
 * at least half of the room was used: a trickle says nothing of what a receiver can take at once.
 */
export function confirmed(pace: Pace, used: Room, tookMs: number, timeoutMs: number, nowMs: number): Pace {
  const next = { ...pace, isHalving: false, atOne: 0, confirmedMs: nowMs, unconfirmable: undefined };
  const isUsed = used.bytes * 2 >= pace.bytes || used.records * 2 >= MAX_RECORDS;
  const wider = Math.min(MAX_BYTES, 2 * Math.max(pace.bytes, used.bytes));
  const tooMuch = pace.tooMuch && nowMs < pace.tooMuch.untilMs ? pace.tooMuch : undefined;
  const may = tookMs * 4 <= timeoutMs && isUsed && (tooMuch === undefined || wider < tooMuch.bytes);
  return { ...next, tooMuch, bytes: may ? Math.max(pace.bytes, wider) : pace.bytes };
}

/**
 * After a time-out with `used` unconfirmed. Of several in a row only the first is held to be a matter of size, and one
 * with one record shows that not even that was: a receiver that hung and is well again has its room back soon. Three in a row with one record make a receiver unconfirmable, unless it
 * has confirmed within the last hour: then it is known to answer a close, and hangs.
 */
export function timedOut(pace: Pace, used: Room, nowMs: number): Pace {
  const bytes = Math.min(pace.bytes, Math.max(1, used.bytes));
  const isOne = used.records <= 1;
  const atOne = isOne ? pace.atOne + 1 : 0;
  const isKnown = pace.confirmedMs !== undefined && nowMs - pace.confirmedMs < HOUR_MS;
  return {
    bytes: isOne ? 1 : Math.max(1, Math.floor(bytes / 2)),
    tooMuch: isOne ? undefined : (pace.isHalving && pace.tooMuch) || { bytes, untilMs: nowMs + HOUR_MS },
    isHalving: true,
    atOne,
    confirmedMs: pace.confirmedMs,
    unconfirmable:
      pace.unconfirmable || (atOne >= ENOUGH_TIMEOUTS && !isKnown) ? { triedMs: nowMs } : undefined,
  };
}

/** Whether to ask for a confirmation by closing now: always, but of an unconfirmable receiver once an hour. */
export function asksByClose({ unconfirmable }: Pace, nowMs: number): boolean {
  return unconfirmable === undefined || nowMs - unconfirmable.triedMs >= HOUR_MS;
}
