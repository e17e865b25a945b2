import { existsSync, statSync } from 'node:fs';
import { DatabaseSync, type DatabaseSyncOptions } from 'node:sqlite';
import type { Coverage } from '../core/coverage.ts';
import { JournalError } from '../core/errors.ts';
import type { JournalStats, SinkStats, SourceKey } from '../core/journal.ts';
import { APPLICATION_ID, checkFrames, checkLog, immutable, pathsIn } from './database.ts';
import { migrations } from './migrations.ts';
import { Size } from './size.ts';
import { isWaitedFor, sinkStats, survey } from './survey.ts';
import { BatchTable } from './tables/batches.ts';
import { CoverageTable } from './tables/coverage.ts';
import { type DeadLetterRow, DeadLetterTable } from './tables/dead-letters.ts';
import { GapTable } from './tables/gaps.ts';
import type { Broken } from './tables/row.ts';
import { SinkTable } from './tables/sinks.ts';
import { SourceTable } from './tables/sources.ts';
import { broken, isBusy, unreadable } from './trouble.ts';

/** A journal as it is at one moment. */
export interface Peeked {
  /** Some relay has the state directory now. */
  readonly running: boolean;
  readonly stats: JournalStats;
  readonly sources: readonly (SourceKey & { readonly checkpoint: string })[];
  readonly coverage: readonly Coverage[];
}

/**
 * Looks at the journal in `directory`, also while a relay has it, and leaves nothing behind: what is read is read in
 * one short transaction (K9: a long one would make the log of the relay grow).
 *
 * @returns `undefined`: there is no journal
 * @throws {JournalError} it cannot be read, or is of another version
 */
export function peekJournal(directory: string, maxBytes: number): Peeked | undefined {
  return look(directory, (database) => ({
    running: isRunning(directory),
    ...read(database, directory, maxBytes),
  }));
}

/** A sink that has a cursor in the journal. */
export interface PeekedSink extends SinkStats {
  /** Since when it is not in the config, milliseconds since 1970; `undefined`: it was when a relay last started. */
  readonly orphanedMs: number | undefined;
}

/** The sinks of a journal, also those that have left the config; as {@link peekJournal}. */
export function peekSinks(directory: string): PeekedSink[] | undefined {
  return look(directory, (database) => {
    const batches = new BatchTable(database, distrust(directory));
    const gaps = new GapTable(database, distrust(directory));
    const rows = [...new SinkTable(database, distrust(directory)).all().values()];
    return rows.map((row) => ({ ...sinkStats(row, batches, gaps), orphanedMs: row.orphaned ?? undefined }));
  });
}

/** The newest dead letters of a journal, in the order in which they came; as {@link peekJournal}. */
export function peekDeadLetters(
  directory: string,
  of: Partial<Pick<DeadLetterRow, 'kind' | 'name'>>,
  limit: number,
): DeadLetterRow[] | undefined {
  return look(directory, (database) => new DeadLetterTable(database, distrust(directory)).list(of, limit));
}

/** A dead letter of a journal, `undefined` when it is not there; as {@link peekJournal}. */
export function peekDeadLetter(directory: string, id: number): DeadLetterRow | undefined {
  return look(directory, (database) => new DeadLetterTable(database, distrust(directory)).get(id));
}

/** Opens the journal so that nothing is changed, and nothing left behind. */
export function openToLook(
  directory: string,
  { running = isRunning(directory), ...options }: DatabaseSyncOptions & { readonly running?: boolean } = {},
): DatabaseSync {
  const { journal, wal } = pathsIn(directory);
  // Of a relay that has stopped there is no log, and SQLite would make one, and leave it.
  // One that runs may have an empty one, and will write to it.
  const stopped = !running && (statSync(wal, { throwIfNoEntry: false })?.size ?? 0) === 0;
  return new DatabaseSync(stopped ? immutable(journal) : journal, {
    ...options,
    readOnly: true,
    timeout: 2_000,
  });
}

function look<T>(directory: string, read: (database: DatabaseSync) => T): T | undefined {
  if (!isThere(directory, pathsIn(directory).journal)) return undefined;
  let database: DatabaseSync | undefined;
  try {
    if (!isRunning(directory)) checkFrames(directory);
    database = openToLook(directory);
    database.exec('BEGIN');
    checkVersion(database, directory);
    checkLog(directory);
    return read(database);
  } catch (cause) {
    throw unreadable(directory, cause);
  } finally {
    database?.close();
  }
}

function read(database: DatabaseSync, directory: string, maxBytes: number): Omit<Peeked, 'running'> {
  const broken = distrust(directory);
  const sources = new SourceTable(database, broken);
  const found = survey({
    batches: new BatchTable(database, broken),
    sinks: new SinkTable(database, broken),
    gaps: new GapTable(database, broken),
    deadLetters: new DeadLetterTable(database, broken),
  });
  const bytes = new Size(database, pathsIn(directory).wal).bytes();
  return {
    stats: {
      ...found,
      bytes,
      limitBytes: maxBytes,
      paused: found.sinks.some(isWaitedFor) && bytes >= maxBytes,
    },
    sources: sources.keys().map((key) => ({ ...key, checkpoint: sources.checkpoint(key) ?? '' })),
    coverage: new CoverageTable(database).all(),
  };
}

function distrust(directory: string): Broken {
  return (what) => {
    throw broken(directory, what);
  };
}

/** A journal, or what is left of one, is there. */
export function hasJournal(directory: string): boolean {
  const { journal, wal } = pathsIn(directory);
  return isThere(directory, journal) || existsSync(wal);
}

/** Is it there, and may we see it? "Not there" and "not allowed to look" are not the same. */
function isThere(directory: string, journal: string): boolean {
  try {
    return statSync(journal, { throwIfNoEntry: false }) !== undefined;
  } catch (cause) {
    throw unreadable(directory, cause);
  }
}

/** Whoever has the directory holds a transaction on the lock file (K9), so that even a look at it is refused. */
export function isRunning(directory: string): boolean {
  const { lock } = pathsIn(directory);
  if (!existsSync(lock)) return false;
  const database = new DatabaseSync(lock, { readOnly: true, timeout: 0 });
  try {
    database.prepare('SELECT 1 FROM sqlite_schema').all();
    return false;
  } catch (error) {
    if (isBusy(error)) return true;
    throw error;
  } finally {
    database.close();
  }
}

function checkVersion(database: DatabaseSync, directory: string): void {
  const pragma = (name: string) => Number(database.prepare(`PRAGMA ${name}`).get()?.[name]);
  if (pragma('application_id') !== APPLICATION_ID)
    throw broken(directory, 'journal.db is not a journal of defender-relay');
  const schema = pragma('user_version');
  if (schema === migrations.length) return;
  const writer = database.prepare("SELECT value FROM meta WHERE key = 'writer'").get()?.value;
  throw new JournalError(
    `the journal in ${directory} was written by defender-relay ${writer}, whose journal is ` +
      `${schema < migrations.length ? 'older' : 'newer'} than what this version reads: look at it with that version` +
      `${schema < migrations.length ? ', or start this one, which brings it up to date' : ''}`,
  );
}
