import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { JournalError } from '../core/errors.ts';
import { makeDirectory } from '../lib/directory.ts';
import { fileSystemOf, refuseNetwork } from './file-system.ts';
import { migrations } from './migrations.ts';
import { broken, inUse, isBusy, logBroken, logMissing } from './trouble.ts';
import { surveyWal } from './wal.ts';

/** Marks the file as ours (`DRLY`). @see https://www.sqlite.org/pragma.html#pragma_application_id */
export const APPLICATION_ID = 0x44_52_4c_59;

export interface OpenedDatabase {
  readonly database: DatabaseSync;
  /** Whoever had it last has closed it. */
  readonly clean: boolean;
  readonly schema: number;
}

/** Paths inside the state directory. */
export function pathsIn(directory: string) {
  const journal = join(directory, 'journal.db');
  return {
    lock: join(directory, 'lock.db'),
    journal,
    wal: `${journal}-wal`,
    index: `${journal}-shm`,
    unfinished: `${journal}.new`,
    mark: join(directory, 'mark'),
    ballast: join(directory, 'ballast'),
  };
}

/**
 * Makes the state directory when it is missing, for its owner only. One that others may look into is closed to
 * them as long as it is empty; later it may be shared on purpose, and that is only told.
 *
 * @throws {JournalError} it cannot be made, or lies on a network file system (K9)
 */
export function prepareDirectory(
  directory: string,
  warn: (message: string) => void,
  placeOf = fileSystemOf,
): void {
  const made = makeMissing(directory);
  refuseNetwork(directory, placeOf(realpathSync(directory)));
  if (made) {
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
    // Nothing will be written, so that a disk that is full is no obstacle: the usual journal would take some room.
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
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

/** Makes a journal when there is none; says whether it has. */
export function makeDatabase(directory: string, version: string, steps = migrations): boolean {
  const { journal, wal } = pathsIn(directory);
  if (existsSync(journal)) return false;
  if (existsSync(wal)) throw broken(directory, `${journal} is missing, and its write-ahead log is there`);
  create(directory, version, steps);
  return true;
}

/**
 * Opens the journal that is there. One that cannot be read is an error and never a first start (K10).
 *
 * @throws {JournalError} it is not there, or not whole, or not ours
 */
export function openDatabase(directory: string, version: string, steps = migrations): OpenedDatabase {
  const { journal } = pathsIn(directory);
  if (!existsSync(journal)) throw broken(directory, `${journal} is missing`);
  if (statSync(journal).size === 0) throw broken(directory, `${journal} is empty`);
  checkLog(directory);
  const database = new DatabaseSync(journal, { timeout: 5_000 });
  try {
    const id = database.prepare('PRAGMA application_id').get()?.application_id;
    if (id !== APPLICATION_ID) throw broken(directory, `${journal} is not a journal of defender-relay`);
    migrate(database, directory, version, steps);
    const clean = !isMarked(database);
    database.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL;
      PRAGMA fullfsync = ON;
      PRAGMA checkpoint_fullfsync = ON;
      PRAGMA cache_size = -4096;
    `);
    return { database, clean, schema: steps.length };
  } catch (error) {
    database.close();
    throw error;
  }
}

/**
 * While a relay has the journal, and after one that died, it is marked as *running*, in its main file and not only in
 * the log; and the log is there, for `Keeper` keeps it. So a mark without a log says that the log was taken away, and
 * what was in it: records, and how far each sink has come (K10).
 */
export function markRunning(database: DatabaseSync): void {
  // What a lost transaction has left in the log must not be taken for the end of the next one.
  foldLog(database);
  database.exec("INSERT OR REPLACE INTO meta (key, value) VALUES ('running', '1')");
  foldLog(database);
}

/** All is in the main file before the mark goes: a log that is lost from here on has nothing to lose. */
export function markStopped(database: DatabaseSync): void {
  foldLog(database);
  database.exec("DELETE FROM meta WHERE key = 'running'");
  foldLog(database);
}

/** @throws {JournalError} the log of a journal that is marked as running has gone */
export function checkLog(directory: string): void {
  const { journal, wal } = pathsIn(directory);
  if (existsSync(wal)) return;
  // Opened the usual way, a new log would be made.
  const database = new DatabaseSync(immutable(journal), { readOnly: true });
  try {
    if (isMarked(database)) throw logMissing(directory, wal);
  } finally {
    database.close();
  }
}

/**
 * The log can be read as far as it is known to have been on disk. Only for a process that does not have the journal open,
 * for it reads the file on which SQLite has its locks (K9).
 *
 * @throws {JournalError} some of it would be passed over
 */
export function checkFrames(directory: string): void {
  const { log, index } = readLog(directory);
  const { read, stored, brokenAt } = surveyWal(log, index) ?? { read: 0, stored: 0, brokenAt: 0 };
  if (stored > read) throw logBroken(directory, pathsIn(directory).wal, brokenAt);
}

/** The log, and what SQLite has noted of it. */
export function readLog(directory: string): { log: Buffer; index: Buffer } {
  const { wal, index } = pathsIn(directory);
  const read = (file: string) => (existsSync(file) ? readFileSync(file) : Buffer.alloc(0));
  // In this order, the log is never older than what was noted of it.
  const noted = read(index);
  return { log: read(wal), index: noted };
}

export function isMarked(database: DatabaseSync): boolean {
  if (!database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").get()) return false;
  return database.prepare("SELECT 1 FROM meta WHERE key = 'running'").get() !== undefined;
}

/** Everything that is in the log goes to the main file, and the disk says so. */
function foldLog(database: DatabaseSync): void {
  const folded = database.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get();
  if (folded?.busy !== 0) throw inUse();
}

/** Without locks and without a log: for a file that nobody writes. */
export function immutable(file: string): URL {
  const url = pathToFileURL(file);
  url.searchParams.set('immutable', '1');
  return url;
}

/** Made beside its place and moved there when whole: a journal that is half made cannot be. */
function create(directory: string, version: string, steps: readonly string[]): void {
  const { journal, unfinished } = pathsIn(directory);
  makeUnfinished(directory, version, () => {}, steps);
  renameSync(unfinished, journal);
  syncDirectory(directory);
}

/** Makes a journal beside its place, with what `fill` puts in it. */
export function makeUnfinished(
  directory: string,
  version: string,
  fill: (database: DatabaseSync) => void,
  steps = migrations,
): void {
  const { unfinished } = pathsIn(directory);
  rmSync(unfinished, { force: true });
  for (const beside of ['-journal', '-wal', '-shm']) rmSync(`${unfinished}${beside}`, { force: true });
  makePrivate(unfinished);
  const database = new DatabaseSync(unfinished);
  try {
    database.exec(`PRAGMA synchronous = FULL; PRAGMA application_id = ${APPLICATION_ID}`);
    migrate(database, directory, version, steps);
    fill(database);
    // From the beginning, so that whoever opens it first opens it in this mode.
    database.exec('PRAGMA journal_mode = WAL');
  } finally {
    database.close();
  }
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
export function syncDirectory(directory: string): void {
  const handle = openSync(directory, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
