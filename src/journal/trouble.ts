import { JournalError } from '../core/errors.ts';

/** Primary result codes. @see https://www.sqlite.org/rescode.html */
const SQLITE = {
  ERROR: 1,
  BUSY: 5,
  LOCKED: 6,
  READONLY: 8,
  IOERR: 10,
  CORRUPT: 11,
  FULL: 13,
  CANTOPEN: 14,
  PROTOCOL: 15,
  CONSTRAINT: 19,
  MISMATCH: 20,
  NOTADB: 26,
} as const;

/** No room, for whatever reason. */
const FULL: ReadonlySet<unknown> = new Set([SQLITE.FULL, 'ENOSPC', 'EDQUOT', 'EFBIG']);
/** What a disk, or somebody who looks after it, can mend while we wait. */
const PASSING: ReadonlySet<unknown> = new Set([
  ...FULL,
  SQLITE.BUSY,
  SQLITE.LOCKED,
  SQLITE.READONLY,
  SQLITE.IOERR,
  SQLITE.CANTOPEN,
  SQLITE.PROTOCOL,
  ...['EIO', 'EROFS', 'EACCES', 'EPERM', 'EMFILE', 'ENFILE', 'ESTALE', 'ETIMEDOUT'],
]);

/** What is in the file is not what was written there. Our own SQL fails only where the schema, or an index, is another. */
const BROKEN: ReadonlySet<unknown> = new Set([
  SQLITE.ERROR,
  SQLITE.CORRUPT,
  SQLITE.CONSTRAINT,
  SQLITE.MISMATCH,
  SQLITE.NOTADB,
]);

/** What to do with a journal that cannot be trusted. It is never thrown away without the operator. */
function startAfresh(directory: string): string {
  return (
    '"defender-relay journal check" tells what is whole and what is not, and what "defender-relay journal check ' +
    `--repair" would do. Or restore ${directory} from a copy made while the relay was stopped, or move it away ` +
    `(mv ${directory} ${directory}.broken) and start again: the relay then begins a new journal, reads again what ` +
    `lies after each source's startFrom, and what was older and not yet delivered is only in the folder moved away`
  );
}

/** The journal contradicts itself; nothing is sent or polled on its word. */
export function broken(directory: string, what: string): JournalError {
  return new JournalError(`the journal in ${directory} is broken: ${what}. ${startAfresh(directory)}`);
}

/** The journal was not closed when it was used last, and what is not yet in its main file has gone with its log. */
export function logMissing(directory: string, log: string): JournalError {
  return new JournalError(
    `the journal in ${directory} is not whole: it was not closed when it was used last, and its write-ahead log ${log} ` +
      'is missing. Put that file back where it was, if it was moved, or left out of a copy. If it has gone for good, ' +
      '"defender-relay journal check" tells what is left, and "defender-relay journal check --repair" goes on without it',
  );
}

/** SQLite would read the log up to there, and say nothing. */
export function logBroken(directory: string, log: string, byte: number): JournalError {
  const what = `its write-ahead log ${log} cannot be read from byte ${byte} on, and what was stored there would be missing`;
  return broken(directory, what);
}

/** Somebody reads the journal and has not ended in time. */
export function inUse(): Error {
  return Object.assign(new Error('another program reads the file and does not end'), {
    errcode: SQLITE.BUSY,
  });
}

/** Whatever went wrong with the journal, as an error for people. */
export function journalError(directory: string, cause: unknown): JournalError {
  if (cause instanceof JournalError) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  return new JournalError(`the journal in ${directory} failed: ${message}. ${advice(directory, cause)}`, {
    cause,
  });
}

/** The disk is at fault and not the journal: it may heal while we wait (K1). */
export function isPassing(cause: unknown): boolean {
  return PASSING.has(codeOf(cause));
}

export function isFull(cause: unknown): boolean {
  return FULL.has(codeOf(cause));
}

/** What is told while the journal waits for its disk. */
export function faultOf(directory: string, cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause);
  return (
    `the journal in ${directory} cannot be used: ${message}. ${remedy(cause) ?? 'See the system log'}; ` +
    'nothing is read or sent until then, and all goes on by itself'
  );
}

/** What is told while there is room for the sinks only. */
export function diskFull(directory: string): string {
  return (
    `the disk of ${directory} is full, or nearly so. Make room; all sources pause until then, ` +
    'the sinks are given what is there, and all goes on by itself'
  );
}

/** A journal that was only to be looked at. */
export function unreadable(directory: string, cause: unknown): JournalError {
  if (cause instanceof JournalError) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  return new JournalError(
    `the journal in ${directory} cannot be read: ${message}. Look at it as the user that the relay runs as`,
    { cause },
  );
}

function advice(directory: string, cause: unknown): string {
  if (BROKEN.has(codeOf(cause))) return startAfresh(directory);
  const first = remedy(cause);
  return `${first ? `${first}, and start again` : 'Start again'}; nothing that was acknowledged is lost`;
}

/** What a person can do about a fault of the disk. */
function remedy(cause: unknown): string | undefined {
  const code = codeOf(cause);
  if (FULL.has(code)) return 'The disk is full: make room';
  switch (code) {
    case SQLITE.IOERR:
    case 'EIO':
      return 'The disk did not read or write: see the system log, and mend it';
    case SQLITE.BUSY:
    case SQLITE.LOCKED:
      return 'Another program has the file open for writing: end it';
    case SQLITE.READONLY:
    case SQLITE.CANTOPEN:
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return 'Check that the user of the relay may write there, and that the file system is not read-only';
    default:
      return undefined;
  }
}

/** Somebody else holds a lock. */
export function isBusy(cause: unknown): boolean {
  return primaryCode(cause) === SQLITE.BUSY;
}

function codeOf(cause: unknown): unknown {
  return primaryCode(cause) ?? systemCode(cause);
}

/** Of a file that the journal opens, makes or moves by itself. */
function systemCode(cause: unknown): unknown {
  return cause instanceof Error && 'code' in cause ? cause.code : undefined;
}

/** The primary result code of an error of `node:sqlite`. */
function primaryCode(cause: unknown): number | undefined {
  const code = cause instanceof Error && 'errcode' in cause ? cause.errcode : undefined;
  return typeof code === 'number' ? code & 0xff : undefined;
}
