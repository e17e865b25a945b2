import { basename, dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip, createZstdCompress } from 'node:zlib';
import { asideName, asidesIn, type Compression, PART, type Rotation, SUFFIX } from './rotation.ts';
import { codeOf, type FileSystem, syncFolder } from './system.ts';

/**
 * Deletes what is too old of the files that were put aside, and compresses all but the newest: a reader that has not
 * come to its end may still hold by its name. Cut off at any point it loses nothing, and run again it mends what it
 * left.
 */
export async function tidy(
  fs: FileSystem,
  path: string,
  { keep, compress }: Rotation,
  signal: AbortSignal,
): Promise<void> {
  const folder = dirname(path);
  const remove = async (file: string) => {
    await fs.unlink(file).catch((error: unknown) => {
      if (codeOf(error) !== 'ENOENT') throw error;
    });
  };
  const asides = asidesIn(await fs.readdir(folder), basename(path));
  for (const [age, { stamp, suffixes }] of asides.toReversed().entries()) {
    if (signal.aborted) return;
    const plain = asideName(path, stamp);
    const isPacked = suffixes.some((suffix) => suffix !== '' && !suffix.endsWith(PART));
    // Packed under its last name means packed to the end: see `pack`.
    const gone = suffixes.filter(
      (suffix) => age >= keep || suffix.endsWith(PART) || (suffix === '' && isPacked),
    );
    for (const suffix of gone) await remove(plain + suffix);
    if (age === 0 || age >= keep || !compress || isPacked || !suffixes.includes('')) continue;
    await pack(fs, plain, compress, signal);
    await remove(plain);
  }
}

/** Only what is whole and on disk gets the last name. */
async function pack(fs: FileSystem, plain: string, by: Compression, signal: AbortSignal): Promise<void> {
  const packed = plain + SUFFIX[by];
  const source = await fs.open(plain, 'r');
  try {
    const { mode } = await source.stat();
    const target = await fs.open(packed + PART, 'wx', mode & 0o777);
    try {
      await target.chmod(mode & 0o777);
      await pipeline(
        source.createReadStream({ autoClose: false }),
        by === 'gzip' ? createGzip() : createZstdCompress(),
        // Not a stream: one that leaves the file open never says that it has come to its end.
        (chunks: AsyncIterable<Uint8Array>) => target.writeFile(chunks),
        { signal },
      );
      await target.sync();
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
  await fs.rename(packed + PART, packed);
  await syncFolder(fs, dirname(plain));
}
