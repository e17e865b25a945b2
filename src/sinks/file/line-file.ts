import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { notAFile } from './explain.ts';
import { asideName, asidesIn, type Extent, nextStamp } from './rotation.ts';
import { codeOf, type FileSystem, syncFolder } from './system.ts';

/** Which file it is, whatever it is called. */
interface Identity {
  readonly dev: bigint;
  readonly ino: bigint;
}

/** What was written last and may have to be written again: it stands at the end of the file. */
interface Leftover extends Identity {
  readonly bytes: Buffer;
  /** Size of the file with it. */
  readonly end: number;
}

const LF = Buffer.from('\n');

/**
 * A file at a path that is written to its end, line by line. Nothing is ever cut off: who reads the file may have read
 * it, and would then mix up two lines or begin again from the first. So a line that a crash has cut short is ended
 * with a line feed, and its record comes again whole. One that a full disk has cut short in this process is carried on
 * where it ends.
 */
export class LineFile {
  readonly #path: string;
  readonly #mode: number;
  readonly #fs: FileSystem;
  #handle: FileHandle | undefined;
  #identity: Identity | undefined;
  #leftover: Leftover | undefined;

  constructor(path: string, mode: number, fs: FileSystem) {
    this.#path = path;
    this.#mode = mode;
    this.#fs = fs;
  }

  /** No-op when open. */
  async open(): Promise<void> {
    if (this.#handle) return;
    const handle = await this.#openOrCreate();
    try {
      const stat = await handle.stat({ bigint: true });
      if (!stat.isFile()) throw notAFile(this.#path);
      // Not only one that was made just now: whoever made it may have crashed before this.
      await syncFolder(this.#fs, dirname(this.#path));
      this.#identity = { dev: stat.dev, ino: stat.ino };
    } catch (error) {
      await handle.close();
      throw error;
    }
    this.#handle = handle;
  }

  /** The file at the path as it stands; `moved` or `missing` when that is not the one that is open. */
  async look(): Promise<Extent | 'moved' | 'missing'> {
    try {
      const { dev, ino, size, mtimeMs } = await this.#fs.stat(this.#path, { bigint: true });
      const isSame = dev === this.#identity?.dev && ino === this.#identity.ino;
      return isSame ? { bytes: Number(size), writtenMs: Number(mtimeMs) } : 'moved';
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return 'missing';
      throw error;
    }
  }

  /** Does the file end with what is to be written again, or with a part of it? Then it is no time to leave it. */
  isHalfWritten({ bytes }: Extent): boolean {
    return this.#leftover !== undefined && this.#isAt(this.#leftover, bytes);
  }

  /** Writes whole lines to the end. Until `taken`, they are known when they come again. */
  async append(text: Buffer): Promise<void> {
    const handle = this.#opened();
    const { size } = await handle.stat();
    const leftover = this.#leftover;
    this.#leftover = undefined;
    if (leftover && this.#isAt(leftover, size) && areAlike(leftover.bytes, text)) {
      if (leftover.bytes.length >= text.length) this.#leftover = leftover;
      else await this.#write(text, leftover.bytes.length, size);
      return;
    }
    const start = (await this.#endLine(handle, size)) ? size + LF.length : size;
    await this.#write(text, 0, start);
  }

  /** Nobody will send the first `bytes` again of what was appended last. */
  taken(bytes: number): void {
    const rest = this.#leftover?.bytes.subarray(bytes);
    this.#leftover = this.#leftover && rest?.length ? { ...this.#leftover, bytes: rest } : undefined;
  }

  /** Everything written is on disk, or it throws; then nobody knows what is. */
  async sync(): Promise<void> {
    try {
      await this.#opened().sync();
    } catch (error) {
      // The kernel forgets what it could not write: a second try would succeed without it.
      this.#leftover = undefined;
      throw error;
    }
  }

  /** Puts the file aside under a name of its own. It stays open. */
  async putAside(nowMs: number): Promise<void> {
    const asides = asidesIn(await this.#fs.readdir(dirname(this.#path)), basename(this.#path));
    await this.#fs.rename(this.#path, asideName(this.#path, nextStamp(asides, nowMs)));
  }

  /** Goes over from a file that was put aside to the one at the path, which is made when missing. */
  async renew(): Promise<void> {
    const handle = this.#opened();
    // Who reads one file after the other would take half a line and the next one for one.
    try {
      await this.#endLine(handle, (await handle.stat()).size);
    } catch {
      // All that is confirmed is there, and what is not comes again.
    }
    this.#leftover = undefined;
    await this.close();
    await this.open();
  }

  /** Safe twice. */
  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }

  async #openOrCreate(): Promise<FileHandle> {
    const { O_RDWR, O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK } = constants;
    // No link: rotation would rename the link. Not blocking: a pipe without a reader would hold us for ever.
    const flags = O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK;
    try {
      return await this.#fs.open(this.#path, flags);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
    }
    let handle: FileHandle;
    try {
      handle = await this.#fs.open(this.#path, flags | O_CREAT | O_EXCL, this.#mode);
    } catch (error) {
      // Others have just made it, as they want it.
      if (codeOf(error) === 'EEXIST') return this.#fs.open(this.#path, flags);
      throw error;
    }
    // As it was asked for, whatever the umask: it is others who are to read it. Where a file system has no
    // permissions that is no harm.
    await handle.chmod(this.#mode).catch(() => {});
    return handle;
  }

  #opened(): FileHandle {
    if (!this.#handle) throw new Error(`${this.#path} is not open`);
    return this.#handle;
  }

  #isAt({ dev, ino, end }: Leftover, size: number): boolean {
    return end === size && dev === this.#identity?.dev && ino === this.#identity.ino;
  }

  /** Ends a line that was cut short; says whether there was one. */
  async #endLine(handle: FileHandle, size: number): Promise<boolean> {
    if (size === 0) return false;
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
    if (bytesRead === 0 || buffer.equals(LF)) return false;
    await handle.write(LF);
    return true;
  }

  /** Writes `text` from `from` on to the end of the file, which has `size` bytes. */
  async #write(text: Buffer, from: number, size: number): Promise<void> {
    const handle = this.#opened();
    let written = from;
    try {
      // The kernel may take less than all of it, and does before it says that the disk is full.
      while (written < text.length) written += (await handle.write(text, written)).bytesWritten;
    } finally {
      const { dev, ino } = this.#identity!;
      this.#leftover = { dev, ino, bytes: text.subarray(0, written), end: size + written - from };
    }
  }
}

/** One begins with the other. */
function areAlike(a: Buffer, b: Buffer): boolean {
  const length = Math.min(a.length, b.length);
  return a.subarray(0, length).equals(b.subarray(0, length));
}
