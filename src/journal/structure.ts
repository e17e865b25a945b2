import type { DatabaseSync } from 'node:sqlite';
import { KEPT, type Row } from './tables/kept.ts';
import { type Broken, one } from './tables/row.ts';

/**
 * Tables that are small, and in which each row matters. One wrong byte in a page can make rows disappear without a word,
 * and a sink without its row would begin anew.
 */
const SMALL: ReadonlySet<string> = new Set(['source', 'sink', 'apart', 'gap', 'given', 'extent', 'coverage']);
/** Larger ones have an index, which must have as many rows. */
const INDEXED = [
  ['dead_letter', 'dead_letter_of'],
  ['followed', 'followed_as_of'],
] as const;

/** What is wrong with the pages of a table, as SQLite says; `undefined`: nothing is. */
export function faultOf(database: DatabaseSync, table: string): string | undefined {
  try {
    const row = one<{ integrity_check: string }>(database.prepare(`PRAGMA integrity_check(${table})`));
    return row?.integrity_check === 'ok' ? undefined : String(row?.integrity_check).replaceAll(/\s+/g, ' ');
  } catch (error) {
    return (error as Error).message;
  }
}

/**
 * At each opening, where it costs next to nothing at any size: no row is missing where that would not show, and each is as it was written where there are few.
 * The table `batch` is looked after by itself, and what was seen of alerts is too much.
 */
export function checkStructure(database: DatabaseSync, broken: Broken): void {
  // Else one table may be read in the place of another.
  const places = 'SELECT 1 FROM sqlite_schema WHERE rootpage > 0 GROUP BY rootpage HAVING count(*) > 1';
  if (one(database.prepare(places))) broken('two of its tables are in one place');
  // In one that is empty, SQLite notices only when it looks for something there.
  const indexes = database
    .prepare("SELECT name, tbl_name, sql FROM sqlite_schema WHERE type = 'index'")
    .all();
  for (const { name, tbl_name: table, sql } of indexes) {
    const where = /WHERE .*$/s.exec(String(sql ?? ''))?.[0] ?? '';
    database.prepare(`SELECT 1 FROM ${table} INDEXED BY ${name} ${where} LIMIT 1`).get();
  }
  for (const { name, each } of KEPT.filter((table) => SMALL.has(table.name))) {
    const fault = faultOf(database, name);
    if (fault !== undefined) broken(`table ${name} is not as it was written: ${fault}`);
    const statement = database.prepare(`SELECT * FROM ${name}`);
    statement.setReadBigInts(true);
    const wrong = each && (statement.all() as Row[]).find((row) => !each.isWhole(row));
    if (wrong) broken(`${each.what(wrong)} is not as it was written`);
  }
  const number = (sql: string) => one<{ rows: number | null }>(database.prepare(sql))?.rows ?? 0;
  for (const [table, index] of INDEXED) {
    // It adds them up so that it has to go through the index.
    const indexed = number(`SELECT sum(1) AS rows FROM ${table} INDEXED BY ${index}`);
    if (number(`SELECT count(*) AS rows FROM ${table} NOT INDEXED`) !== indexed)
      broken(`table ${table} is not as it was written: it and its index differ`);
  }
}
