import type { DatabaseSync } from 'node:sqlite';
import { compareCursors } from '../core/cursor.ts';
import type { Cursor } from '../core/journal.ts';
import { isoSecondsOfTicks } from '../core/ticks.ts';
import { spellCount } from '../lib/spell.ts';
import { decompress, readRecords } from './batch.ts';
import { START } from './cursor.ts';
import { faultOf } from './structure.ts';
import { type BatchHead, batchHash } from './tables/batches.ts';
import { KEPT, type Kept, numbered, type Row, rowsOf } from './tables/kept.ts';
import { one } from './tables/row.ts';
import type { StoredSink } from './tables/sinks.ts';

/** Something that is not as it should be. */
export interface Problem {
  readonly what: string;
  /** What a repair does about it. */
  readonly repair: string;
}

/** Consecutive batches that cannot be had. */
export interface Lost {
  readonly first: number;
  readonly last: number;
  /** Sinks that had not come to their end. */
  readonly sinks: readonly string[];
  /** Some sink may be owed them. */
  readonly owed: boolean;
  /** Which records were in them, as far as the journal remembers. */
  readonly of: readonly LostRecords[];
}

export interface LostRecords {
  readonly source: string;
  readonly tenant: string;
  readonly records: number;
  /** Of their revisions: when they were changed last, ISO 8601 in UTC. */
  readonly from: string;
  readonly to: string;
}

/** What was gone through, and what was found. */
export class Findings {
  /** The batches that there are, or should be. */
  first = 1;
  last = 0;
  /** Batches that are whole, with the number of their records. */
  readonly batches = new Map<number, number>();
  /** Those that should be there, and are not whole. */
  readonly broken: number[] = [];
  /** Rows that are whole, by table. */
  readonly rows = new Map<string, number>();
  readonly sinks: StoredSink[] = [];
  /** Sinks whose row is there and cannot be trusted. */
  readonly unplaced: string[] = [];
  /** There may be sinks of which nothing is known. */
  sinksMissing = false;
  readonly problems: Problem[] = [];
  lost: Lost[] = [];

  get records(): number {
    return this.batches.values().reduce((sum, records) => sum + records, 0);
  }

  isWhole(): boolean {
    return this.problems.length === 0;
  }

  problem(what: string, repair: string): void {
    this.problems.push({ what, repair });
  }
}

/** Is given what is whole, as it is found: rows of tables first, then all batches in their order. */
export interface Keep {
  rows?(table: string, rows: readonly Row[]): void;
  batch?(head: BatchHead, data: Uint8Array, text: Uint8Array): void;
  /** @param ahead sinks that are still to be given it */
  lost?(id: number, what: string, ahead: readonly string[]): void;
}

export interface ExamineOptions {
  /**
   * A relay is at work on it: only what can be read in short pieces, and is worth the disk's time, is looked at; not
   * SQLite's pages, and not rows without a hash.
   */
  readonly beside: boolean;
}

/** Most that SQLite tells of its pages. */
const MOST_PAGES = 20;
/** More can hardly be missing at the end: then it is the number that is wrong. */
const MOST_MISSING = 100_000;
const COPY = 'what can be read is copied';

/**
 * Goes through all of a journal: pages, the hash of each row that has one, the records of each batch, the places of
 * the sinks (K3, K5). What cannot be read is told like what is wrong, and passed over. Between two steps nothing is
 * being read, so that it can go on beside a relay, and at any pace (K9). Yields the share that is done.
 */
export function* examine(
  database: DatabaseSync,
  { beside }: ExamineOptions,
  keep: Keep = {},
): Generator<number, Findings> {
  const found = new Findings();
  if (!beside) checkPages(database, found);
  yield 0;
  for (const table of tablesIn(database, found)) {
    if (beside && !table.each) continue;
    for (const rows of rowsOf(database, table, (error) => unreadable(table, error, found))) {
      const whole = checkRows(table, rows, found);
      keep.rows?.(table.name, whole);
      yield 0;
    }
  }
  yield* examineBatches(database, found, keep);
  checkPlaces(database, found);
  // There may be rows that were passed over.
  if (!beside && !found.isWhole() && faultOf(database, 'sink') !== undefined) found.sinksMissing = true;
  found.lost = rangesOf(found).map(([first, last]) => ({
    ...{ first, last },
    sinks: ahead(found, last),
    owed: found.sinksMissing || ahead(found, last).length > 0,
    of: beside ? [] : recordsIn(database, first, last),
  }));
  return found;
}

