import type { Append, Appended, Journal } from '../../src/core/journal.ts';
import type { Outcome, SourceRecord } from '../../src/core/record.ts';
import { judge } from '../../src/journal/outcome.ts';

/** A record that was news, as the journal keeps it. */
export interface Kept {
  readonly id: string;
  readonly revision: bigint;
  readonly unrevised: number;
  readonly outcome: Outcome;
}

/** The keeping half of a journal, in memory: what is told, and what is known, by the rules of the real one. */
export class KeepingJournal implements Pick<Journal, 'checkpoint' | 'append' | 'room'> {
  readonly kept: Kept[] = [];
  /** Dead letters of the source: times that could not be read. */
  readonly unread = new Set<bigint>();
  #checkpoint: string | undefined;
  readonly #fingerprints = new Map<string, string[]>();
  readonly #newest = new Map<string, bigint>();

  async checkpoint(): Promise<string | undefined> {
    return this.#checkpoint;
  }

  async append(page: Append): Promise<Appended> {
    // As a real one does, it takes its time.
    await new Promise(setImmediate);
    const counts = { new: 0, duplicate: 0, filtered: 0, unknown: 0 };
    const told: { index: number; outcome: Outcome }[] = [];
    for (const [index, record] of page.records.entries()) {
      const verdict = this.#keep(record, page);
      if (typeof verdict === 'string') counts[verdict] += 1;
      else {
        counts.new += 1;
        told.push({ index, outcome: verdict.outcome });
      }
    }
    for (const at of page.readAgain ?? []) this.unread.delete(at);
    for (const { at } of page.unread ?? []) this.unread.add(at);
    this.#checkpoint = page.checkpoint;
    return { ...counts, told };
  }

  async room(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
  }

  #keep(record: SourceRecord, page: Append): ReturnType<typeof judge> {
    const { id, revision, fingerprint } = record;
    const key = `${id} ${revision}`;
    const fingerprints = this.#fingerprints.get(key) ?? [];
    const newest = this.#newest.get(id);
    const verdict = judge(record, { fingerprints, newest }, page);
    if (typeof verdict === 'string') return verdict;
    this.#fingerprints.set(key, [...fingerprints, String(fingerprint)]);
    if (newest === undefined || revision > newest) this.#newest.set(id, revision);
    this.kept.push({ id, revision, unrevised: verdict.unrevised, outcome: verdict.outcome });
    return verdict;
  }
}
