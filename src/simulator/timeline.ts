import { type Alert, type Change, drawChange, raiseAlert, revisionOf } from './alert.ts';
import type { FaultSwitches } from './faults.ts';
import { Random } from './random.ts';
import type { AlertRevision } from './revision.ts';
import type { AlertStore } from './store.ts';
import { keyOf } from './time.ts';

export interface TimelineOptions {
  readonly seed: number;
  readonly tenantId: string;
  readonly startMs: number;
  /** Alerts a second; 0: all at the start. */
  readonly rate: number;
  /** Raised in all, without those of `raise()`; may be `Infinity`. */
  readonly alerts: number;
  /** With `rate` 0: how long before the start the first one was raised; the others follow evenly. */
  readonly historyMs: number;
  /** Fault `late`: shortest and longest time until a revision can be read. */
  readonly lateMs: readonly [number, number];
  /** Fault `update`: shortest and longest time from one revision to the next. */
  readonly updateMs: readonly [number, number];
}

/** Something that happens later. */
interface Appointment {
  readonly what: 'show' | 'update';
  readonly atMs: number;
  readonly happen: () => void;
}

/** Most changes that one alert sees. */
const MAX_CHANGES = 3;

/**
 * What happens at the simulated company. It has no timers: whoever looks calls `advance`, and everything that
 * was due until then happens, in the order of its time. So nothing depends on how busy the machine is.
 */
export class Timeline {
  readonly #options: TimelineOptions;
  readonly #store: AlertStore;
  readonly #faults: FaultSwitches;
  readonly #raised: AlertRevision[];
  /** Latest first. */
  #agenda: Appointment[] = [];
  #ordinal = 0;
  /** Of the alerts that rise by `rate`. */
  #scheduled = 0;
  #remaining: number;
  #stopped = false;

  /** `raised` is where every revision made is noted, in order. */
  constructor(options: TimelineOptions, store: AlertStore, faults: FaultSwitches, raised: AlertRevision[]) {
    this.#options = options;
    this.#store = store;
    this.#faults = faults;
    this.#raised = raised;
    this.#remaining = options.alerts;
  }

  /** Lets everything happen that is due at `nowMs`. */
  advance(nowMs: number): void {
    for (;;) {
      const raiseMs = this.#nextRaiseMs();
      const appointment = this.#agenda.at(-1);
      if (Math.min(raiseMs, appointment?.atMs ?? Infinity) > nowMs) return;
      if (appointment && appointment.atMs <= raiseMs) {
        this.#agenda.pop();
        appointment.happen();
      } else {
        this.#scheduled += 1;
        this.#remaining -= 1;
        this.#raise(raiseMs);
      }
    }
  }

  /** Raises `count` alerts now, beyond those of the rate. */
  raise(count: number, nowMs: number): void {
    this.advance(nowMs);
    for (let n = 0; n < count; n++) this.#raise(nowMs);
  }

  /** A given alert, there from the start. */
  give(alert: AlertRevision): void {
    this.#raised.push(alert);
    this.#store.show(alert);
  }

  /** Raises nothing more by itself, and updates nothing more. What is late still comes. */
  stop(): void {
    this.#remaining = 0;
    this.#stopped = true;
    this.cancelUpdates();
  }

  cancelUpdates(): void {
    this.#agenda = this.#agenda.filter(({ what }) => what !== 'update');
  }

  /** What is still to come: alerts to be raised (`Infinity` without an end), updates, late revisions. */
  get pending(): number {
    return this.#remaining + this.#agenda.length;
  }

  #nextRaiseMs(): number {
    const { startMs, rate, alerts, historyMs } = this.#options;
    if (this.#remaining <= 0) return Infinity;
    if (rate > 0) return startMs + (this.#scheduled * 1000) / rate;
    return startMs - historyMs * (1 - this.#scheduled / alerts);
  }

  #raise(atMs: number): void {
    const { seed, tenantId } = this.#options;
    const ordinal = this.#ordinal++;
    const random = new Random(seed, ordinal, 0);
    const alert = raiseAlert(seed, tenantId, ordinal, this.#stamp(atMs, random));
    const updates = random.chance(this.#faults.probability('update')) ? random.int(1, MAX_CHANGES) : 0;
    this.#publish(alert, [], updates, atMs, random);
  }

  /** Makes a revision, shows it when it is time, and plans the next one. */
  #publish(alert: Alert, changes: readonly Change[], updates: number, atMs: number, random: Random): void {
    const late = random.chance(this.#faults.probability('late'));
    const visibleAt = late ? atMs + random.int(...this.#options.lateMs) : atMs;
    const revision = revisionOf(alert, changes, { raisedAt: atMs, visibleAt });
    this.#raised.push(revision);
    const show = () => {
      this.#store.show(revision);
      if (updates === 0 || this.#stopped || this.#faults.probability('update') === 0) return;
      const nextMs = visibleAt + Math.max(1, random.int(...this.#options.updateMs));
      this.#at('update', nextMs, () => {
        const change = drawChange(alert, changes.length + 1, this.#stamp(nextMs, random));
        this.#publish(alert, [...changes, change], updates - 1, nextMs, random);
      });
    };
    if (late) this.#at('show', visibleAt, show);
    else show();
  }

  /** Seven fraction digits, of which the clock gives three; never after `atMs`. */
  #stamp(atMs: number, random: Random): string {
    return keyOf(Math.floor(atMs) - 1, random.int(0, 9999));
  }

  #at(what: Appointment['what'], atMs: number, happen: () => void): void {
    let low = 0;
    let high = this.#agenda.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#agenda[middle]!.atMs > atMs) low = middle + 1;
      else high = middle;
    }
    this.#agenda.splice(low, 0, { what, atMs, happen });
  }
}
