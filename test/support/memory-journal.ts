import { setMaxListeners } from 'node:events';
import type { Advance, Cursor, Journal, Loan } from '../../src/core/journal.ts';
import type { RelayRecord } from '../../src/core/record.ts';
import { abortError } from '../../src/lib/wait.ts';

/** The delivering half of a journal in memory: one batch, whose indexes are the cursors. */
export class MemoryJournal implements Pick<Journal, 'take' | 'advance'> {
  readonly records: RelayRecord[];
  readonly advances: Advance[] = [];
  #wake = Promise.withResolvers<void>();

  constructor(records: readonly RelayRecord[]) {
    this.records = [...records];
  }

  get cursor(): Cursor {
    return this.advances.at(-1)?.cursor ?? { batch: 1, index: -1 };
  }

  append(...records: RelayRecord[]): void {
    this.records.push(...records);
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }

  async take(cursor: Cursor, limit: number, signal: AbortSignal): Promise<Loan> {
    const from = cursor.index + 1;
    setMaxListeners(0, signal);
    while (from >= this.records.length) {
      if (signal.aborted) throw abortError(signal);
      await Promise.race([
        this.#wake.promise,
        new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true })),
      ]);
    }
    if (signal.aborted) throw abortError(signal);
    const records = this.records.slice(from, from + limit);
    return { records, ends: records.map((_, index) => ({ batch: 1, index: from + index })) };
  }

  advance(step: Advance): void {
    this.advances.push(step);
  }
}
