import { copyFileSync, linkSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pathsIn, readLog } from './database.ts';
import { mendedWal, surveyWal } from './wal.ts';

export interface Mended {
  readonly database: DatabaseSync;
  close(): void;
}

/** SQLite would not read all that was stored in the log. Not for one that a relay has (see `checkFrames`). */
export function hasBrokenLog(directory: string): boolean {
  const { log, index } = readLog(directory);
  const { read, stored } = surveyWal(log, index) ?? { read: 0, stored: 0 };
  return stored > read;
}

/**
 * Opens a journal whose log is broken as if the log were whole, in a folder beside it: a byte of the log that is wrong
 * spoils a page at most, and the rows say by their hashes which it is. The journal itself is not touched.
 *
 * @returns `undefined`: its log is not broken, or there may be no folder; then it is read as far as SQLite reads it
 */
export function openMended(directory: string): Mended | undefined {
  if (!hasBrokenLog(directory)) return undefined;
  const folder = folderIn(directory);
  if (folder === undefined) return undefined;
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    const { journal, wal } = pathsIn(folder);
    linkOrCopy(pathsIn(directory).journal, journal);
    const { log, index } = readLog(directory);
    writeFileSync(wal, mendedWal(log, index), { mode: 0o600 });
    // It may only read, so that nothing is folded into the journal itself when it is closed.
    const database = new DatabaseSync(journal, { readOnly: true, defensive: false });
    database.exec('PRAGMA writable_schema = ON');
    return {
      database,
      close() {
        database.close();
        remove();
      },
    };
  } catch (error) {
    remove();
    throw error;
  }
}

function folderIn(directory: string): string | undefined {
  try {
    return mkdtempSync(join(directory, 'reading-'));
  } catch {
    return undefined;
  }
}

/** A second name takes no room; not every file system has that. */
export function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to);
  }
}
