import { after, type Filter, matches, windowOf } from './filter.ts';
import type { AlertRevision } from './revision.ts';

/** By `lastUpdateDateTime`, or by chance: then by a number that belongs to the id. */
export type Order = 'newest' | 'oldest' | 'random';

/** What matches at this moment, in the order in which it is served. To be used before anything changes. */
export interface Selection {
  readonly count: number;
  slice(from: number, to: number): AlertRevision[];
}

/** What can be read at this moment: of each alert one revision, the newest of those that were shown. */
export class AlertStore {
  readonly #order: Order;
  readonly #byId = new Map<string, AlertRevision>();
  /** Oldest first by `lastUpdateDateTime`, so that a filter by time touches only its range. */
  readonly #sorted: AlertRevision[] = [];

  constructor(order: Order = 'newest') {
    this.#order = order;
  }

  /** Takes the place of an earlier revision of the same alert; does nothing when a later one stands there. */
  show(alert: AlertRevision): void {
    const before = this.#byId.get(alert.id);
    if (before && isBefore(alert, before)) return;
    if (before) this.#sorted.splice(this.#indexOf(before), 1);
    this.#byId.set(alert.id, alert);
    this.#sorted.splice(this.#firstFrom(after(alert.fields.lastUpdateDateTime)), 0, alert);
  }

  get(id: string): AlertRevision | undefined {
    return this.#byId.get(id);
  }

  /** Oldest first. */
  all(): readonly AlertRevision[] {
    return this.#sorted;
  }

  find(filter: Filter | undefined): Selection {
    const window = windowOf(filter);
    const from = this.#firstFrom(window.from);
    const to = Math.max(from, this.#firstFrom(window.to));
    // A window of time alone, the common case, is neither copied nor looked through: a page of it costs a page.
    const { rest } = window;
    if (rest === undefined && this.#order !== 'random') return this.#range(from, to);
    const range = this.#sorted.slice(from, to);
    const inOrder = this.#arrange(rest ? range.filter(({ fields }) => matches(rest, fields)) : range);
    return { count: inOrder.length, slice: (first, end) => inOrder.slice(first, end) };
  }

  #range(from: number, to: number): Selection {
    const count = to - from;
    return {
      count,
      slice: (first, end) => {
        const [low, high] = [Math.min(first, count), Math.min(end, count)];
        if (this.#order === 'oldest') return this.#sorted.slice(from + low, from + high);
        return this.#sorted.slice(to - high, to - low).reverse();
      },
    };
  }

  #arrange(oldestFirst: AlertRevision[]): AlertRevision[] {
    if (this.#order === 'oldest') return oldestFirst;
    if (this.#order === 'newest') return oldestFirst.reverse();
    return oldestFirst
      .map((alert) => ({ alert, lot: lotOf(alert.id) }))
      .sort((a, b) => a.lot - b.lot)
      .map(({ alert }) => alert);
  }

  /** Index of the first alert updated at `key` or later. */
  #firstFrom(key: string): number {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#sorted[middle]!.fields.lastUpdateDateTime < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #indexOf(alert: AlertRevision): number {
    return this.#sorted.indexOf(alert, this.#firstFrom(alert.fields.lastUpdateDateTime));
  }
}

function isBefore(one: AlertRevision, other: AlertRevision): boolean {
  const [key, otherKey] = [one.fields.lastUpdateDateTime, other.fields.lastUpdateDateTime];
  return key < otherKey || (key === otherKey && one.unrevised < other.unrevised);
}

/** A number that has nothing to do with the time of the alert: FNV-1a. */
function lotOf(id: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < id.length; at++) hash = Math.imul(hash ^ id.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}
