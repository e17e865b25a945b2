import { closeSync, openSync, readFileSync, readSync, statSync } from 'node:fs';

/** A bundle of all CAs there are has a fifth of that. */
const MOST_BYTES = 1_048_576;

/**
 * A text file from outside.
 *
 * @throws {Error} with a message for people: `file PATH does not exist`
 */
export function readTextFile(file: string): string {
  const fail = (why: string): never => {
    throw new Error(`file ${file} ${why}`);
  };
  let bytes: Buffer;
  try {
    const stat = statSync(file);
    // A pipe or a device could keep us waiting for ever.
    if (!stat.isFile()) return fail('is not a file');
    if (stat.size > MOST_BYTES) return fail(`is larger than ${MOST_BYTES} bytes`);
    bytes = readFileSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return fail(whyUnreadable(error));
  }
  return bytes.toString('utf8');
}

/** At most the first `maxBytes` bytes of a file, a pipe or a device: some of these never end. */
export function readAtMost(file: string, maxBytes: number): Buffer {
  const bytes = Buffer.alloc(maxBytes);
  const descriptor = openSync(file, 'r');
  try {
    let length = 0;
    while (length < maxBytes) {
      const read = readSync(descriptor, bytes, length, maxBytes - length, null);
      if (read === 0) break;
      length += read;
    }
    return bytes.subarray(0, length);
  } finally {
    closeSync(descriptor);
  }
}

/** What an error of the file system means, as the end of a sentence about the file. */
export function whyUnreadable(error: unknown): string {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return 'does not exist';
    case 'EACCES':
    case 'EPERM':
      return 'may not be read by this user';
    case 'EISDIR':
      return 'is a folder';
    default:
      return `cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`;
  }
}
