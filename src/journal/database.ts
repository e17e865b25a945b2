import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { JournalError } from '../core/errors.ts';
import { makeDirectory } from '../lib/directory.ts';
import { migrations } from './migrations.ts';
import { broken, isBusy } from './trouble.ts';

/** Marks the file as ours (`DRLY`). @see https://www.sqlite.org/pragma.html#pragma_application_id */
export const APPLICATION_ID = 0x44_52_4c_59;

export interface OpenedDatabase {
  readonly database: DatabaseSync;
  /** There was no journal before. */
  readonly created: boolean;
  readonly schema: number;
}

/** Paths inside the state directory. */
export function pathsIn(directory: string) {
  const journal = join(directory, 'journal.db');
  return {
    lock: join(directory, 'lock.db'),
    journal,
    wal: `${journal}-wal`,
    unfinished: `${journal}.new`,
    mark: join(directory, 'mark'),
  };
}

/**
 * Makes the state directory when it is missing, for its owner only. One that others may look into is closed to
 * them as long as it is empty; later it may be shared on purpose, and that is only told.
 */
export function prepareDirectory(directory: string, warn: (message: string) => void): void {
  if (makeMissing(directory)) {
    syncDirectory(dirname(directory));
    return;
  }
  if ((statSync(directory).mode & 0o077) === 0) return;
  try {
    if (readdirSync(directory).length > 0) throw new Error('it is not empty');
    chmodSync(directory, 0o700);
  } catch {
    warn(`other users may look into ${directory}; if it is the relay's alone: chmod 700 ${directory}`);
  }
}

/** @throws {JournalError} it is not there and cannot be made */
function makeMissing(directory: string): boolean {
  try {
    return makeDirectory(directory, 0o700);
  } catch (cause) {
    throw new JournalError(
      `the state directory ${directory} cannot be made: ${(cause as Error).message}. ` +
        'Make it for the user of the relay, or set state.directory to another place',
      { cause },
    );
  }
}

/**
 * The right to be the only relay on a directory: a transaction held for life, which the system ends with the
 * process, whatever ends that (K9).
 */
export function lockDirectory(directory: string): DatabaseSync {
  const { lock } = pathsIn(directory);
  makePrivate(lock);
  // Somebody who asks whether a relay has it (`status`) takes it for a moment.
  const database = new DatabaseSync(lock, { timeout: 250 });
  try {
    database.exec('BEGIN EXCLUSIVE');
    return database;
  } catch (cause) {
    database.close();
    if (!isBusy(cause)) throw cause;
    throw new JournalError(
      `another defender-relay uses the state directory ${directory}. ` +
        'Stop it, or give this one a state.directory of its own',
      { cause },
    );
  }
}

/**
 * Opens the journal, or makes it when there is none. A journal that is there but cannot be read is an error and
 * never a first start (K10).
 */
export function openDatabase(directory: string, version: string, steps = migrations): OpenedDatabase {
  const { journal, wal } = pathsIn(directory);
  const created = !existsSync(journal);
  if (created) {
    if (existsSync(wal)) throw broken(directory, `${journal} is missing, and its write-ahead log is there`);
    create(directory, version, steps);
  }
  if (statSync(journal).size === 0) throw broken(directory, `${journal} is empty`);
  const database = new DatabaseSync(journal, { timeout: 5_000 });
  try {
    const id = database.prepare('PRAGMA application_id').get()?.application_id;
    if (id !== APPLICATION_ID) throw broken(directory, `${journal} is not a journal of defender-relay`);
    migrate(database, directory, version, steps);
    database.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL;
      PRAGMA fullfsync = ON;
      PRAGMA checkpoint_fullfsync = ON;
      PRAGMA cache_size = -16384;
    `);
    return { database, created, schema: steps.length };
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Made beside its place and moved there when whole: a journal that is half made cannot be. */
function create(directory: string, version: string, steps: readonly string[]): void {
  const { journal, unfinished } = pathsIn(directory);
  rmSync(unfinished, { force: true });
  rmSync(`${unfinished}-journal`, { force: true });
  makePrivate(unfinished);
  const database = new DatabaseSync(unfinished);
  try {
    database.exec(`PRAGMA synchronous = FULL; PRAGMA application_id = ${APPLICATION_ID}`);
    migrate(database, directory, version, steps);
  } finally {
    database.close();
  }
  renameSync(unfinished, journal);
  syncDirectory(directory);
}

/** Brings the schema to the version that this program knows, in one transaction. */
function migrate(database: DatabaseSync, directory: string, version: string, steps: readonly string[]): void {
  const found = Number(database.prepare('PRAGMA user_version').get()?.user_version);
  if (found === steps.length) return;
  if (found > steps.length) {
    const writer = database.prepare("SELECT value FROM meta WHERE key = 'writer'").get()?.value;
    throw new JournalError(
      `the journal in ${directory} was written by defender-relay ${writer} (schema ${found}); this is ${version}, ` +
        `which knows schemas up to ${steps.length}. Start defender-relay ${writer} or a later one`,
    );
  }
  database.exec('BEGIN IMMEDIATE');
  for (const step of steps.slice(found)) database.exec(step);
  database.prepare("INSERT OR REPLACE INTO meta (key, value) VALUES ('writer', ?)").run(version);
  database.exec(`PRAGMA user_version = ${steps.length}`);
  database.exec('COMMIT');
}

/**
 * A missing file is made so that only its owner can read it, before SQLite does; files that SQLite puts beside
 * it get the same mode. A file that is there is not opened: closing it would drop the lock that another thread
 * of this process holds on it (K9).
 */
function makePrivate(file: string): void {
  if (existsSync(file)) chmodSync(file, 0o600);
  else closeSync(openSync(file, 'wx', 0o600));
}

/** The new name of a file is on disk, too. */
function syncDirectory(directory: string): void {
  const handle = openSync(directory, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
