import { dirname } from 'node:path';
import { UnavailableError, type UnavailableReason } from '../../core/errors.ts';
import { codeOf } from './system.ts';

/** An error of the file system as one of the sink, with what to do about it. */
export function explain(path: string, cause: unknown): UnavailableError {
  if (cause instanceof UnavailableError) return cause;
  return new UnavailableError(`${path} cannot be written: ${meaningOf(path, cause)}`, {
    reason: reasonOf(codeOf(cause)),
    cause,
  });
}

function meaningOf(path: string, cause: unknown): string {
  const code = codeOf(cause);
  const folder = dirname(path);
  switch (code) {
    case 'ENOENT':
      return `the folder ${folder} does not exist. Make it, and let ${user()} write there`;
    case 'ENOTDIR':
      return `${folder} is not a folder. Change "path"`;
    case 'EACCES':
    case 'EPERM':
      return `${user()} may not (${code}). It needs to read and write the file, and to make files in ${folder}`;
    case 'EROFS':
      return `the file system is read-only (EROFS). Mount it writable; under systemd name ${folder} in ReadWritePaths=`;
    case 'ENOSPC':
      return 'the disk is full (ENOSPC). Make room; what waits is in the journal';
    case 'EDQUOT':
      return `the quota of ${user()} is used up (EDQUOT). Make room; what waits is in the journal`;
    case 'EFBIG':
      return 'it would become larger than this user or file system may have it (EFBIG). Set a smaller "rotate.size"';
    case 'EIO':
      return 'the disk reports an error (EIO). The log of the kernel says more';
    case 'EISDIR':
      return 'it is a folder. Give "path" a file name';
    case 'ELOOP':
      return 'it is a symbolic link. Give "path" the file that it leads to; for standard output use "type: stdout"';
    case 'ENXIO':
      return NOT_A_FILE;
    default:
      return code ?? (cause instanceof Error ? cause.message : String(cause));
  }
}

const NOT_A_FILE =
  'it is not a regular file but a pipe, a socket or a device. For standard output use "type: stdout"';

/** What is open is no file that lines stay in. */
export function notAFile(path: string): UnavailableError {
  return new UnavailableError(`${path} cannot be written: ${NOT_A_FILE}`, { reason: 'other' });
}

/** A full disk and a missing right say nothing about the records: they are never to blame for it (S4). */
function reasonOf(code: string | undefined): UnavailableReason {
  switch (code) {
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return 'auth';
    case 'ENOSPC':
    case 'EDQUOT':
    case 'EFBIG':
      return 'throttled';
    default:
      return 'other';
  }
}

const user = (): string => (process.getuid ? `user ${process.getuid()}` : 'this user');
