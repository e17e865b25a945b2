import type { FaultSwitches } from './faults.ts';
import { type Filter, windowOf } from './filter.ts';
import type { Random } from './random.ts';
import type { AlertRevision } from './revision.ts';
import type { AlertStore, Selection } from './store.ts';
import { keyOf } from './time.ts';
import type { Timeline } from './timeline.ts';

/** A place in a reading: what is asked for, and how many rows of it have been given before. */
export interface Place {
  readonly filter: Filter | undefined;
  readonly at: number;
}

/** Alerts of a tie, unless told otherwise. */
const TIES = 3_000;
/** The same with `skip-limit`, so that a tie can be read at all. */
const TIES_WITHIN_LIMIT = 400;
/** Most alerts raised between two pages. */
const MAX_NEWCOMERS = 3;

/** Faults that do nothing to an answer, but to the alerts while somebody reads them. */
export class Unrest {
  readonly #timeline: Timeline;
  readonly #store: AlertStore;
  readonly #faults: FaultSwitches;
  readonly #random: Random;
  readonly #ties: number | undefined;

  constructor(parts: {
    timeline: Timeline;
    store: AlertStore;
    faults: FaultSwitches;
    random: Random;
    ties: number | undefined;
  }) {
    this.#timeline = parts.timeline;
    this.#store = parts.store;
    this.#faults = parts.faults;
    this.#random = parts.random;
    this.#ties = parts.ties;
  }

  /** Before a reading begins: fault `ties`. */
  beforeReading(nowMs: number): void {
    if (this.#timeline.stopped || !this.#faults.hitsOnce('ties')) return;
    const withinLimit = this.#faults.probability('skip-limit') > 0;
    const count = this.#ties ?? (withinLimit ? TIES_WITHIN_LIMIT : TIES);
    this.#timeline.raise(count, nowMs, { tied: true });
  }

  /** Before a further page: faults `shift-pages` and `leave`. */
  betweenPages(place: Place, nowMs: number): void {
    if (this.#timeline.stopped) return;
    if (this.#faults.hits('shift-pages')) this.#shift(place, nowMs);
    if (canLeave(place, nowMs) && this.#faults.hits('leave')) this.#leave(place, nowMs);
  }

  #shift({ filter }: Place, nowMs: number): void {
    const { count, slice } = this.#store.find(filter);
    if (count === 0 || this.#random.chance(0.5)) {
      this.#timeline.raise(this.#random.int(1, MAX_NEWCOMERS), nowMs);
    } else this.#timeline.update(this.#one(slice, 0, count), nowMs);
  }

  /**
   * One alert that has been given leaves: those behind it move up, and the first one of the next page is skipped.
   * So does one that has not been given yet; of the rest of the reading it is missing itself.
   */
  #leave({ filter, at }: Place, nowMs: number): void {
    const { count, slice } = this.#store.find(filter);
    const leaving: AlertRevision[] = [];
    if (at > 0 && count > 0) leaving.push(...this.#one(slice, 0, Math.min(at, count)));
    if (at < count) leaving.push(...this.#one(slice, at, count));
    this.#timeline.update(leaving, nowMs);
  }

  #one(slice: Selection['slice'], from: number, to: number): AlertRevision[] {
    const chosen = this.#random.int(from, to - 1);
    return slice(chosen, chosen + 1);
  }
}

/** Whether an alert that changes now leaves the window: the time of a change is at least this. */
const canLeave = ({ filter }: Place, nowMs: number): boolean =>
  windowOf(filter).to <= keyOf(Math.floor(nowMs) - 1, 0);
