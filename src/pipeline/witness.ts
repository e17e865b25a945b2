import { keyOf } from '../core/follows.ts';
import type { Loan } from '../core/journal.ts';
import type { RelayRecord } from '../core/record.ts';
import type { Choice } from './selection.ts';

/**
 * Finds a record that can show whether a sink is well that `suspect` broke: the next one that is wanted. It is of
 * another id, for no revision may overtake an earlier one. It ends the part of the loan that is given back: what
 * comes before it decides on its number.
 */
export function upToWitness(
  { records, ends }: Loan,
  choices: readonly Choice[],
  suspect: RelayRecord,
): Loan | undefined {
  const isOther = (record: RelayRecord) => keyOf(record) !== keyOf(suspect);
  const count = 1 + records.findIndex((record, index) => choices[index]?.wanted && isOther(record));
  return count > 0 ? { records: records.slice(0, count), ends: ends.slice(0, count) } : undefined;
}
