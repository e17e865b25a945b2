import { JournalError } from '../core/errors.ts';

/** Primary result codes. @see https://www.sqlite.org/rescode.html */
const SQLITE = { BUSY: 5, READONLY: 8, IOERR: 10, CORRUPT: 11, FULL: 13, CANTOPEN: 14, NOTADB: 26 } as const;

/** What to do with a journal that cannot be trusted. It is never thrown away without the operator. */
function startAfresh(directory: string): string {
  return (
    `Restore ${directory} from a copy made while the relay was stopped, or move it away ` +
    `(mv ${directory} ${directory}.broken) and start again: the relay then begins a new journal, reads again what ` +
    `lies after each source's startFrom, and what was older and not yet delivered is only in the folder moved away`
  );
}

/** The journal contradicts itself; nothing is sent or polled on its word. */
export function broken(directory: string, what: string): JournalError {
  return new JournalError(`the journal in ${directory} is broken: ${what}. ${startAfresh(directory)}`);
}

/** Whatever went wrong with the journal, as an error for people. */
export function journalError(directory: string, cause: unknown): JournalError {
  if (cause instanceof JournalError) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  return new JournalError(`the journal in ${directory} failed: ${message}. ${advice(directory, cause)}`, {
    cause,
  });
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
  switch (primaryCode(cause) ?? systemCode(cause)) {
    case SQLITE.FULL:
    case 'ENOSPC':
    case 'EDQUOT':
      return 'The disk is full: make room and start again; nothing that was acknowledged is lost';
    case SQLITE.IOERR:
      return 'The disk did not read or write: see the system log, and start again when it does';
    case SQLITE.READONLY:
    case SQLITE.CANTOPEN:
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return 'Check that the user of the relay may write there, and that the file system is not read-only';
    case SQLITE.CORRUPT:
    case SQLITE.NOTADB:
      return startAfresh(directory);
    default:
      return 'Start again; nothing that was acknowledged is lost';
  }
}

/** Somebody else holds a lock. */
export function isBusy(cause: unknown): boolean {
  return primaryCode(cause) === SQLITE.BUSY;
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
