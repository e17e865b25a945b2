import { randomBytes } from 'node:crypto';
import { rmSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

export const BALLAST_BYTES = 4 * 2 ** 20;
/** More than it takes to open a journal. */
const OPENING_BYTES = 2 ** 20;

/**
 * A file that takes room which is given up when the disk is full (K6): the sinks can go on then, for to note how far
 * they have come, and to let go of what was delivered, takes some room, too.
 */
export class Ballast {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  get isThere(): boolean {
    return statSync(this.#file, { throwIfNoEntry: false })?.size === BALLAST_BYTES;
  }

  /** Makes it, if as much again is left; says whether it is there. */
  make(): boolean {
    if (this.isThere) return true;
    try {
      rmSync(this.#file, { force: true });
      if (this.#free() < 2 * BALLAST_BYTES) return false;
      // Not zeros: some file systems take no room for those.
      writeFileSync(this.#file, randomBytes(BALLAST_BYTES), { mode: 0o600 });
      return true;
    } catch {
      this.giveUp();
      return false;
    }
  }

  /** Before a journal is opened: that takes room, too, and the disk may be full since the last end. */
  makeWay(): void {
    if (this.#free() < OPENING_BYTES) this.giveUp();
  }

  /** Says whether there was anything to give up. */
  giveUp(): boolean {
    try {
      if (!statSync(this.#file, { throwIfNoEntry: false })) return false;
      rmSync(this.#file);
      return true;
    } catch {
      return false;
    }
  }

  #free(): number {
    const { bavail, bsize } = statfsSync(dirname(this.#file));
    return bavail * bsize;
  }
}
