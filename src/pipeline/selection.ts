import { Follows, keyOf } from '../core/follows.ts';
import type { Follow, RecordId } from '../core/journal.ts';
import { followsIds, isResolved, type Match, matches } from '../core/match.ts';
import { isOwn, type RelayRecord } from '../core/record.ts';

/** Is the sink to be given a record, and what follows from that for its id. */
export interface Choice {
  readonly wanted: boolean;
  readonly follow?: Follow;
}

/**
 * Which records a sink is given: those that match, and those whose id once matched and is not resolved (R8). The
 * answer depends on the records of the journal and their order alone, never on what became of them at the sink. So
 * after a crash it is the same, and an event that is sent again has its old number (S6).
 */
export class Selection {
  readonly #match: Match;
  readonly #selfEvents: boolean;
  readonly #follows: (ids: readonly RecordId[]) => Promise<readonly boolean[]>;
  /** Said by records that have been taken and that the journal does not know of yet. */
  readonly #taken = new Follows();

  /**
   * @param selfEvents whether it is given what the relay tells of itself, which no match names (S7)
   * @param follows what the journal knows of ids
   */
  constructor(
    match: Match,
    selfEvents: boolean,
    follows: (ids: readonly RecordId[]) => Promise<readonly boolean[]>,
  ) {
    this.#match = match;
    this.#selfEvents = selfEvents;
    this.#follows = follows;
  }

  /** Consecutive records that come after all that have been taken. */
  async choose(records: readonly RelayRecord[]): Promise<readonly Choice[]> {
    const match = this.#match;
    const isNamed = (record: RelayRecord) =>
      isOwn(record) ? this.#selfEvents : isAgain(record) || matches(match, record);
    if (!followsIds(match)) return records.map((record) => ({ wanted: isNamed(record) }));
    const followed = await this.#followed(records.filter((record) => !isOwn(record) && !isNamed(record)));
    return records.map((record) => {
      if (isOwn(record) || isAgain(record)) return { wanted: isNamed(record) };
      const key = keyOf(record);
      const wanted = isNamed(record) || followed.get(key) === true;
      const follow = wanted ? followOf(record) : undefined;
      if (!follow) return { wanted };
      followed.set(key, follow.on);
      return { wanted, follow };
    });
  }

  /** Records are on their way to the sink. */
  taken(follow: readonly Follow[]): void {
    this.#taken.add(follow);
  }

  /** The journal knows of them. */
  settled(follow: readonly Follow[]): void {
    this.#taken.delete(follow);
  }

  /** Goes the sink on with these ids, as far as the records before them tell? */
  async #followed(records: readonly RelayRecord[]): Promise<Map<string, boolean>> {
    const followed = new Map<string, boolean>();
    const unknown = new Map<string, RecordId>();
    for (const { source, tenant, id } of records) {
      const key = keyOf({ source, tenant, id });
      const taken = this.#taken.get({ source, tenant, id });
      if (taken === undefined) unknown.set(key, { source, tenant, id });
      else followed.set(key, taken);
    }
    // Asked before anything more settles: what is not among the taken now is known to the journal now.
    const known = unknown.size > 0 ? await this.#follows([...unknown.values()]) : [];
    for (const [index, key] of [...unknown.keys()].entries()) followed.set(key, known[index] === true);
    return followed;
  }
}

/** It was wanted once, and was then refused. What follows from it for its id was noted at that time. */
function isAgain({ outcome }: RelayRecord): boolean {
  return outcome === 'retry';
}

/** What comes late tells the past: it ends nothing, for the present may be another. */
function followOf(record: RelayRecord): Follow | undefined {
  const { source, tenant, id, revision, outcome } = record;
  const on = !isResolved(record);
  if (!on && outcome !== 'new' && outcome !== 'update') return undefined;
  return { source, tenant, id, revision, on };
}
