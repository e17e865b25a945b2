import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Cursor, GapStats } from '../../core/journal.ts';
import { msOfTicks } from '../../core/ticks.ts';
import { rowHash } from '../batch.ts';
import { joined, type Range } from '../ranges.ts';
import { type Broken, one } from './row.ts';

/** So many gaps a sink may have; then the newest grows over what the sink was given behind it. */
const MOST = 50;

/** What a sink was knowingly not given, with the reason. */
export interface Gap {
  readonly sink: string;
  /** After here … */
  readonly from: Cursor;
  /** … up to and with this place. */
  readonly to: Cursor;
  /** At most: some of them may have been on their way. */
  readonly records: number;
  readonly ranges: readonly Range[];
  /** `full`: the journal was. */
  readonly reason: 'full';
}

export interface GapRow extends Gap {
  readonly id: number;
  /** When records were let go of, first and last; milliseconds since 1970. */
  readonly begun: number;
  readonly grown: number;
  /** When the sink came on; `null`: it has not yet, and the gap may grow. */
  readonly ended: number | null;
}

/** A row of `gap`. */
export interface StoredGap {
  readonly id: number;
  readonly sink: string;
  readonly from_batch: number;
  readonly from_position: number;
  readonly to_batch: number;
  readonly to_position: number;
  readonly records: number;
  readonly ranges: string;
  readonly reason: 'full';
  readonly begun: number;
  readonly grown: number;
  readonly ended: number | null;
  readonly hash: string;
}

/** The gaps of sinks that are not required, or were not (K6). */
export class GapTable {
  readonly #broken: Broken;
  readonly #of: StatementSync;
  readonly #open: StatementSync;
  readonly #next: StatementSync;
  readonly #put: StatementSync;
  readonly #close: StatementSync;
  readonly #delete: StatementSync;

  constructor(database: DatabaseSync, broken: Broken) {
    this.#broken = broken;
    this.#of = database.prepare('SELECT * FROM gap WHERE sink = ? ORDER BY id');
    this.#open = database.prepare('SELECT * FROM gap WHERE sink = ? AND ended IS NULL');
    this.#next = database.prepare('SELECT coalesce(max(id), 0) + 1 AS id FROM gap');
    this.#put = database.prepare('INSERT OR REPLACE INTO gap VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)');
    this.#close = database.prepare('DELETE FROM gap WHERE id = ? AND grown = ? AND ended IS NOT NULL');
    this.#delete = database.prepare('DELETE FROM gap WHERE sink = ?');
  }

  /** The oldest first. */
  of(sink: string): GapRow[] {
    return (this.#of.all(sink) as unknown as StoredGap[]).map((columns) => this.#checked(columns));
  }

  /** Writes down what a sink loses; says whether that begins a gap or lets one grow. */
  add(gap: Gap, at: number): 'begun' | 'grown' {
    const open = this.#openOf(gap.sink);
    const all = open ? [] : this.of(gap.sink);
    const before = open ?? (all.length < MOST ? undefined : all.at(-1));
    const begun = { ...gap, id: one<{ id: number }>(this.#next)?.id ?? 1, begun: at, grown: at, ended: null };
    this.#write(before ? { ...begun, ...grownBy(before, gap) } : begun);
    return open ? 'grown' : 'begun';
  }

  /** The sink has come on; gives the gap that ends with this. */
  end(sink: string, at: number): GapRow | undefined {
    const open = this.#openOf(sink);
    if (open) this.#write({ ...open, ended: at });
    return open;
  }

  /** The gap has been refilled as far as that can be; `false`: it has grown since, or is not there any more. */
  close(id: number, grown: number): boolean {
    return Number(this.#close.run(id, grown).changes) > 0;
  }

  /** The sink has another name. */
  rename(from: string, to: string): void {
    for (const row of this.of(from)) this.#write({ ...row, sink: to });
  }

  /** The sink has been let go of. */
  deleteSink(sink: string): void {
    this.#delete.run(sink);
  }

  stats(sink: string): GapStats | undefined {
    const rows = this.of(sink);
    const last = rows.at(-1);
    if (!last) return undefined;
    const ranges = rows.flatMap((row) => row.ranges);
    return {
      count: rows.length,
      records: rows.reduce((sum, { records }) => sum + records, 0),
      oldestMs: Math.min(...ranges.map(({ from }) => msOfTicks(from))),
      newestMs: Math.max(...ranges.map(({ to }) => msOfTicks(to))),
      grownMs: last.grown,
      open: last.ended === null,
    };
  }

  #openOf(sink: string): GapRow | undefined {
    const columns = one<StoredGap>(this.#open, sink);
    return columns && this.#checked(columns);
  }

  #checked(columns: StoredGap): GapRow {
    const { id, sink, records, reason, begun, grown, ended } = columns;
    if (!isWholeGap(columns)) this.#broken(`gap ${id} of sink ${sink} is not as it was written`);
    const ranges = rangesOf(columns.ranges);
    return { id, sink, ...placesOf(columns), records, ranges, reason, begun, grown, ended };
  }

  #write(row: GapRow): void {
    const values = valuesOf(row, textOf(row.ranges));
    this.#put.run(...values, rowHash(values));
  }
}

/** It is as it was written. */
export const isWholeGap = (row: StoredGap): boolean =>
  row.hash === rowHash(valuesOf({ ...row, ...placesOf(row) }, row.ranges));

function placesOf(row: StoredGap): Pick<Gap, 'from' | 'to'> {
  return {
    from: { batch: row.from_batch, index: row.from_position },
    to: { batch: row.to_batch, index: row.to_position },
  };
}

function grownBy(row: GapRow, { records, ranges }: Gap): Partial<GapRow> {
  return {
    id: row.id,
    from: row.from,
    records: row.records + records,
    ranges: joined([...row.ranges, ...ranges]),
    begun: row.begun,
  };
}

function valuesOf(
  { id, sink, from, to, records, reason, begun, grown, ended }: Omit<GapRow, 'ranges'>,
  ranges: string,
) {
  const places = [from.batch, from.index, to.batch, to.index] as const;
  return [id, sink, ...places, records, ranges, reason, begun, grown, ended] as const;
}

type Written = [source: string, tenant: string, from: string, to: string, records: number];

function textOf(ranges: readonly Range[]): string {
  const written = ranges.map(
    ({ source, tenant, from, to, records }): Written => [source, tenant, `${from}`, `${to}`, records],
  );
  return JSON.stringify(written);
}

function rangesOf(text: string): Range[] {
  return (JSON.parse(text) as Written[]).map(([source, tenant, from, to, records]) => ({
    source,
    tenant,
    from: BigInt(from),
    to: BigInt(to),
    records,
  }));
}