/** Sinks that are still to be given something of a batch, as far as is known. */
function ahead({ sinks, unplaced }: Findings, id: number): string[] {
  return [...sinks.filter(({ batch }) => batch <= id).map(({ name }) => name), ...unplaced];
}

function checkRows(table: Kept, rows: readonly Row[], found: Findings): Row[] {
  const { name, each, without } = table;
  const whole = rows.filter((row) => {
    const isWhole = each?.isWhole(row) ?? true;
    if (!isWhole) found.problem(`${each?.what(row)} is not as it was written`, without);
    if (name === 'sink' && isWhole) found.sinks.push(numbered(row) as unknown as StoredSink);
    if (name === 'sink' && !isWhole) {
      found.unplaced.push(String(row.name));
      found.sinksMissing = true;
    }
    return isWhole;
  });
  found.rows.set(name, (found.rows.get(name) ?? 0) + whole.length);
  return whole;
}

function unreadable({ name, without }: Kept, error: unknown, found: Findings): void {
  if (name === 'sink') found.sinksMissing = true;
  found.problem(`some of the table ${name} cannot be read: ${messageOf(error)}`, without);
}

/** Those that a journal of its schema has. */
function tablesIn(database: DatabaseSync, found: Findings): Kept[] {
  try {
    const rows = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
    const names = new Set(rows.map(({ name }) => name));
    if (names.has('batch'))
      return KEPT.filter(({ name }) => names.has(name)).map((table) => asItIs(database, table));
    found.problem('it has no records at all', COPY);
  } catch (error) {
    found.problem(`its list of tables cannot be read: ${messageOf(error)}`, COPY);
  }
  found.sinksMissing = true;
  return [];
}

/** By the columns of its key that it has. */
function asItIs(database: DatabaseSync, table: Kept): Kept {
  const columns = database.prepare('SELECT name FROM pragma_table_info(?)').all(table.name);
  const names = new Set(columns.map(({ name }) => name));
  return { ...table, key: table.key.filter((column) => names.has(column)) };
}

function checkPages(database: DatabaseSync, found: Findings): void {
  try {
    for (const row of database.prepare(`PRAGMA integrity_check(${MOST_PAGES})`).all()) {
      const text = String(row.integrity_check).replaceAll(/\s*\n\s*/g, '; ');
      if (text !== 'ok') found.problem(`SQLite finds: ${text}`, COPY);
    }
  } catch (error) {
    found.problem(`SQLite cannot read the file: ${messageOf(error)}`, COPY);
  }
}

function* examineBatches(database: DatabaseSync, found: Findings, keep: Keep): Generator<number> {
  const { first, last } = batchesIn(database, found);
  found.first = first;
  found.last = last;
  let ordinal: number | undefined;
  for (let id = first; id <= last; id++) {
    const batch = readBatch(database, id);
    if (typeof batch === 'string') {
      // What was delivered may be given up by a relay meanwhile.
      if (firstIn(database) > id) continue;
      found.problem(batch, 'it is left out, and its place stays empty');
      found.broken.push(id);
      keep.lost?.(id, batch, ahead(found, id));
      ordinal = undefined;
    } else {
      const { head, data, text } = batch;
      if (ordinal !== undefined && head.ordinal !== ordinal)
        found.problem(`batch ${id} does not go on where the one before it ends`, 'they are counted anew');
      ordinal = head.ordinal + (head.target === null ? head.records : 0);
      found.batches.set(id, head.records);
      keep.batch?.(head, data, text);
    }
    yield (id - first + 1) / (last - first + 1);
  }
}

interface ReadBatch {
  readonly head: BatchHead;
  readonly data: Uint8Array;
  readonly text: Uint8Array;
}

/** The batch, or what is wrong with it. */
function readBatch(database: DatabaseSync, id: number): ReadBatch | string {
  try {
    const statement = database.prepare('SELECT * FROM batch WHERE id = ?');
    statement.setReadBigInts(true);
    const row = one<Row>(statement, id);
    if (!row) return `batch ${id} is missing`;
    const { hash, data, ...head } = numbered(row) as unknown as BatchHead & {
      hash: string;
      data: Uint8Array;
    };
    if (hash !== batchHash(head, data)) return `batch ${id} is not as it was written`;
    const text = decompress(data, head.bytes);
    const { length } = readRecords(head.format, text);
    if (length !== head.records) return `batch ${id} has ${length} records in place of ${head.records}`;
    return { head, data, text };
  } catch (error) {
    return `batch ${id} cannot be read: ${messageOf(error)}`;
  }
}

