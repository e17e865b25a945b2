import type { SinkStats } from '../core/journal.ts';
import type { RelayRecord } from '../core/record.ts';
import { ticksOfMs } from '../core/ticks.ts';
import { isAbort } from '../lib/wait.ts';

export interface HeartbeatOptions {
  /** From one to the next, milliseconds. */
  readonly everyMs: number;
  /** How much waits for the sink. */
  readonly waiting: () => Promise<Pick<SinkStats, 'pending' | 'oldestPendingMs'>>;
}

/** When the next heartbeat of a sink is due: so long after the last one, or after the start. */
export class Pulse {
  readonly #everyMs: number;
  readonly #now: () => number;
  #lastMs: number;

  /** @param now milliseconds; a clock that is set back may cost one heartbeat its punctuality, no more */
  constructor(everyMs: number, now: () => number) {
    this.#everyMs = everyMs;
    this.#now = now;
    this.#lastMs = now();
  }

  get isDue(): boolean {
    return this.#leftMs() <= 0;
  }

  /** One has been made. */
  beat(): void {
    this.#lastMs = this.#now();
  }

  /** What `task` comes to, or nothing when a heartbeat is due before that; its signal then ends it. */
  async before<T>(signal: AbortSignal, task: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    const due = new AbortController();
    const timer = setTimeout(() => due.abort(), Math.max(0, this.#leftMs()));
    try {
      return await task(AbortSignal.any([signal, due.signal]));
    } catch (error) {
      if (!isAbort(error) || signal.aborted) throw error;
      return undefined;
    } finally {
      clearTimeout(timer);
    }
  }

  #leftMs(): number {
    const left = this.#lastMs + this.#everyMs - this.#now();
    return Math.min(left, this.#everyMs);
  }
}

/**
 * A record that says "still here" (S7). It is of no journal and has no running number: it names the last one that was
 * given before it, so that a SIEM can see whether it has all.
 */
export function heartbeat(
  { pending, oldestPendingMs }: Pick<SinkStats, 'pending' | 'oldestPendingMs'>,
  lastSequence: number,
  nowMs: number,
): RelayRecord {
  const oldestPending = oldestPendingMs === undefined ? null : new Date(oldestPendingMs).toISOString();
  return {
    kind: 'heartbeat',
    source: 'defender-relay',
    tenant: '',
    id: 'heartbeat',
    revision: ticksOfMs(nowMs),
    unrevised: 0,
    outcome: 'new',
    timeMs: nowMs,
    createdMs: nowMs,
    severity: 'informational',
    body: { lastSequence, pending, oldestPending },
  };
}
