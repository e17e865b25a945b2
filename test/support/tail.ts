import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/** Reads a file that another process appends to, each byte once. A file that is not there yet is empty. */
export class Tail {
  readonly #path: string;
  #position = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** What has come since the last call. */
  next(): Buffer {
    let file: number;
    try {
      file = openSync(this.#path, 'r');
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return Buffer.alloc(0);
      throw error;
    }
    try {
      const bytes = Buffer.allocUnsafe(Math.max(0, fstatSync(file).size - this.#position));
      const read = readSync(file, bytes, 0, bytes.length, this.#position);
      this.#position += read;
      return bytes.subarray(0, read);
    } finally {
      closeSync(file);
    }
  }
}