/** The first and the last batch that should be there. The newest is never let go of. */
function batchesIn(database: DatabaseSync, found: Findings): { first: number; last: number } {
  const ask = (sql: string) => {
    try {
      return Number(Object.values(database.prepare(sql).get() ?? {})[0] ?? 0);
    } catch {
      return undefined;
    }
  };
  const cursors = found.sinks.map(({ batch }) => batch);
  const newest = newestIn(database);
  const given = ask("SELECT seq FROM sqlite_sequence WHERE name = 'batch'") ?? 0;
  const known = Math.max(0, newest ?? 0, ...cursors);
  const last = newest === undefined || given - known < MOST_MISSING ? Math.max(known, given) : known;
  if (last !== given)
    found.problem(`the number of the newest batch, ${given}, is not as it was written`, COPY);
  const lowest = Math.max(1, Math.min(last, ...cursors));
  return { first: Math.max(1, ask('SELECT min(id) FROM batch') || lowest), last };
}

/** The number of one that is not whole may be any number. `undefined`: none can be had. */
function newestIn(database: DatabaseSync): number | undefined {
  try {
    const statement = database.prepare('SELECT id FROM batch ORDER BY id DESC LIMIT 8');
    const ids = statement.all().map(({ id }) => Number(id));
    return ids.find((id) => typeof readBatch(database, id) !== 'string') ?? ids[0] ?? 0;
  } catch {
    return undefined;
  }
}

/** 0: there is none, or it cannot be read. */
function firstIn(database: DatabaseSync): number {
  try {
    return Number(database.prepare('SELECT min(id) AS first FROM batch').get()?.first ?? 0);
  } catch {
    return 0;
  }
}

function checkPlaces(database: DatabaseSync, found: Findings): void {
  for (const { name, batch, position } of found.sinks) {
    if (hasPlace(found, { batch, index: position }) || firstIn(database) > batch) continue;
    const place = `batch ${batch}, record ${position}`;
    found.problem(
      `sink ${name} stands at ${place}, which is not in the journal`,
      'it is sent again all that the journal still has',
    );
  }
}

/** Can a cursor stand there? One in a batch that is broken can: it goes on after that. */
export function hasPlace({ first, last, batches }: Findings, cursor: Cursor): boolean {
  if (compareCursors(cursor, START) === 0) return first === 1;
  const records = batches.get(cursor.batch);
  if (records !== undefined) return cursor.index < records;
  return cursor.batch >= first && cursor.batch <= last;
}

/** Batches that are not whole, put together. */
function rangesOf({ broken }: Findings): [first: number, last: number][] {
  const ranges: [number, number][] = [];
  for (const id of broken) {
    const range = ranges.at(-1);
    if (range?.[1] === id - 1) range[1] = id;
    else ranges.push([id, id]);
  }
  return ranges;
}

/** What is remembered of the records of some batches; empty when nothing is. */
function recordsIn(database: DatabaseSync, first: number, last: number): LostRecords[] {
  try {
    const statement = database.prepare(`
      SELECT source.source, source.tenant, count(*) AS records, min(revision) AS low, max(revision) AS high
      FROM seen JOIN source ON source.id = seen.source WHERE batch BETWEEN ? AND ? GROUP BY source.id`);
    statement.setReadBigInts(true);
    return statement.all(first, last).map(({ source, tenant, records, low, high }) => ({
      source: String(source),
      tenant: String(tenant),
      records: Number(records),
      from: isoSecondsOfTicks(BigInt(low as bigint)),
      to: isoSecondsOfTicks(BigInt(high as bigint)),
    }));
  } catch {
    return [];
  }
}

/** For people: which records a range of batches had, and who had not been given them. */
export function lostText({ first, last, sinks, owed, of }: Lost): string {
  const which = first === last ? `batch ${first} is` : `batches ${first} to ${last} are`;
  const records = of.map(
    ({ source, tenant, records, from, to }) =>
      `${spellCount(records, 'record')} of source ${source} (tenant ${tenant}), changed from ${from} to ${to}`,
  );
  const what = records.length > 0 ? records.join('; ') : 'which records it had is not known';
  const whom =
    sinks.length > 0
      ? `not, or not all, given yet to ${sinks.length === 1 ? 'sink' : 'sinks'} ${sinks.join(', ')}`
      : owed
        ? 'whether every sink had been given them is not known'
        : 'every sink had been given them';
  return `${which} lost: ${what}; ${whom}`;
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
