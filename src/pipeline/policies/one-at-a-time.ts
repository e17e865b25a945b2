import type { RelayRecord } from '../../core/record.ts';

/** A place in the row of those who wait for the same ids. */
export interface Turn {
  /** Resolves when all before it that have an id in common with it have left. */
  readonly comes: Promise<void>;
  /** It is answered for. */
  leave(): void;
}

/**
 * For a sink that has several sends under way, which may overtake each other: of two that have revisions of one id, the
 * later one waits until the earlier one is answered for (S1), so that the newest revision is what a receiver gets last.
 */
export class OneAtATime {
  /** The last that wants each id. */
  readonly #last = new Map<string, Promise<void>>();

  /** To be called in the order of the journal. */
  queue(records: readonly RelayRecord[]): Turn {
    const keys = new Set(records.map(({ source, tenant, id }) => JSON.stringify([source, tenant, id])));
    const before = [...keys].flatMap((key) => this.#last.get(key) ?? []);
    const { promise, resolve } = Promise.withResolvers<void>();
    for (const key of keys) this.#last.set(key, promise);
    return {
      comes: Promise.all(before).then(() => {}),
      leave: () => {
        resolve();
        for (const key of keys) if (this.#last.get(key) === promise) this.#last.delete(key);
      },
    };
  }
}
