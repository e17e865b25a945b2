import { existsSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { Coverage } from '../core/coverage.ts';
import { JournalError } from '../core/errors.ts';
import type { JournalStats, SourceKey } from '../core/journal.ts';
import { APPLICATION_ID, checkLog, immutable, pathsIn } from './database.ts';
import { migrations } from './migrations.ts';
import { Size } from './size.ts';
import { survey } from './survey.ts';
import { BatchTable } from './tables/batches.ts';
import { CoverageTable } from './tables/coverage.ts';
import { DeadLetterTable } from './tables/dead-letters.ts';
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
  const { journal, wal } = pathsIn(directory);
  if (!isThere(directory, journal)) return undefined;
  // Of a relay that has stopped there is no log, and SQLite would make one, and leave it.
  const stopped = (statSync(wal, { throwIfNoEntry: false })?.size ?? 0) === 0;
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(stopped ? immutable(journal) : journal, { readOnly: true, timeout: 2_000 });
    database.exec('BEGIN');
    checkVersion(database, directory);
    checkLog(directory);
    return { running: isRunning(directory), ...read(database, directory, maxBytes) };
  } catch (cause) {
    throw unreadable(directory, cause);
  } finally {
    database?.close();
  }
}

function read(database: DatabaseSync, directory: string, maxBytes: number): Omit<Peeked, 'running'> {
  const distrust = (what: string): never => {
    throw broken(directory, what);
  };
  const sources = new SourceTable(database, distrust);
  const found = survey({
    batches: new BatchTable(database, distrust),
    sinks: new SinkTable(database, distrust),
    deadLetters: new DeadLetterTable(database),
  });
  const bytes = new Size(database, pathsIn(directory).wal).bytes();
  return {
    stats: { ...found, bytes, limitBytes: maxBytes, paused: found.pending > 0 && bytes >= maxBytes },
    sources: sources.keys().map((key) => ({ ...key, checkpoint: sources.checkpoint(key) ?? '' })),
    coverage: new CoverageTable(database).all(),
  };
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
function isRunning(directory: string): boolean {
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
