import type { Append } from '../core/journal.ts';
import type { SourceRecord } from '../core/record.ts';

/** Most bodies that are told under one revision beside the first (R1). */
export const MAX_UNREVISED = 3;

/** What the journal remembers of a record that comes (again). */
export interface Known {
  /** Fingerprints of the bodies that came under this very revision; empty when it was never seen. */
  readonly fingerprints: readonly string[];
  /** The newest revision of the id, if the id is known. */
  readonly newest: bigint | undefined;
}

export type Verdict =
  | 'duplicate'
  | 'filtered'
  | { readonly outcome: 'new' | 'update' | 'late'; readonly unrevised: 0 }
  | { readonly outcome: 'unrevised'; readonly unrevised: number };

/**
 * What becomes of a record: is it told, and as what (R1, K7). A body that came before under this revision is a
 * duplicate, also when others came in between, so one that flaps (A, B, A, …) falls silent.
 */
export function judge(
  record: Pick<SourceRecord, 'revision' | 'created' | 'fingerprint' | 'unwanted'>,
  known: Known,
  { floor, updates }: Pick<Append, 'floor' | 'updates'>,
): Verdict {
  // Not remembered either: it is wanted as soon as it has been told once (R8).
  if (record.unwanted && known.newest === undefined) return 'filtered';
  const verdict = judgeChange(record, known, floor);
  if (verdict === 'duplicate') return verdict;
  return updates === 'none' && verdict.outcome !== 'new' ? 'filtered' : verdict;
}

function judgeChange(
  record: Pick<SourceRecord, 'revision' | 'created' | 'fingerprint'>,
  { fingerprints, newest }: Known,
  floor: bigint,
): Exclude<Verdict, 'filtered'> {
  if (fingerprints.length > 0) {
    const told = fingerprints.includes(String(record.fingerprint));
    if (told || fingerprints.length > MAX_UNREVISED) return 'duplicate';
    return { outcome: 'unrevised', unrevised: fingerprints.length };
  }
  // An id older than our memory was told before, as far as anybody can know.
  if (newest === undefined) return { outcome: record.created < floor ? 'update' : 'new', unrevised: 0 };
  // Told, and its `seen` row has gone since.
  if (record.revision === newest) return 'duplicate';
  return { outcome: record.revision > newest ? 'update' : 'late', unrevised: 0 };
}
