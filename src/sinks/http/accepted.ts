import type { Outgoing } from './request.ts';

/** More than can be under way. */
const MOST = 20_000;

/**
 * What the far end has accepted, for as long as its send, or one before it, may fail and bring it again. It is known by
 * its running number, so what is told once more by somebody's wish is another thing.
 */
export class Accepted {
  /** By what it tells of: key and running number of each. */
  readonly #numbers = new Map<string, Map<string, number>>();
  #count = 0;

  /**
   * The events, in order, that have to be sent. Of what is sent now a newer telling that was accepted before counts no
   * more: it must come last (S1).
   */
  left(events: readonly Outgoing[]): Outgoing[] {
    return events.filter(({ about, key, number }) => {
      const known = this.#numbers.get(about);
      if (known?.has(key)) return false;
      for (const [other, later] of known ?? []) if (later > number) this.#forget(about, other);
      return true;
    });
  }

  add(events: readonly Outgoing[]): void {
    for (const { about, key, number } of events) {
      this.#forget(about, key);
      const known = this.#numbers.get(about) ?? new Map<string, number>();
      known.set(key, number);
      this.#count++;
      // To the end of the row, in which the oldest go first.
      this.#numbers.delete(about);
      this.#numbers.set(about, known);
    }
    for (const [about, known] of this.#numbers) {
      if (this.#count <= MOST) break;
      this.#numbers.delete(about);
      this.#count -= known.size;
    }
  }

  #forget(about: string, key: string): void {
    const known = this.#numbers.get(about);
    if (!known?.delete(key)) return;
    this.#count--;
    if (known.size === 0) this.#numbers.delete(about);
  }
}
