import { readdirSync, readFileSync } from 'node:fs';
import * as promises from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import type { Rendered } from '../../../src/core/sink.ts';
import { FileSink, type FileSinkOptions } from '../../../src/sinks/file/file-sink.ts';
import type { FileSystem } from '../../../src/sinks/file/system.ts';

export const never = new AbortController().signal;
export const silent = { debug() {}, info() {}, warn() {}, error() {} };
export const noRotation = { maxBytes: undefined, everyMs: undefined, keep: 7, compress: undefined };

/** A sink with everything boring; a test names only what it is about. */
export function aFileSink(path: string, options: Partial<FileSinkOptions> = {}): FileSink {
  return new FileSink({
    path,
    mode: 0o640,
    fsync: 'always',
    intervalMs: 50,
    rotation: noRotation,
    timeoutMs: 10_000,
    now: Date.now,
    log: silent,
    ...options,
  });
}

/** Sends and waits for the confirmation. */
export async function deliver(sink: FileSink, batch: readonly Rendered[]): Promise<void> {
  const { confirmed } = await sink.send(batch, never);
  await sink.confirm(never);
  await confirmed;
}

export const numbers = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => `event ${from + index}`);

export const linesOf = (text: string) => text.split('\n').slice(0, -1);

/** The files of a folder that a path was put aside as, by whomever, oldest first. */
export const asidesOf = (path: string) =>
  readdirSync(dirname(path))
    .filter((name) => name.startsWith(`${basename(path)}-`))
    .toSorted()
    .map((name) => join(dirname(path), name));

export function textOf(file: string): string {
  const bytes = readFileSync(file);
  if (file.endsWith('.gz')) return gunzipSync(bytes).toString();
  return (file.endsWith('.zst') ? zstdDecompressSync(bytes) : bytes).toString();
}

/** All there is, from the oldest file to the one at the path. */
export const allLines = (path: string) => linesOf([...asidesOf(path), path].map(textOf).join(''));

/** Node's own file system, with something done before each call. */
export function watchedFs(before: (call: string) => void): FileSystem {
  const watched =
    <A extends unknown[], R>(name: string, call: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      before(name);
      return call(...args);
    };
  return {
    stat: watched('stat', promises.stat) as FileSystem['stat'],
    rename: watched('rename', promises.rename),
    unlink: watched('unlink', promises.unlink),
    readdir: watched('readdir', promises.readdir) as FileSystem['readdir'],
    open: watched('open', async (...args: Parameters<FileSystem['open']>) => {
      const handle = await promises.open(...args);
      for (const name of ['read', 'write', 'sync', 'chmod', 'close'] as const)
        Object.assign(handle, { [name]: watched(name, handle[name].bind(handle) as () => Promise<unknown>) });
      return handle;
    }),
  };
}

export const failure = (code: string) => Object.assign(new Error(`${code}: as the test wants it`), { code });
