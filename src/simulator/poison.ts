import { GraphError } from './answer.ts';
import { isBounded, type Window } from './filter.ts';
import type { AlertRevision } from './revision.ts';
import { timeKey } from './time.ts';

/**
 * One tick that cannot be read (fault `poison-page`): every window that holds it fails, whether or not an alert of
 * that time is left. A request without a window of time fails only with the page that the alert stands on, so that
 * asking for something else still works.
 */
export class Poison {
  #revision: string | undefined;
  #key = '';

  /** A `lastUpdateDateTime`; `undefined` while nothing is poisoned. */
  get revision(): string | undefined {
    return this.#revision;
  }

  /** @throws {Error} when `revision` is no time */
  set(revision: string | undefined): void {
    const key = revision === undefined ? '' : timeKey(revision);
    if (key === undefined) throw new Error(`"${revision}" is not an ISO 8601 time with zone`);
    this.#revision = revision;
    this.#key = key;
  }

  /** @throws {GraphError} 500 without a message, as Graph fails where it cannot say why */
  check(window: Window, rows: readonly AlertRevision[]): void {
    if (this.#revision === undefined) return;
    const key = this.#key;
    const held = isBounded(window)
      ? window.from <= key && key < window.to
      : rows.some(({ fields }) => fields.lastUpdateDateTime === key);
    if (held) throw new GraphError(500, 'UnknownError', '');
  }
}
