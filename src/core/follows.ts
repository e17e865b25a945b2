import type { Follow, RecordId } from './journal.ts';

/** The newest word on each id, while it is on its way to where it is kept. */
export class Follows {
  readonly #newest = new Map<string, Follow>();

  get(id: RecordId): boolean | undefined {
    return this.#newest.get(keyOf(id))?.on;
  }

  add(follow: readonly Follow[] = []): void {
    for (const each of follow) this.#newest.set(keyOf(each), each);
  }

  /** These have arrived; what was added after them for the same id stays. */
  delete(follow: readonly Follow[] = []): void {
    for (const each of follow) {
      const key = keyOf(each);
      if (this.#newest.get(key) === each) this.#newest.delete(key);
    }
  }
}

/** An id among those of all sources and tenants; names of these have no blanks. */
export function keyOf({ source, tenant, id }: RecordId): string {
  return `${source} ${tenant} ${id}`;
}
