import { type AlertState, type Change, changesBetween } from '../core/changes.ts';
import type { Append } from '../core/journal.ts';
import { createdOf, type SourceRecord } from '../core/record.ts';

/** Most bodies that are told under one revision beside the first (R1). */
export const MAX_UNREVISED = 3;

/** What the journal remembers of a record that comes (again). */
export interface Known {
  /** Fingerprints of the bodies that came under this very revision; empty when it was never seen. */
  readonly fingerprints: readonly string[];
  /** The newest revision of the id, if the id is known. */
  readonly newest: bigint | undefined;
  /** How it stood at that revision, as far as that is known. */
  readonly state?: Partial<AlertState>;
  /** Where the row of the id lies, if it is known (`MemoryTable`). */
  readonly born?: number;
}

/** Since which revision what was seen, and the newest of each id, are known without a gap. */
export interface Since {
  readonly seen: bigint;
  readonly states: bigint;
}

export type Verdict =
  | 'duplicate'
  | 'filtered'
  /** It may have been told: that has been forgotten. */
  | 'unknown'
  | { readonly outcome: 'new' | 'update' | 'late'; readonly unrevised: 0 }
  | { readonly outcome: 'unrevised'; readonly unrevised: number };

/**
 * What becomes of a record: is it told, and as what (R1, K7). A body that came before under this revision is a
 * duplicate, also when others came in between, so one that flaps (A, B, A, …) falls silent.
 *
 * What was seen may be forgotten sooner than readings end to ask for it (K6). The newest revision of the id then tells
 * most of it: a later one has never been told; nor has an id that is not known, from when on all ids are known. What is
 * left may have been told, and is not told again: a reading never tells twice.
 */
export function judge(
  record: Pick<SourceRecord, 'revision' | 'created' | 'fingerprint' | 'unwanted'>,
  known: Known,
  { floor, updates }: Pick<Append, 'floor' | 'updates'>,
  since: Since = { seen: 0n, states: 0n },
): Verdict {
  // Not remembered either: it is wanted as soon as it has been told once (R8).
  if (record.unwanted && known.newest === undefined) return 'filtered';
  const verdict = judgeChange(record, known, floor, since);
  if (typeof verdict === 'string') return verdict;
  return updates === 'none' && verdict.outcome !== 'new' ? 'filtered' : verdict;
}

function judgeChange(
  record: Pick<SourceRecord, 'revision' | 'created' | 'fingerprint'>,
  { fingerprints, newest }: Known,
  floor: bigint,
  since: Since,
): Exclude<Verdict, 'filtered'> {
  if (fingerprints.length > 0) {
    const told = fingerprints.includes(String(record.fingerprint));
    if (told || fingerprints.length > MAX_UNREVISED) return 'duplicate';
    return { outcome: 'unrevised', unrevised: fingerprints.length };
  }
  // What lies below the floor nobody has asked for, and it is told as ever.
  const isForgotten = record.revision >= floor && record.revision < since.seen;
  if (newest === undefined) {
    if (isForgotten && record.revision < since.states) return 'unknown';
    // An id older than our memory was told before, as far as anybody can know.
    const created = createdOf(record);
    const isOld = created < floor || created < since.states;
    return { outcome: isOld ? 'update' : 'new', unrevised: 0 };
  }
  // Told, and its `seen` row has gone since.
  if (record.revision === newest) return 'duplicate';
  if (record.revision > newest) return { outcome: 'update', unrevised: 0 };
  return isForgotten ? 'unknown' : { outcome: 'late', unrevised: 0 };
}

/** What has changed since what was told last; `undefined`: that is not known, or it is the past that is told (K7). */
export function changesOf(
  { revision, state }: Pick<SourceRecord, 'revision' | 'state'>,
  known: Known,
): readonly Change[] | undefined {
  const isNewest = known.newest !== undefined && revision >= known.newest;
  return isNewest && state && known.state ? changesBetween(known.state, state) : undefined;
}
