import { setMaxListeners } from 'node:events';
import { Follows } from '../../src/core/follows.ts';
import type { Advance, Cursor, Journal, Loan, Position, RecordId } from '../../src/core/journal.ts';
import { noMark } from '../../src/core/mark.ts';
import type { RelayRecord } from '../../src/core/record.ts';
import { abortError } from '../../src/lib/wait.ts';

/** The delivering half of a journal in memory: one batch, whose indexes are the cursors. */
export class MemoryJournal
  implements Pick<Journal, 'take' | 'peek' | 'movedTo' | 'advance' | 'follows' | 'mark'>
{
  readonly records: RelayRecord[];
  readonly advances: Advance[] = [];
  readonly mark = noMark;
  /** Called whenever somebody has to wait for further records. */
  idle: () => void = () => {};
  /** What the journal has put the sink at. */
  moved: Position | undefined;
  readonly #follows = new Follows();
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
      this.idle();
      if (signal.aborted) throw abortError(signal);
      await Promise.race([
        this.#wake.promise,
        new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true })),
      ]);
    }
    if (signal.aborted) throw abortError(signal);
    return this.#lend(from, limit);
  }

  async peek({ index }: Cursor, limit: number): Promise<Loan | undefined> {
    return index + 1 < this.records.length ? this.#lend(index + 1, limit) : undefined;
  }

  #lend(from: number, limit: number): Loan {
    const records = this.records.slice(from, from + limit);
    return { records, ends: records.map((_, index) => ({ batch: 1, index: from + index })) };
  }

  movedTo(): Position | undefined {
    return this.moved;
  }

  advance(step: Advance): void {
    this.advances.push(step);
    this.#follows.add(step.follow);
  }

  async follows(_sink: string, ids: readonly RecordId[]): Promise<boolean[]> {
    return ids.map((id) => this.#follows.get(id) ?? false);
  }
}
