export interface RereadOptions {
  /** Milliseconds, only ever going forward; default: since the process began. */
  readonly clock?: () => number;
  /** At most so often is it read because somebody asks for it; default: every 30 s (S8). */
  readonly everyMs?: number;
}

/**
 * What others may replace while we run: a secret, a certificate. It is read again when somebody asks for it, by
 * content, because Kubernetes swaps a link above the file and watching the file would see nothing.
 */
export class Reread<T> {
  readonly #read: () => T;
  readonly #clock: () => number;
  readonly #everyMs: number;
  #lookedMs: number;
  #value: T;
  #trouble: string | undefined;

  /**
   * @param first what has just been read
   * @param read throws an error with a message for people when there is nothing to be had, or only half of it
   */
  constructor(first: T, read: () => T, options: RereadOptions = {}) {
    this.#read = read;
    this.#clock = options.clock ?? (() => performance.now());
    this.#everyMs = options.everyMs ?? 30_000;
    this.#value = first;
    this.#lookedMs = this.#clock();
  }

  /** The newest that was good. */
  value(): T {
    return this.#clock() - this.#lookedMs < this.#everyMs ? this.#value : this.look();
  }

  /** The same, read now. */
  look(): T {
    this.#lookedMs = this.#clock();
    try {
      this.#value = this.#read();
      this.#trouble = undefined;
    } catch (error) {
      this.#trouble = error instanceof Error ? error.message : String(error);
    }
    return this.#value;
  }

  /** Why the last look gave nothing, so that an older value is in use. */
  get trouble(): string | undefined {
    return this.#trouble;
  }
}
