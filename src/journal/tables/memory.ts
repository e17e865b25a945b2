import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { formatState, parseState } from '../../core/changes.ts';
import type { Cursor } from '../../core/journal.ts';
import type { SourceRecord } from '../../core/record.ts';
import type { Known, Since } from '../outcome.ts';
import { Extents } from './extents.ts';
import { type Broken, keyText, one } from './row.ts';

const MINUTE = 600_000_000n;
/** Of what does not say when it was created, and of what an older version has stored. */
const NOT_KNOWN = 0;

/** Ticks that an id is remembered for after its last revision (K7): 90 days. */
export const STATE_KEPT = 90n * 86_400n * 10_000_000n;

/** A revision that was put in the journal, and the newest one of its id. */
export interface Remembered {
  /** The id as `keyText` gives it. */
  readonly key: string;
  readonly revision: bigint;
  readonly newest: bigint | null;
}

/**
 * What is known of the records that came: tables `seen` (K4) and `alert_state` (K7). Both lie in the order of time, so
 * that what comes together lies together: of ids, which are in no order, each would be in a page of its own. An alert
 * is therefore found again only when it says that it was created in the same minute.
 */
export class MemoryTable {
  readonly #seen: StatementSync;
  readonly #newest: StatementSync;
  readonly #last: StatementSync;
  readonly #within: StatementSync;
  readonly #putSeen: StatementSync;
  readonly #putNewest: StatementSync;
  readonly seen: Extents;
  readonly states: Extents;

  constructor(database: DatabaseSync, broken: Broken) {
    this.seen = new Extents(database, 'seen', 'source, revision, id', broken);
    this.states = new Extents(database, 'alert_state', 'source, born, id', broken);
    this.#seen = database.prepare(
      'SELECT fingerprints, batch, position FROM seen WHERE source = ? AND revision = ? AND id = ?',
    );
    this.#newest = database.prepare(`
      SELECT revision, state, born FROM alert_state WHERE source = ? AND born IN (${NOT_KNOWN}, ?) AND id = ?
      ORDER BY revision DESC LIMIT 1`);
    this.#newest.setReadBigInts(true);
    this.#last = database.prepare('SELECT max(revision) AS revision FROM alert_state WHERE source = ?');
    this.#last.setReadBigInts(true);
    this.#within = database.prepare(`
      SELECT seen.id AS key, seen.revision, newest.revision AS newest
      FROM seen LEFT JOIN alert_state AS newest
        ON newest.source = seen.source AND newest.born = seen.born AND newest.id = seen.id
      WHERE seen.source = ? AND seen.revision >= ? AND seen.revision < ? AND batch IS NOT NULL`);
    this.#within.setReadBigInts(true);
    this.#putSeen = database.prepare('INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?, ?, ?, ?)');
    this.#putNewest = database.prepare('INSERT OR REPLACE INTO alert_state VALUES (?, ?, ?, ?, ?)');
  }

  recall(source: number, record: Pick<SourceRecord, 'id' | 'revision' | 'created'>): Known {
    const key = keyText(record.id);
    const seen = one<{ fingerprints: string }>(this.#seen, source, record.revision, key);
    const newest = one<NewestRow>(this.#newest, source, bornOf(record), key);
    const fingerprints = seen ? seen.fingerprints.split(' ') : [];
    if (!newest) return { fingerprints, newest: undefined };
    const state = newest.state ? parseState(newest.state) : undefined;
    return { fingerprints, newest: newest.revision, born: Number(newest.born), ...(state && { state }) };
  }

  /** Where the last body of a revision stands that was put in the journal. */
  place(source: number, { id, revision }: Pick<SourceRecord, 'id' | 'revision'>): Cursor | undefined {
    const found = one<{ batch: number | null; position: number | null }>(
      this.#seen,
      source,
      revision,
      keyText(id),
    );
    if (found?.batch == null || found.position === null) return undefined;
    return { batch: found.batch, index: found.position };
  }

  /** What is remembered of revisions from `from` until before `to`, and was put in the journal. */
  *within(source: number, from: bigint, to: bigint): Generator<Remembered> {
    for (const row of this.#within.iterate(source, from, to)) {
      const { key, revision, newest } = row as unknown as Remembered;
      yield { key, revision, newest };
    }
  }

  /** The newest revision that a source ever gave, as far as that is remembered. */
  last(source: number): bigint | undefined {
    return one<{ revision: bigint | null }>(this.#last, source)?.revision ?? undefined;
  }

  /** Remembers a record that was not a duplicate, with its place in the journal, if it has one. */
  remember(source: number, record: SourceRecord, known: Known, place: Cursor | undefined): void {
    const { revision, fingerprint, state } = record;
    const key = keyText(record.id);
    const fingerprints = [...known.fingerprints, fingerprint].join(' ');
    // It stays where it is, for rows of `seen` point to it.
    const born = known.born ?? bornOf(record);
    this.#putSeen.run(source, revision, key, fingerprints, place?.batch ?? null, place?.index ?? null, born);
    if (known.fingerprints.length === 0) this.seen.added(source);
    if (known.newest === undefined) this.states.added(source);
    if (known.newest === undefined || revision >= known.newest)
      this.#putNewest.run(source, born, key, revision, state ? formatState(state) : null);
  }

  /** Forgets at most `limit` rows of each table, the oldest first, by the source's own time. */
  prune(source: number, floor: bigint, limit: number): void {
    this.seen.forget(source, floor, limit);
    this.states.forget(source, floor - STATE_KEPT, limit);
  }

  /** Since when what was seen is remembered of every source that has some. */
  get seenSince(): bigint | undefined {
    return this.seen.leastFloor;
  }

  /** Since when nothing of a source has been forgotten. */
  since(source: number): Since {
    return { seen: this.seen.floor(source), states: this.states.floor(source) };
  }

  /** Part of each transaction that has changed the tables. */
  store(): void {
    this.seen.store();
    this.states.store();
  }
}

interface NewestRow {
  readonly revision: bigint;
  readonly state: string | null;
  readonly born: bigint;
}

/** In whole minutes: another rounding of that time must not make it another alert. */
const bornOf = ({ created }: Pick<SourceRecord, 'created'>): number =>
  created === undefined ? NOT_KNOWN : Number(created / MINUTE);
