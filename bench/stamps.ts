import { readFileSync, writeFileSync } from 'node:fs';

/** Milliseconds since 1970, to the microsecond; the same in all processes of a machine. */
export const preciseNow = (): number => performance.timeOrigin + performance.now();

/** When something happened to each alert for the first time, by its number. Is written to a file when the process ends. */
export class Stamps {
  readonly #at: Float64Array;

  /** @param file is written at SIGTERM, and then the process ends */
  constructor(alerts: number, file: string) {
    this.#at = new Float64Array(alerts);
    process.once('SIGTERM', () => {
      writeFileSync(file, new Uint8Array(this.#at.buffer));
      process.exit();
    });
  }

  note(number: number, atMs: number): void {
    this.#at[number] ||= atMs;
  }
}

/** What {@link Stamps} has written; 0: it never happened. */
export function readStamps(file: string): Float64Array {
  const bytes = readFileSync(file);
  return new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}
