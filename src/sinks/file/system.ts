import type * as promises from 'node:fs/promises';

/** What of the file system is used here; an argument, so that tests can break it at every step. */
export type FileSystem = Pick<typeof promises, 'open' | 'stat' | 'rename' | 'unlink' | 'readdir'>;

/**
 * Makes what was created and renamed in a folder outlive a power failure.
 *
 * @throws what `open` and `sync` throw
 */
export async function syncFolder(fs: FileSystem, folder: string): Promise<void> {
  const handle = await fs.open(folder, 'r');
  try {
    await handle.sync();
  } catch (error) {
    // Some network file systems have no such thing.
    if (!['EINVAL', 'ENOTSUP'].includes(codeOf(error) ?? '')) throw error;
  } finally {
    await handle.close();
  }
}

export function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
