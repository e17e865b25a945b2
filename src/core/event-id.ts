import { hash } from 'node:crypto';
import type { RelayRecord } from './record.ts';
import { isoOfTicks, isTicks } from './ticks.ts';

/** Most bytes of an id: fits every field that takes one (Elasticsearch's `_id` has 512), with room to spare. */
const MAX_BYTES = 200;

/**
 * What separates the pieces, what escapes it, what JSON would escape, and what may not stand in a header or does not
 * survive UTF-8: two records must never come to one id.
 */
const ODD = /[%/"\\\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/gu;

/**
 * The id of an event (S5): tenant, source, record id, revision, count of `unrevised` and part. The same whenever and
 * by whichever sink the event is sent, so receivers can tell a copy by it. One that would be long is a hash.
 *
 * @param part from 1
 */
export function eventIdOf({ tenant, source, id, revision, unrevised }: RelayRecord, part: number): string {
  const pieces = [tenant, source, id, spelled(revision)].map((piece) => piece.replace(ODD, escaped));
  const whole = [...pieces, unrevised, part].join('/');
  // A hash has no separator, so it is no other event's id either.
  return Buffer.byteLength(whole) <= MAX_BYTES ? whole : `sha256-${hash('sha256', whole, 'hex')}`;
}

/** A revision as text: the ISO time, with seven digits. */
export function spelled(revision: bigint): string {
  return isTicks(revision) ? isoOfTicks(revision) : String(revision);
}

function escaped(odd: string): string {
  return `%${odd.codePointAt(0)?.toString(16)};`;
}
