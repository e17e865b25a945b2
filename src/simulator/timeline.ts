import { raiseAlert, revisionOf } from './alert.ts';
import type { FaultName, FaultSwitches } from './faults.ts';
import { Random } from './random.ts';
import type { AlertRevision } from './revision.ts';
import type { AlertStore } from './store.ts';
import { keyAfter, keyOf } from './time.ts';

export interface TimelineOptions {
  readonly seed: number;
  readonly tenantId: string;
  readonly startMs: number;
  /** For what nobody has planned: `update()` and ties. */
  readonly random: Random;
  /** Alerts a second; 0: all at the start. */
  readonly rate: number;
  /** Raised in all, without those of `raise()`; may be `Infinity`. */
  readonly alerts: number;
  /** With `rate` 0: how long before the start the first one was raised; the others follow evenly. */
  readonly historyMs: number;
  /** Fault `late`: shortest and longest time until a revision can be read. */
  readonly lateMs: readonly [number, number];
  /** Fault `very-late`: the same. */
  readonly veryLateMs: readonly [number, number];
  /** Faults `update` and `unrevised`: shortest and longest time from one change to the next. */
  readonly updateMs: readonly [number, number];
}

/** Alerts that are there from the start. */
export interface Backlog {
  readonly count: number;
  /** How long before the start the first one was raised; the others follow evenly. */
  readonly spanMs: number;
  /** So many in the middle have one and the same `lastUpdateDateTime`. */
  readonly tied: number;
}

/** What can become of an alert, by the fault that brings it about. */
type Step = 'update' | 'unrevised';

/** Something that happens later. */
interface Appointment {
  readonly what: 'show' | 'update';
  readonly atMs: number;
  readonly happen: () => void;
}

/** Most planned changes of a kind that one alert sees. */
const MAX_CHANGES = 3;

const DAY_MS = 86_400_000;

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

  /** Raises `count` alerts now, beyond those of the rate; `tied`: with one and the same time, and no faults. */
  raise(count: number, nowMs: number, { tied = false } = {}): void {
    this.advance(nowMs);
    if (tied) this.#raiseTied(count, nowMs);
    else for (let n = 0; n < count; n++) this.#raise(nowMs);
  }

  /** Changes these alerts now, beyond what is planned: each gets a revision that can be read at once. */
  update(alerts: readonly AlertRevision[], nowMs: number): void {
    const seen = { raisedAt: nowMs, visibleAt: nowMs };
    for (const alert of alerts) {
      const { random } = this.#options;
      this.#publish(alert.next(this.#stampAfter(alert, nowMs, random), seen), [], random);
    }
  }

  /** Alerts of before the start. No fault strikes them while they are raised. */
  raiseBacklog({ count, spanMs, tied }: Backlog): void {
    const timeOf = (n: number) => this.#options.startMs - spanMs * (1 - n / count);
    const first = Math.floor((count - tied) / 2);
    for (let n = 0; n < first; n++) this.#raise(timeOf(n), { calm: true });
    this.#raiseTied(tied, timeOf(first));
    for (let n = first + tied; n < count; n++) this.#raise(timeOf(n), { calm: true });
  }

  #raiseTied(count: number, atMs: number): void {
    if (count === 0) return;
    const key = this.#stamp(atMs, this.#options.random);
    for (let n = 0; n < count; n++) this.#raise(atMs, { key, calm: true });
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

  /** Whether nothing more may happen by itself. */
  get stopped(): boolean {
    return this.#stopped;
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

  /** `calm`: no fault strikes it. */
  #raise(atMs: number, { key, calm = false }: { key?: string; calm?: boolean } = {}): void {
    const { seed, tenantId } = this.#options;
    const ordinal = this.#ordinal++;
    const random = new Random(seed, ordinal, 0);
    const stampMs = !calm && this.#hits('future', random) ? atMs + DAY_MS : atMs;
    const alert = raiseAlert(seed, tenantId, ordinal, key ?? this.#stamp(stampMs, random));
    const plan = calm ? [] : this.#plan(random);
    const lateMs = calm ? 0 : this.#latenessMs(random);
    const seen = { raisedAt: atMs, visibleAt: atMs + lateMs };
    this.#publish(revisionOf(alert, [], seen), plan, random);
  }

  /** What will become of a new alert. */
  #plan(random: Random): Step[] {
    const times = (step: Step): Step[] =>
      Array(this.#hits(step, random) ? random.int(1, MAX_CHANGES) : 0).fill(step);
    const [updates, unrevised] = [times('update'), times('unrevised')];
    return random.chance(0.5) ? [...unrevised, ...updates] : [...updates, ...unrevised];
  }

  #latenessMs(random: Random): number {
    if (this.#hits('very-late', random)) return random.int(...this.#options.veryLateMs);
    return this.#hits('late', random) ? random.int(...this.#options.lateMs) : 0;
  }

  #hits(name: FaultName, random: Random): boolean {
    return this.#faults.hits(name, random);
  }

  /** Notes a revision, shows it when it is time, and takes the next step of the plan some time after that. */
  #publish(revision: AlertRevision, [step, ...rest]: readonly Step[], random: Random): void {
    const { id, raisedAt, visibleAt } = revision;
    this.#raised.push(revision);
    const show = () => {
      this.#store.show(revision);
      if (step === undefined || this.#stopped || this.#faults.probability(step) === 0) return;
      const nextMs = visibleAt + Math.max(1, random.int(...this.#options.updateMs));
      this.#at('update', nextMs, () => {
        const now = this.#store.get(id) ?? revision;
        const key = step === 'update' ? this.#stampAfter(now, nextMs, random) : now.fields.lastUpdateDateTime;
        const seen = { raisedAt: nextMs, visibleAt: nextMs + this.#latenessMs(random) };
        this.#publish(now.next(key, seen), rest, random);
      });
    };
    if (visibleAt > raisedAt) this.#at('show', visibleAt, show);
    else show();
  }

  /** Later than what stands there, also when that is from the same millisecond or from tomorrow. */
  #stampAfter({ fields }: AlertRevision, atMs: number, random: Random): string {
    const stamp = this.#stamp(atMs, random);
    const earliest = keyAfter(fields.lastUpdateDateTime);
    return stamp > earliest ? stamp : earliest;
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
