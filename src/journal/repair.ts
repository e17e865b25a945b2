import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import type { Cursor } from '../core/journal.ts';
import { compress, FORMAT } from './batch.ts';
import { type Checked, checkJournal } from './check.ts';
import { START } from './cursor.ts';
import { lockDirectory, makeUnfinished, pathsIn, syncDirectory } from './database.ts';
import { type Findings, hasPlace, type Keep } from './examine.ts';
import { linkOrCopy } from './mended.ts';
import { type BatchHead, batchHash } from './tables/batches.ts';
import type { Row } from './tables/kept.ts';
import { SinkTable, sinkOf } from './tables/sinks.ts';
import { journalError } from './trouble.ts';

export interface RepairOptions {
  readonly directory: string;
  readonly version: string;
  /** Of the config: a sink of which the journal knows nothing any more must not begin at the end. */
  readonly sinks: readonly string[];
  /** Of now, for the name of a folder. */
  readonly now: Date;
}

/** What was found; and, when that was not all whole, where the broken files are kept. */
export type Repaired = Checked & { readonly kept: string | undefined };

/**
 * Makes a new journal of all that is whole in a broken one, and puts it in its place; the broken one is kept. Nothing is
 * changed when all is whole. Yields the share that is done.
 *
 * @throws {JournalError} a relay has it, or it is of a newer version
 */
export function* repairJournal(options: RepairOptions): Generator<number, Repaired> {
  const { directory, now } = options;
  const lock = lockDirectory(directory);
  try {
    const found = yield* checkJournal(directory, { running: false });
    if (found.findings.isWhole()) return { ...found, kept: undefined };
    salvage(options);
    const kept = join(directory, `broken-${now.toISOString().replaceAll(/[-:]|\.\d+/g, '')}`);
    exchange(directory, kept);
    return { ...found, kept };
  } catch (cause) {
    rmSync(pathsIn(directory).unfinished, { force: true });
    throw journalError(directory, cause);
  } finally {
    lock.close();
  }
}

function salvage({ directory, version, sinks }: RepairOptions): void {
  makeUnfinished(directory, version, (database) => {
    database.exec('BEGIN');
    const writer = new Writer(database);
    const going = checkJournal(directory, { keep: writer, running: false });
    let step = going.next();
    while (!step.done) step = going.next();
    const { findings } = step.value;
    putSinks(database, findings, sinks);
    for (const { first, last } of findings.lost.filter(({ owed }) => owed)) forget(database, first, last);
    database.exec('COMMIT');
  });
}

/** Puts what is whole where it was, so that all that points there goes on pointing there. */
class Writer implements Keep {
  readonly #database: DatabaseSync;
  readonly #sources = new Set<unknown>();
  #ordinal = 0;
  #at = 0;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  rows(table: string, rows: readonly Row[]): void {
    // Sinks come last, with new numbers.
    if (table === 'sink' || table === 'apart') return;
    for (const row of rows) {
      if (table === 'source') this.#sources.add(row.id);
      // A source whose checkpoint has gone begins anew, and knows nothing.
      else if (typeof row.source === 'bigint' && !this.#sources.has(row.source)) continue;
      this.#insert(table, row);
    }
  }

  batch(head: BatchHead, data: Uint8Array): void {
    const { id, format, target, records, bytes, at } = head;
    const ordinal = this.#ordinal;
    const hash = batchHash({ ...head, ordinal }, data);
    this.#insert('batch', { id, format, target, ordinal, records, bytes, at, hash, data });
    this.#at = at;
    if (target === null) this.#ordinal += records;
  }

  /** An empty one in its place: there is no hole, and what comes after keeps its number (K3, K5). */
  lost(id: number): void {
    const head = {
      id,
      format: FORMAT,
      target: null,
      ordinal: this.#ordinal,
      records: 0,
      bytes: 0,
      at: this.#at,
    };
    const data = compress(new Uint8Array());
    this.#insert('batch', { ...head, hash: batchHash(head, data), data });
  }

  #insert(table: string, row: Readonly<Record<string, SQLInputValue>>): void {
    const columns = Object.keys(row);
    const places = columns.map(() => '?').join(', ');
    this.#database
      .prepare(`INSERT OR IGNORE INTO ${table} (${columns.join(', ')}) VALUES (${places})`)
      .run(...Object.values(row));
  }
}

/** No sink is placed after something that it may not have been given. Without a shape each begins a new stream (S6). */
function putSinks(database: DatabaseSync, found: Findings, configured: readonly string[]): void {
  const table = new SinkTable(database, (what) => {
    throw new Error(what);
  });
  const beginning: Cursor = found.first === 1 ? START : { batch: found.first, index: -1 };
  const put = (name: string, cursor: Cursor, orphaned: number | null = null, required = true) =>
    table.put({ name, cursor, stream: 1, sequence: 0, shape: '', orphaned, required });
  for (const name of found.sinksMissing ? [...found.unplaced, ...configured] : []) put(name, beginning);
  for (const row of found.sinks) {
    const { name, cursor, orphaned, required } = sinkOf(row);
    const isThere = found.batches.has(cursor.batch) || cursor.batch === START.batch;
    const place = !hasPlace(found, cursor) ? beginning : isThere ? cursor : { ...cursor, index: -1 };
    put(name, place, orphaned, required);
  }
}

/** What was in lost batches is news when a source reads it again. */
function forget(database: DatabaseSync, first: number, last: number): void {
  const lost = 'SELECT source, born, id FROM seen WHERE batch BETWEEN ?1 AND ?2';
  database.prepare(`DELETE FROM alert_state WHERE (source, born, id) IN (${lost})`).run(first, last);
  // An id that was told before is still known, by the newest of its revisions that is not lost.
  database
    .prepare(
      `INSERT OR REPLACE INTO alert_state (source, born, id, revision)
       SELECT source, born, id, max(revision) FROM seen
       WHERE (source, born, id) IN (${lost}) AND (batch IS NULL OR batch NOT BETWEEN ?1 AND ?2)
       GROUP BY source, born, id`,
    )
    .run(first, last);
  database.prepare('DELETE FROM seen WHERE batch BETWEEN ?1 AND ?2').run(first, last);
}

/**
 * The broken files go to a folder of their own, and the new journal to their place. At each moment there is a journal,
 * so that an end in between cannot look like a first start; and never one beside a log that is not its own.
 */
function exchange(directory: string, kept: string): void {
  const { journal, wal, unfinished, mark } = pathsIn(directory);
  mkdirSync(kept, { mode: 0o700 });
  const to = (file: string) => join(kept, basename(file));
  if (existsSync(journal)) linkOrCopy(journal, to(journal));
  syncDirectory(kept);
  // The mark is about records by their place, which may be others from now on.
  for (const file of [wal, mark]) if (existsSync(file)) renameSync(file, to(file));
  rmSync(`${journal}-shm`, { force: true });
  syncDirectory(directory);
  renameSync(unfinished, journal);
  syncDirectory(kept);
  syncDirectory(directory);
}
