import type { DatabaseSync, SQLOutputValue, StatementSync } from 'node:sqlite';
import { isWholeDeadLetter, type StoredDeadLetter } from './dead-letters.ts';
import { isWholeExtent, type StoredExtent } from './extents.ts';
import { isWholeGap, type StoredGap } from './gaps.ts';
import { isWholeGiven, isWholeWithheld, type StoredGiven, type StoredWithheld } from './ledger.ts';
import { isWholeApart, isWholeSink, type StoredApart, type StoredSink } from './sinks.ts';
import { isWholeSource, type SourceRow } from './sources.ts';

export type Row = Readonly<Record<string, SQLOutputValue>>;

/** A table besides `batch`, for those who go through all of a journal. */
export interface Kept {
  readonly name: string;
  /** Columns of its primary key. */
  readonly key: readonly string[];
  /** What one row of it is, and whether it is as it was written; left out: its rows have no hash. */
  readonly each?: { what(row: Row): string; isWhole(row: Row): boolean };
  /** What it means that a row cannot be had, and what is done about it. */
  readonly without: string;
}

/** Rows with a hash have small numbers only; one that is larger is not as it was written. */
const checked = <R>(what: (row: R) => string, isWhole: (row: R) => boolean): NonNullable<Kept['each']> => ({
  what: (row) => what(numbered(row) as R),
  isWhole: (row) => holds(() => isWhole(numbered(row) as R)),
});

/** A wrong byte can also make a value one of another kind, or none, with which nothing can be computed. */
function holds(isWhole: () => boolean): boolean {
  try {
    return isWhole();
  } catch {
    return false;
  }
}

/** In the order in which they are gone through: rows of later ones point to `source`. */
export const KEPT: readonly Kept[] = [
  {
    name: 'source',
    key: ['id'],
    each: checked<SourceRow>(
      ({ source, tenant }) => `the checkpoint of source ${source} (tenant ${tenant})`,
      isWholeSource,
    ),
    without:
      'the source begins anew at its startFrom, and what was told since then is told again: to have it read what lies ' +
      'before, set an earlier startFrom for the next start',
  },
  {
    name: 'sink',
    key: ['name'],
    each: checked<StoredSink>(({ name }) => `the cursor of sink ${name}`, isWholeSink),
    without: 'the sink is sent again all that the journal still has',
  },
  {
    name: 'apart',
    key: ['sink'],
    each: checked<StoredApart>(({ sink }) => `the numbers of sink ${sink}`, isWholeApart),
    without: 'the sink gets new ones',
  },
  {
    name: 'dead_letter',
    key: ['id'],
    each: checked<StoredDeadLetter>(
      ({ id, kind, name }) => `dead letter ${id} of ${kind} ${name}`,
      isWholeDeadLetter,
    ),
    without: 'the dead letter is let go of',
  },
  {
    name: 'gap',
    key: ['id'],
    each: checked<StoredGap>(({ id, sink }) => `gap ${id} of sink ${sink}`, isWholeGap),
    without: 'the gap is let go of: what the sink missed is known no more',
  },
  {
    name: 'given',
    key: ['sink', 'batch', 'position'],
    each: checked<StoredGiven>(({ sink }) => `a range of what sink ${sink} was given`, isWholeGiven),
    without: 'of these records it is not known any more whether the sink was given them',
  },
  {
    name: 'withheld',
    key: ['batch', 'stream'],
    each: checked<StoredWithheld>(
      ({ batch }) => `what sinks were not given of batch ${batch}`,
      isWholeWithheld,
    ),
    without: 'they count as given',
  },
  {
    name: 'extent',
    key: ['name', 'source'],
    each: {
      what: ({ name }) => `what is known of the size of table ${name}`,
      isWhole: (row) => holds(() => isWholeExtent(row as unknown as StoredExtent)),
    },
    without:
      'its rows are counted again, and it counts as if nothing had ever been given up for want of room',
  },
  {
    name: 'seen',
    key: ['source', 'revision', 'id'],
    without: 'alerts that are read again may be told again',
  },
  {
    name: 'alert_state',
    key: ['source', 'born', 'id'],
    without: 'alerts that are read again may be told again, or as new',
  },
  {
    name: 'followed',
    key: ['sink', 'source', 'id'],
    without: 'a sink with a match may not be told how alerts end that matched once',
  },
  {
    name: 'repaired',
    key: ['source', 'revision', 'id', 'sink'],
    without: 'a sink may be given again what it had missed and was given since',
  },
  { name: 'reconciled', key: ['source'], without: 'sources are compared sooner than they need to be' },
  { name: 'coverage', key: ['source', 'product'], without: 'status knows less of what was seen' },
];

