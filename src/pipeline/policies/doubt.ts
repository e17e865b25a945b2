import { type Outcome, refusalsOf } from '../outcome.ts';
import { HeldBackError } from './held-back.ts';

/** So many refusals without an acceptance between say more of the sink than of the records (S4). */
const MOST_REFUSALS = 10;

/**
 * Keeps what a sink refuses in doubt until it accepts a later record. A receiver whose index is read-only or whose
 * mapping is broken refuses everything, and all of that is wanted once it is mended; one that refuses a record and
 * takes the next one has said something of the record (S4).
 */
export class Doubt {
  #waiting: readonly Outcome[] = [];
  /** Refusals that only heartbeats have proved, since a record was accepted. */
  #byHeartbeat = 0;

  /** Takes what the sink has answered, in the order of the journal; gives what is certain now, in the same order. */
  answered(outcomes: readonly Outcome[]): readonly Outcome[] {
    const all = [...this.#waiting, ...outcomes];
    const accepted = all.findLastIndex(({ delivered }) => delivered !== undefined);
    if (accepted >= 0) this.#byHeartbeat = 0;
    const doubtful = all.findIndex(({ rejection }, index) => index > accepted && rejection !== undefined);
    if (doubtful < 0) {
      this.#waiting = [];
      return all;
    }
    this.#waiting = compacted(all.slice(doubtful));
    return all.slice(0, doubtful);
  }

  /**
   * The sink has accepted a heartbeat: what it refused before that is certain now, too. Not without end, for it may
   * take heartbeats and no record at all.
   */
  heartbeat(): readonly Outcome[] {
    const certain = this.#waiting;
    const refusals = refusalsOf(certain).length;
    if (refusals === 0 || this.#byHeartbeat + refusals >= MOST_REFUSALS) return [];
    this.#byHeartbeat += refusals;
    this.#waiting = [];
    return certain;
  }

  /** @throws {HeldBackError} too much is in doubt; all of it is kept */
  check(): void {
    const refusals = refusalsOf(this.#waiting);
    if (refusals.length < MOST_REFUSALS) return;
    throw new HeldBackError(
      `refused ${refusals.length} records and accepted none between (it says: ${refusals.at(-1)?.detail}). ` +
        'All of them are kept, and sent again later; look at what the receiver has against them',
      { reason: 'request' },
    );
  }
}

/** A sink that wants little may pass over millions of records behind one that is in doubt. */
function compacted(outcomes: readonly Outcome[]): Outcome[] {
  const kept: Outcome[] = [];
  for (const outcome of outcomes) {
    const last = kept.at(-1);
    if (last?.filtered !== undefined && outcome.filtered !== undefined)
      kept[kept.length - 1] = { end: outcome.end, filtered: last.filtered + outcome.filtered };
    else kept.push(outcome);
  }
  return kept;
}
