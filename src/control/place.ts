import { closeSync, constants, existsSync, mkdtempSync, openSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';

/** The socket of a relay, in its state directory. */
export function socketIn(directory: string): string {
  return join(directory, 'control.sock');
}

/** Most bytes of a socket's path: Linux takes 107, macOS 103. */
const MOST_BYTES = 103;

/** A path that a socket can be bound or connected to, until it is released. That is safe twice. */
export interface ShortPath {
  readonly path: string;
  release(): void;
}

/**
 * A short path of the socket in a directory whose own may be too long: as it is, from the working directory, or by a
 * link to the directory. The system makes such a link itself of an open directory; elsewhere it is a file for the time
 * that it is needed.
 *
 * @param descriptors where the system shows what is open as links
 */
export function shortPath(directory: string, descriptors = '/proc/self/fd'): ShortPath {
  const whole = socketIn(directory);
  const path = [whole, relative(process.cwd(), whole)].find((way) => Buffer.byteLength(way) <= MOST_BYTES);
  if (path !== undefined) return { path, release: () => {} };
  if (existsSync(descriptors)) {
    const handle = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
    return { path: socketIn(join(descriptors, String(handle))), release: once(() => closeSync(handle)) };
  }
  const folder = mkdtempSync(join(tmpdir(), 'relay-'));
  const link = join(folder, 's');
  symlinkSync(directory, link);
  return { path: socketIn(link), release: once(() => rmSync(folder, { recursive: true, force: true })) };
}

/** Its number may be that of another file the second time. */
function once(release: () => void): () => void {
  let isReleased = false;
  return () => {
    if (!isReleased) release();
    isReleased = true;
  };
}
