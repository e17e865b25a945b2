import { keyOf } from '../core/follows.ts';
import type { Loan } from '../core/journal.ts';
import type { RelayRecord } from '../core/record.ts';
import type { Choice } from './selection.ts';

/**
 * Finds a record that can show whether a sink is well that `suspect` broke: one that is wanted, the next at first, and
 * with each `turn` one that is twice as far away, for what is wrong with the suspect may be wrong with its neighbours.
 * It is the first of its id, and of another one than the suspect's, for no revision may overtake an earlier one. It
 * ends the part of the loan that is given back: what comes before it decides on its number.
 */
export function upToWitness(
  { records, ends }: Loan,
  choices: readonly Choice[],
  suspect: RelayRecord,
  turn: number,
): Loan | undefined {
  const ids = new Set([keyOf(suspect)]);
  let left = 2 ** turn;
  for (const [index, record] of records.entries()) {
    if (!choices[index]?.wanted || ids.has(keyOf(record))) continue;
    ids.add(keyOf(record));
    if (--left === 0) return { records: records.slice(0, index + 1), ends: ends.slice(0, index + 1) };
  }
  return undefined;
}
