import { JournalUnavailableError } from '../core/errors.ts';
import { spellDuration } from '../lib/spell.ts';
import type { Ballast } from './ballast.ts';
import type { JournalNotice } from './protocol.ts';
import type { Store } from './store.ts';
import { broken, diskFull, faultOf, isFull, isPassing, journalError } from './trouble.ts';

/** From one try to the next; doubled each time. */
const FIRST_MS = 1_000;
const LONGEST_MS = 10_000;
/** A fault that comes back sooner is still the same one. */
const CALM_MS = 60_000;

export interface HealingOptions {
  readonly directory: string;
  /** Opens the journal that is there, writes to it, and waits until that is on disk. */
  readonly open: () => Store;
  readonly ballast: Pick<Ballast, 'isThere' | 'make' | 'giveUp'>;
  readonly notify: (notice: JournalNotice) => void;
  /** Milliseconds of a clock that nobody sets. */
  readonly steady: () => number;
}

/**
 * The store, for as long as the disk lets us (K1, K6). It is in one of four states:
 *
 * - *well*: all is done.
 * - *full*: the disk had no room; the ballast was given up, and is not back yet. Nothing is appended; all else is done.
 * - *down*: an error of the disk left unknown what is on it. The store is closed, and nothing is done before it has been
 *   opened again, from what is on disk, and has written something there.
 * - *lost*: the journal contradicts itself, or there is a bug. There is no way back.
 *
 * Any fault of the disk leads to *down*; from there a try after some time, or at once when the ballast could be given
 * up, leads to *full* or *well*.
 */
export class Healing {
  readonly #options: HealingOptions;
  #store: Store | undefined;
  #lost: Error | undefined;
  /** What is wrong, and since when. */
  #fault: { message: string; readonly sinceMs: number } | undefined;
  /** The newest batch that is known to be on disk. */
  #lastBatch: number;
  #waitMs = FIRST_MS;
  #healedMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  constructor(store: Store, options: HealingOptions) {
    this.#options = options;
    this.#store = store;
    this.#lastBatch = store.lastBatch;
    this.#weigh();
  }

  /**
   * Does `work` with the store.
   *
   * @throws {JournalUnavailableError} what became of it is not known
   */
  run<T>(work: (store: Store) => T): T {
    if (this.#lost) throw this.#lost;
    if (!this.#store) throw this.#unavailable();
    try {
      const result = work(this.#store);
      this.#lastBatch = this.#store.lastBatch;
      return result;
    } catch (cause) {
      throw this.#failed(cause);
    }
  }

  /** @throws {JournalUnavailableError} the disk is full: what is left of it is for the sinks */
  checkRoom(): void {
    if (this.#fault) throw this.#unavailable();
  }

  /** The disk is, as far as is known. */
  get isWell(): boolean {
    return this.#store !== undefined && this.#fault === undefined;
  }

  /** Tries no more. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  #failed(cause: unknown): Error {
    const { directory, ballast } = this.#options;
    this.#abandon();
    if (!isPassing(cause)) {
      this.#lost = journalError(directory, cause);
      return this.#lost;
    }
    const given = isFull(cause) && ballast.giveUp();
    const message = given ? diskFull(directory) : faultOf(directory, cause);
    this.#tell({ message, usable: false }, cause);
    if (given) this.#heal();
    else this.#later();
    return new JournalUnavailableError(message, { cause });
  }

  #heal(): void {
    try {
      this.#store ??= this.#reopened();
    } catch (cause) {
      const { directory, notify } = this.#options;
      if (isPassing(cause)) {
        this.#tell({ message: faultOf(directory, cause), usable: false }, cause);
        this.#later();
      } else {
        this.#lost = journalError(directory, cause);
        notify({ lost: this.#lost.message });
      }
      return;
    }
    this.#weigh();
  }

  #reopened(): Store {
    const { open, directory, notify } = this.#options;
    const store = open();
    if (store.lastBatch >= this.#lastBatch) {
      // The word on a sink that was moved in the last commit was lost with the store, but the commit may not be.
      const moved = Array.from(store.places(), ([sink, position]) => ({ sink, position }));
      if (moved.length > 0) notify({ moved });
      return store;
    }
    store.abandon();
    throw broken(
      directory,
      `it ends at batch ${store.lastBatch}, and batch ${this.#lastBatch} was there before its disk failed`,
    );
  }

  /** The journal is open: is there room? */
  #weigh(): void {
    const { ballast, directory, notify, steady } = this.#options;
    if (!ballast.make()) {
      this.#tell({ message: diskFull(directory), usable: true });
      this.#later();
      return;
    }
    if (!this.#fault) return;
    const lastedMs = steady() - this.#fault.sinceMs;
    this.#fault = undefined;
    this.#healedMs = steady();
    notify({ fault: undefined });
    const message = `the disk of the journal is well again, after ${spellDuration(lastedMs)}: all goes on`;
    notify({ level: 'info', fields: { lastedMs }, message });
  }

  #later(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#heal(), this.#waitMs);
    this.#waitMs = Math.min(2 * this.#waitMs, LONGEST_MS);
  }

  /** Says it when it begins, and when it becomes another one. */
  #tell(fault: { message: string; usable: boolean }, cause?: unknown): void {
    const { notify, steady } = this.#options;
    const { message } = fault;
    if (!this.#fault && steady() - this.#healedMs >= CALM_MS) this.#waitMs = FIRST_MS;
    const told = this.#fault?.message === message;
    this.#fault = { message, sinceMs: this.#fault?.sinceMs ?? steady() };
    notify({ fault });
    if (!told) notify({ level: 'error', fields: codesOf(cause), message });
  }

  #abandon(): void {
    try {
      this.#store?.abandon();
    } catch {
      // What it holds is closed when the thread ends.
    }
    this.#store = undefined;
  }

  #unavailable(): JournalUnavailableError {
    return new JournalUnavailableError(this.#fault?.message ?? 'the journal is not open');
  }
}

/** What SQLite and the system call it. */
function codesOf(cause: unknown): object {
  const { code, errcode } = (cause ?? {}) as { code?: unknown; errcode?: unknown };
  return { ...(code !== undefined && { code }), ...(errcode !== undefined && { errcode }) };
}
