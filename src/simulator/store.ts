import { type Filter, matches, updateRange } from './filter.ts';
import type { AlertRevision } from './revision.ts';

/** What can be read at this moment: of each alert one revision, the one that became visible last. */
export class AlertStore {
  readonly #byId = new Map<string, AlertRevision>();
  /** Oldest first by `lastUpdateDateTime`, so that a filter by time touches only its range. */
  readonly #sorted: AlertRevision[] = [];

  /** Takes the place of an earlier revision of the same alert. */
  show(alert: AlertRevision): void {
    const before = this.#byId.get(alert.id);
    if (before) this.#sorted.splice(this.#indexOf(before), 1);
    this.#byId.set(alert.id, alert);
    this.#sorted.splice(this.#firstFrom(alert.fields.lastUpdateDateTime, 'after'), 0, alert);
  }

  get(id: string): AlertRevision | undefined {
    return this.#byId.get(id);
  }

  all(): readonly AlertRevision[] {
    return this.#sorted;
  }

  /** What matches, newest first. */
  find(filter: Filter | undefined): AlertRevision[] {
    const { from, to } = updateRange(filter);
    const range = this.#sorted.slice(this.#firstFrom(from, 'at'), this.#firstFrom(to, 'after'));
    const found = filter ? range.filter((alert) => matches(filter, alert.fields)) : range;
    return found.reverse();
  }

  /** Index of the first alert updated at `key` or later, or after `key`. */
  #firstFrom(key: string, side: 'at' | 'after'): number {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.#sorted[middle]!.fields.lastUpdateDateTime;
      if (other < key || (side === 'after' && other === key)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #indexOf(alert: AlertRevision): number {
    return this.#sorted.indexOf(alert, this.#firstFrom(alert.fields.lastUpdateDateTime, 'at'));
  }
}
