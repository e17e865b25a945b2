import type { JournalStats } from '../core/journal.ts';
import type { Log } from '../core/log.ts';
import { spellDuration, spellSize } from '../lib/spell.ts';

/** Growth is measured over so long: shorter, and each burst would be an alarm; longer, and it would be late. */
const WINDOW_MS = 300_000;
/** Shares of the limit at which a backlog is told (K6), and so far below one that it may be told again. */
const ALARMS = [0.8, 0.5];
const CALM = 0.1;
/** What is further away is not in sight. */
const HORIZON_S = 30 * 86_400;

type Stats = Pick<JournalStats, 'bytes' | 'limitBytes' | 'records' | 'paused' | 'sinks'>;

/** A backlog has come to such a share of the limit, and will have filled the journal in so long. */
export interface Alarm {
  readonly sink: string;
  readonly percent: number;
  readonly fullInSeconds: number;
}

interface Look {
  readonly steadyMs: number;
  /** Records that each sink has still to be given. */
  readonly pending: ReadonlyMap<string, number>;
}

/**
 * When the backlog of each sink will have filled the journal, if it goes on growing as it does; told when it comes
 * to half and to four fifths of the limit, and when that is over.
 *
 * What was delivered does not count: it is given up for what was not. The size of a backlog is its share of the
 * records, taken as a share of the bytes.
 */
export class Filling {
  readonly #log: Log;
  readonly #alarm: (alarm: Alarm) => void;
  #looks: Look[] = [];
  readonly #fullIn = new Map<string, number>();
  /** Alarm that was told last of a sink. */
  readonly #told = new Map<string, number>();

  /** @param alarm is told, too, when a backlog comes to half or to four fifths */
  constructor(log: Log, alarm: (alarm: Alarm) => void = ignore) {
    this.#log = log;
    this.#alarm = alarm;
  }

  /** @param steadyMs of a clock that nobody sets */
  look(stats: Stats, steadyMs: number): void {
    const { sinks } = stats;
    const pending = new Map(sinks.map(({ name, pending }) => [name, pending]));
    this.#looks = [
      ...this.#looks.filter((look) => steadyMs - look.steadyMs <= WINDOW_MS),
      { steadyMs, pending },
    ];
    for (const { name, required = true } of sinks) {
      this.#fullIn.set(name, this.#estimate(name, stats));
      this.#tell(name, stats, required);
    }
  }

  /** Seconds until the backlog of a sink fills the journal; 0: it does; infinite: that is not in sight. */
  fullInSeconds(sink: string): number {
    return this.#fullIn.get(sink) ?? Number.POSITIVE_INFINITY;
  }

  #estimate(name: string, stats: Stats): number {
    const first = this.#looks[0]!;
    const last = this.#looks.at(-1)!;
    const now = last.pending.get(name) ?? 0;
    // While nothing is read nothing grows.
    const most = stats.sinks.filter(({ required }) => required !== false).map(({ pending }) => pending);
    if (stats.paused && now > 0 && now === Math.max(...most)) return 0;
    const grown = now - (first.pending.get(name) ?? now);
    if (grown <= 0 || stats.records === 0) return Number.POSITIVE_INFINITY;
    const perSecond = (grown * 1_000) / (last.steadyMs - first.steadyMs);
    const room = stats.limitBytes - backlogBytes(name, stats);
    const seconds = Math.max(0, room) / ((perSecond * stats.bytes) / stats.records);
    return seconds > HORIZON_S ? Number.POSITIVE_INFINITY : seconds;
  }

  #tell(name: string, stats: Stats, required: boolean): void {
    const { limitBytes } = stats;
    const bytes = backlogBytes(name, stats);
    const share = bytes / limitBytes;
    const told = this.#told.get(name) ?? 0;
    const alarm = ALARMS.find((each) => share >= each) ?? 0;
    const size = `${Math.round(share * 100)} % of the journal (${spellSize(bytes)} of ${spellSize(limitBytes)})`;
    if (alarm > told) {
      const seconds = this.fullInSeconds(name);
      const when = Number.isFinite(seconds)
        ? `, and in ${spellDuration(seconds * 1_000)} it will be full`
        : ', and it does not grow now';
      const then = required
        ? ''
        : '; what is oldest is let go of when it is full, for the sink is not required';
      this.#told.set(name, alarm);
      this.#alarm({ sink: name, percent: Math.round(share * 100), fullInSeconds: seconds });
      this.#log.warn(
        { sink: name, bytes, limitBytes },
        `what waits for this sink fills ${size}${when}${then}`,
      );
    } else if (share < told - CALM) {
      this.#told.set(name, alarm);
      if (alarm === 0)
        this.#log.info({ sink: name, bytes, limitBytes }, `what waits for this sink is down to ${size}`);
    }
  }
}

function backlogBytes(name: string, { bytes, records, sinks }: Stats): number {
  const pending = sinks.find((sink) => sink.name === name)?.pending ?? 0;
  return records === 0 ? 0 : Math.round((bytes * pending) / records);
}

function ignore(): void {}