/** Most rows read at a time: what reads long makes the log of a relay grow (K9). */
const PAGE = 500;

/**
 * The rows of a table, a page at a time. What cannot be read is passed over from both of its ends, and told; so is what
 * comes in the wrong order, for there the way back and forth may have no end.
 *
 * @param failed told once, when some of it cannot be read
 */
export function* rowsOf(
  database: DatabaseSync,
  { name, key }: Pick<Kept, 'name' | 'key'>,
  failed: (error: unknown) => void,
): Generator<readonly Row[]> {
  let limit = PAGE;
  let last: Row | undefined;
  for (;;) {
    try {
      const rows = page(database, name, key, last, limit, 'up');
      if (rows.length === 0) return;
      checkOrder(last ? [last, ...rows] : rows, key);
      yield rows;
      last = rows.at(-1);
    } catch (error) {
      if (limit === 1) {
        failed(error);
        break;
      }
      limit = 1;
    }
  }
  let next: Row | undefined;
  try {
    for (;;) {
      const [row] = page(database, name, key, next, 1, 'down');
      if (!row) return;
      checkOrder(
        [last, row, next].filter((each) => each !== undefined),
        key,
      );
      yield [row];
      next = row;
    }
  } catch {
    // From this end, too, no further: told above.
  }
}

/** @throws {Error} each row comes after the one before it, or should */
function checkOrder(rows: readonly Row[], key: readonly string[]): void {
  for (const [index, row] of rows.slice(1).entries()) {
    const before = rows[index]!;
    const column = key.find((each) => before[each] !== row[each]);
    if (column === undefined || compare(before[column], row[column]) > 0)
      throw new Error('its rows are not in their order');
  }
}

/** As SQLite does: nothing, then numbers, then texts by their bytes. */
function compare(a: SQLOutputValue | undefined, b: SQLOutputValue | undefined): number {
  const kind = (value: typeof a) => (value == null ? 0 : typeof value === 'string' ? 2 : 1);
  if (kind(a) !== kind(b) || a == null || b == null) return kind(a) - kind(b);
  if (typeof a === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(String(b)));
  return a < b ? -1 : 1;
}

function page(
  database: DatabaseSync,
  name: string,
  key: readonly string[],
  after: Row | undefined,
  limit: number,
  way: 'up' | 'down',
): Row[] {
  const order = key.map((column) => `${column} ${way === 'up' ? 'ASC' : 'DESC'}`).join(', ');
  const beyond = `WHERE (${key.join(', ')}) ${way === 'up' ? '>' : '<'} (${key.map(() => '?').join(', ')})`;
  const sql = `SELECT * FROM ${name} ${after ? beyond : ''} ORDER BY ${order} LIMIT ${limit}`;
  const values = after ? key.map((column) => after[column] ?? null) : [];
  return whole(database.prepare(sql)).all(...values);
}

/** Revisions are larger than a double can hold. */
function whole(statement: StatementSync): StatementSync {
  statement.setReadBigInts(true);
  return statement;
}

/** A row with its integers as numbers. */
export function numbered(row: Row): Row {
  const pairs = Object.entries(row).map(([column, value]) => [
    column,
    typeof value === 'bigint' ? Number(value) : value,
  ]);
  return Object.fromEntries(pairs);
}
