import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Cursor } from '../../core/journal.ts';
import type { SourceRecord } from '../../core/record.ts';
import type { Known } from '../outcome.ts';
import { keyText, one } from './row.ts';

/** Ticks that an id is remembered for after its last revision (K7): 90 days. */
export const STATE_KEPT = 90n * 86_400n * 10_000_000n;

/** What is known of the records that came: tables `seen` (K4) and `alert_state` (K7). */
export class MemoryTable {
  readonly #seen: StatementSync;
  readonly #newest: StatementSync;
  readonly #last: StatementSync;
  readonly #putSeen: StatementSync;
  readonly #putNewest: StatementSync;
  readonly #pruneSeen: StatementSync;
  readonly #pruneNewest: StatementSync;

  constructor(database: DatabaseSync) {
    this.#seen = database.prepare(
      'SELECT fingerprints FROM seen WHERE source = ? AND revision = ? AND id = ?',
    );
    this.#newest = database.prepare('SELECT revision FROM alert_state WHERE source = ? AND id = ?');
    this.#newest.setReadBigInts(true);
    this.#last = database.prepare('SELECT max(revision) AS revision FROM alert_state WHERE source = ?');
    this.#last.setReadBigInts(true);
    this.#putSeen = database.prepare('INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?, ?, ?)');
    this.#putNewest = database.prepare('INSERT OR REPLACE INTO alert_state VALUES (?, ?, ?)');
    this.#pruneSeen = database.prepare(`
      DELETE FROM seen WHERE (source, revision, id) IN
        (SELECT source, revision, id FROM seen WHERE source = ?1 AND revision < ?2 ORDER BY revision LIMIT ?3)`);
    this.#pruneNewest = database.prepare(`
      DELETE FROM alert_state WHERE (source, id) IN
        (SELECT source, id FROM alert_state WHERE source = ?1 AND revision < ?2 ORDER BY revision LIMIT ?3)`);
  }

  recall(source: number, { id, revision }: SourceRecord): Known {
    const key = keyText(id);
    const seen = one<{ fingerprints: string }>(this.#seen, source, revision, key);
    const newest = one<{ revision: bigint }>(this.#newest, source, key)?.revision;
    return { fingerprints: seen ? seen.fingerprints.split(' ') : [], newest };
  }

  /** The newest revision that a source ever gave, as far as that is remembered. */
  last(source: number): bigint | undefined {
    return one<{ revision: bigint | null }>(this.#last, source)?.revision ?? undefined;
  }

  /** Remembers a record that was not a duplicate, with its place in the journal, if it has one. */
  remember(source: number, record: SourceRecord, known: Known, place: Cursor | undefined): void {
    const { revision, fingerprint } = record;
    const key = keyText(record.id);
    const fingerprints = [...known.fingerprints, fingerprint].join(' ');
    this.#putSeen.run(source, revision, key, fingerprints, place?.batch ?? null, place?.index ?? null);
    if (known.newest === undefined || revision > known.newest) this.#putNewest.run(source, key, revision);
  }

  /** Forgets at most `limit` rows of each table, the oldest first, by the source's own time. */
  prune(source: number, floor: bigint, limit: number): void {
    this.#pruneSeen.run(source, floor, limit);
    this.#pruneNewest.run(source, floor - STATE_KEPT, limit);
  }
}
