import { compareCursors } from '../core/cursor.ts';
import type { Comparison, Cursor, Extra, Fate, SourceKey } from '../core/journal.ts';
import { msOfTicks } from '../core/ticks.ts';
import type { Known, Since } from './outcome.ts';
import type { GapRow, GapTable } from './tables/gaps.ts';
import type { LedgerTable } from './tables/ledger.ts';
import type { MemoryTable } from './tables/memory.ts';
import type { RepairedTable } from './tables/repaired.ts';
import { keyText } from './tables/row.ts';
import type { SinkRow } from './tables/sinks.ts';

const HOUR_MS = 3_600_000;

type Record = Comparison['records'][number];

/** Of which source, and what of it is wanted. */
type Question = SourceKey & Pick<Comparison, 'updates'>;

export interface ComparingTables {
  readonly memory: MemoryTable;
  readonly ledger: LedgerTable;
  readonly gaps: GapTable;
  readonly repaired: RepairedTable;
}

/** What is remembered of a record that is listed. */
export interface Recalled {
  /** The number of the source. */
  readonly source: number;
  readonly record: Record;
  readonly known: Known;
  /** Where it stands in the journal, or stood. */
  readonly place: Cursor | undefined;
  readonly since: Since;
}

/** Compares what a source lists with what the journal remembers of it (K4, K7), and with what sinks were given (K5). */
export class Comparing {
  readonly #tables: ComparingTables;

  constructor(tables: ComparingTables) {
    this.#tables = tables;
  }

  recall(source: number, record: Record): Recalled {
    const { memory } = this.#tables;
    const known = memory.recall(source, record);
    return { source, record, known, place: memory.place(source, record), since: memory.since(source) };
  }

  /** It has never been put in the journal. */
  isUnread(recalled: Recalled, updates: Comparison['updates']): boolean {
    return recalled.place === undefined && fateOf(recalled, updates) === 'unread';
  }

  /** What became of each record at a sink. */
  fates(row: SinkRow, { source, tenant, updates }: Question, recalled: readonly Recalled[]): Fate[] {
    const gaps = this.#tables.gaps.of(row.name);
    const isMissed = ({ revision }: Record) =>
      gaps.some(({ ranges }) =>
        ranges.some(
          (range) =>
            range.source === source &&
            range.tenant === tenant &&
            range.from <= revision &&
            revision <= range.to,
        ),
      );
    return recalled.map((each) => {
      const place = this.#tables.repaired.place(each.source, row.name, each.record) ?? each.place;
      if (place) return this.#fateAt(row, gaps, place);
      const fate = fateOf(each, updates);
      // It may have been in the gap. That it was not, nobody can say any more.
      return fate === 'unknown' && isMissed(each.record) ? 'in-gap' : fate;
    });
  }

  #fateAt(row: SinkRow, gaps: readonly GapRow[], place: Cursor): Fate {
    const isIn = ({ from, to }: GapRow) => compareCursors(from, place) < 0 && compareCursors(place, to) <= 0;
    return gaps.some(isIn) ? 'in-gap' : this.#tables.ledger.fate(row, place);
  }

  /** What is remembered of the window and not listed, by the hour. */
  extra(source: number, from: bigint, to: bigint, records: readonly Record[]): Extra[] {
    const listed = new Set(records.map(({ id, revision }) => `${revision} ${keyText(id)}`));
    const hours = new Map<number, Extra>();
    for (const { key, revision, newest } of this.#tables.memory.within(source, from, to)) {
      if (listed.has(`${revision} ${key}`)) continue;
      const hourMs = Math.floor(msOfTicks(revision) / HOUR_MS) * HOUR_MS;
      const { replaced, gone } = hours.get(hourMs) ?? { replaced: 0, gone: 0 };
      const isReplaced = newest !== null && newest > revision;
      hours.set(hourMs, {
        hourMs,
        replaced: replaced + (isReplaced ? 1 : 0),
        gone: gone + (isReplaced ? 0 : 1),
      });
    }
    return [...hours.values()];
  }
}

/** What became of a record that has no place in the journal. */
function fateOf({ record, known, since }: Recalled, updates: Comparison['updates']): Exclude<Fate, 'in-gap'> {
  // Remembered without a place: `updates` did not want it.
  if (known.fingerprints.length > 0) return 'unwanted';
  const { newest } = known;
  if (newest !== undefined && newest > record.revision) return 'replaced';
  // Its row has gone: it was told, or nobody knows. What was never told is a later one than the newest that was.
  if (newest === record.revision || record.revision < since.seen) return 'unknown';
  const isWanted = newest === undefined ? !record.unwanted : updates === 'all';
  return isWanted ? 'unread' : 'unwanted';
}
