import { promisify } from 'node:util';
import { gzip, zstdCompress } from 'node:zlib';

export const compressions = ['none', 'gzip', 'zstd'] as const;
export type Compression = (typeof compressions)[number];

const gzipped = promisify(gzip);
const zstandard = promisify(zstdCompress);

export async function compress(bytes: Buffer, compression: Compression): Promise<Buffer> {
  if (compression === 'gzip') return await gzipped(bytes);
  return compression === 'zstd' ? await zstandard(bytes) : bytes;
}
