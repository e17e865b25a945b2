import type { OwnEvent, OwnEventId } from '../core/own-event.ts';
import type { Clock } from './clock.ts';

/** An event of the relay itself on its way to the disk. */
export interface OwnNote {
  readonly event: OwnEvent;
  /** When it happened, milliseconds since 1970. */
  readonly atMs: number;
  /** Events of its kind that were not told before it. */
  readonly untold: number;
}

/**
 * Most events of a kind in an hour. Whoever raises them keeps well below that; it is the last dam, so that nothing can
 * fill the journal, or the SIEM, with what the relay says of itself.
 */
const MOST_AN_HOUR = 60;
/** Most that wait for the disk. */
const MOST_WAITING = 200;
const HOUR_MS = 3_600_000;

/** What is to be told of the relay itself, until it is on disk; bounded, for the disk may be away for long. */
export class Telling {
  readonly #clock: Clock;
  #noted: OwnNote[] = [];
  /** On their way to the disk: they stay until it has them. */
  #sent: readonly OwnNote[] = [];
  /** When those of each kind were noted in the last hour. */
  readonly #times = new Map<OwnEventId, number[]>();
  readonly #untold = new Map<OwnEventId, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isEmpty(): boolean {
    return this.#noted.length + this.#sent.length === 0;
  }

  note(event: OwnEvent): void {
    const { kind } = event;
    const now = this.#clock.steady();
    const times = (this.#times.get(kind) ?? []).filter((at) => now - at < HOUR_MS);
    this.#times.set(kind, times);
    if (times.length >= MOST_AN_HOUR) {
      this.#giveUp({ event, untold: 0 });
      return;
    }
    times.push(now);
    this.#noted.push({ event, atMs: this.#clock.wall(), untold: this.#untold.get(kind) ?? 0 });
    this.#untold.delete(kind);
    // How things stand now is told by the newest.
    if (this.#noted.length > MOST_WAITING) this.#giveUp(this.#noted.shift()!);
  }

  /** Those that are to go to the disk; the same again until {@link stored}. */
  send(): readonly OwnNote[] {
    if (this.#sent.length === 0) {
      this.#sent = this.#noted;
      this.#noted = [];
    }
    return this.#sent;
  }

  /** The disk has them, or there was no room for them. */
  stored(hadRoom: boolean): void {
    if (!hadRoom) for (const note of this.#sent) this.#giveUp(note);
    this.#sent = [];
  }

  #giveUp({ event, untold }: Pick<OwnNote, 'event' | 'untold'>): void {
    this.#untold.set(event.kind, (this.#untold.get(event.kind) ?? 0) + untold + 1);
  }
}
