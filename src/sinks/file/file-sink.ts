import * as promises from 'node:fs/promises';
import { UnavailableError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { Receipt, Rendered, Room, SendResult, Sink } from '../../core/sink.ts';
import { asLines, oneLine } from '../../lib/one-line.ts';
import { abortError, orAbort, wait } from '../../lib/wait.ts';
import { explain } from './explain.ts';
import { LineFile } from './line-file.ts';
import { countWritten, inPieces } from './pieces.ts';
import { type Extent, isDue, type Rotation } from './rotation.ts';
import type { FileSystem } from './system.ts';
import { tidy } from './tidy.ts';

export const syncs = ['always', 'interval', 'never'] as const;
export type Sync = (typeof syncs)[number];

export interface FileSinkOptions {
  /** Absolute. */
  readonly path: string;
  /** Permissions of a file that is made. */
  readonly mode: number;
  /** When a batch is forced to disk, which confirms it: at once, at most `intervalMs` later, or never. */
  readonly fsync: Sync;
  readonly intervalMs: number;
  readonly rotation: Rotation;
  /** Longest time that a confirmation may take. */
  readonly timeoutMs: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly log: Log;
  readonly fs?: FileSystem;
}

const BOUNDLESS: Room = { records: Number.MAX_SAFE_INTEGER, bytes: Number.MAX_SAFE_INTEGER };
const ALL_TAKEN: SendResult = { refused: [] };
const NOTHING = Buffer.alloc(0);

/** How long whoever has moved the file away may take to put another in its place, before we make one. */
const SUCCESSOR_MS = 250;

/** How often a batch is written anew because the file was moved meanwhile. */
const MOST_TRIES = 5;

/**
 * Each event as a line at the end of a file that others read, move away, cut and delete. A batch counts as written
 * when the file that it was written to was still the one at the path afterwards; so whatever is done with a file that
 * was moved away, the batch is in it whole. One that is larger than a file may be is written in pieces, file by file.
 *
 * One thing at a time is done with the file (`#inTurn`). When that fails, all that is unconfirmed rejects, and nothing
 * more is written before the sink has been opened again.
 */
export class FileSink implements Sink {
  readonly headerBytes = 0;
  readonly confirms: string;
  readonly #options: FileSinkOptions;
  readonly #fs: FileSystem;
  readonly #file: LineFile;
  /** Why nothing can be written; nothing between `open` and a failure or `close`. */
  #down: UnavailableError | undefined;
  #unconfirmed: PromiseWithResolvers<SendResult>[] = [];
  /** Pieces of a batch that are written, and on disk if that is wanted, and will be sent again if the rest of it fails. */
  #ahead = NOTHING;
  #timer: NodeJS.Timeout | undefined;
  #lastTurn: Promise<unknown> = Promise.resolve();
  #isBusy = false;
  #tidying: Promise<void> = Promise.resolve();
  /** Ends the tidying at `close`. */
  #life = new AbortController();
  /** What goes wrong and keeps nothing from being written. */
  readonly #troubles = new Map<string, string>();

  constructor(options: FileSinkOptions) {
    this.#options = options;
    this.#fs = options.fs ?? promises;
    this.#file = new LineFile(options.path, options.mode, this.#fs);
    this.#down = this.#closed();
    this.confirms = options.fsync === 'never' ? 'write' : 'fsync';
  }

  messages({ events }: Rendered): readonly Buffer[] {
    return events.map(oneLine);
  }

  window(): Room {
    return BOUNDLESS;
  }

  notes(): readonly string[] {
    return [...this.#troubles.values()];
  }

  async open(signal: AbortSignal): Promise<void> {
    await this.#inTurn(async () => {
      if (!this.#down) return;
      try {
        // What a failed fsync has left behind is not to be trusted.
        await this.#file.close();
        await this.#file.open();
      } catch (cause) {
        throw explain(this.#options.path, cause);
      }
      // The one who asked has gone, and has closed what was not open yet.
      if (signal.aborted) return this.#file.close();
      this.#down = undefined;
      this.#life = new AbortController();
      this.#tidyUp();
    }, signal);
  }

  send(batch: readonly Rendered[], signal: AbortSignal): Promise<Receipt> {
    return this.#inTurn(async () => {
      if (this.#down) throw this.#down;
      const { fsync, rotation } = this.#options;
      const records = batch.map((rendered) => {
        return asLines(this.messages(rendered));
      });
      const count = countWritten(records, this.#ahead);
      const { length } = Buffer.concat(records.slice(0, count));
      // Of a part of the batch that failed all may be there; the rest of that comes with the next.
      const isThere = count === records.length;
      if (!isThere) this.#ahead = this.#ahead.subarray(0, length);
      const last = inPieces(records.slice(count), rotation.maxBytes);
      const firsts = last.splice(0, last.length - 1);
      await this.#orFail(async () => {
        for (const piece of firsts) {
          await this.#write(piece);
          // The next one goes to another file.
          if (fsync !== 'never') await this.#file.sync();
          this.#file.taken(piece.length);
          this.#ahead = Buffer.concat([this.#ahead, piece]);
        }
        for (const piece of last) await this.#write(piece);
        if (fsync === 'always') await this.#file.sync();
      });
      // Nobody is told that it is written, so it will come again.
      if (signal.aborted) throw abortError(signal);
      for (const piece of last) this.#file.taken(piece.length);
      this.#ahead = isThere ? this.#ahead.subarray(length) : NOTHING;
      return { confirmed: this.#confirmed() };
    }, signal);
  }

  async confirm(signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw abortError(signal);
    if (this.#down) return;
    await orAbort(this.#confirm(), signal);
  }

  /** Lets go of a file that was moved or deleted, which would else keep its place on disk until the next batch. */
  async reopen(): Promise<void> {
    const task = async () => {
      const found = await this.#file.look();
      if (typeof found === 'string') await this.#renew(found);
    };
    await this.#inTurn(async () => {
      if (!this.#down) await this.#orFail(task);
    }).catch(() => {});
  }

  async close(): Promise<void> {
    this.#fail(this.#closed());
    this.#lastTurn = this.#lastTurn.then(() => this.#file.close()).catch(() => {});
    // A disk that does not answer must not hold the session, or nobody would hear of it: the turn comes when it does.
    if (!this.#isBusy) await Promise.all([this.#lastTurn, this.#tidying]);
  }

  async #write(text: Buffer): Promise<void> {
    const { path } = this.#options;
    let found = await this.#file.look();
    if (typeof found !== 'string' && this.#isDue(found, text)) await this.#rotate();
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      if (typeof found === 'string') await this.#renew(found);
      await this.#file.append(text);
      // If it was moved while we wrote: whoever did it may have read it before our lines were in.
      found = await this.#file.look();
      if (typeof found !== 'string') return;
    }
    const message = `${path} is another file each time. If it lies on a network file system, use a local disk; else find out what replaces it so often`;
    throw new UnavailableError(message, { reason: 'other' });
  }

  #isDue(found: Extent, text: Buffer): boolean {
    const { rotation, now } = this.#options;
    return isDue(found, text.length, rotation, now()) && !this.#file.isHalfWritten(found);
  }

  /** Puts the file aside. Where that cannot be done it is told, and the file grows on: nothing has to wait for it. */
  async #rotate(): Promise<void> {
    await this.#settle();
    try {
      await this.#file.putAside(this.#options.now());
      this.#mended('rotation');
    } catch (cause) {
      return this.#troubled('rotation', 'cannot be put aside and grows on', cause);
    }
    await this.#file.renew();
    this.#tidyUp();
  }

  async #renew(found: 'moved' | 'missing'): Promise<void> {
    await this.#settle();
    if (found === 'missing') await wait(SUCCESSOR_MS);
    await this.#file.renew();
  }

  #confirmed(): Promise<SendResult> {
    const { fsync, intervalMs } = this.#options;
    if (fsync !== 'interval') return Promise.resolve(ALL_TAKEN);
    const receipt = Promise.withResolvers<SendResult>();
    // It may reject before anybody has looked at it.
    receipt.promise.catch(() => {});
    this.#unconfirmed.push(receipt);
    this.#timer ??= setTimeout(() => this.#confirm().catch(() => {}), intervalMs);
    return receipt.promise;
  }

  /** Confirms what is written, in time or not at all. */
  async #confirm(): Promise<void> {
    const { timeoutMs, path } = this.#options;
    const overdue = () => {
      const message = `${path} could not be forced to disk within ${timeoutMs} ms`;
      this.#fail(new UnavailableError(message, { reason: 'timeout' }));
    };
    const timer = setTimeout(overdue, timeoutMs);
    try {
      await this.#inTurn(() => this.#orFail(() => this.#settle()));
    } finally {
      clearTimeout(timer);
    }
  }

  async #settle(): Promise<void> {
    if (this.#unconfirmed.length === 0) return;
    const written = [...this.#unconfirmed];
    await this.#file.sync();
    for (const { resolve } of written) resolve(ALL_TAKEN);
    this.#forget();
  }

  async #orFail(task: () => Promise<void>): Promise<void> {
    try {
      await task();
    } catch (cause) {
      this.#fail(explain(this.#options.path, cause));
    }
    if (this.#down) throw this.#down;
  }

  /** Until the next `open` nothing more is written. What is unconfirmed rejects, and what waits for its turn will. */
  #fail(why: UnavailableError): void {
    this.#down ??= why;
    this.#life.abort();
    for (const { reject } of this.#forget()) reject(this.#down);
  }

  /** Takes the unconfirmed out of the books. */
  #forget(): PromiseWithResolvers<SendResult>[] {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    return this.#unconfirmed.splice(0);
  }

  /** Beside the writing: it has to do only with files that were put aside. */
  #tidyUp(): void {
    const { path, rotation } = this.#options;
    const { signal } = this.#life;
    this.#tidying = this.#tidying.then(async () => {
      try {
        if (!signal.aborted) await tidy(this.#fs, path, rotation, signal);
        this.#mended('tidying');
      } catch (cause) {
        if (!signal.aborted)
          this.#troubled('tidying', 'has older files that cannot be compressed or deleted', cause);
      }
    });
  }

  #troubled(what: string, message: string, cause: unknown): void {
    const { path, log } = this.#options;
    const why = cause instanceof Error ? cause.message : String(cause);
    const told = `${path} ${message}: ${why}`;
    if (!this.#troubles.has(what)) log.warn({}, told);
    this.#troubles.set(what, told);
  }

  #mended(what: string): void {
    if (this.#troubles.delete(what)) this.#options.log.info({}, `${this.#options.path}: ${what} works again`);
  }

  /** Runs `task` when all that was asked for before has ended, unless `signal` aborts first. */
  #inTurn<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const turn = this.#lastTurn.then(async () => {
      if (signal?.aborted) throw abortError(signal);
      this.#isBusy = true;
      try {
        return await task();
      } finally {
        this.#isBusy = false;
      }
    });
    this.#lastTurn = turn.catch(() => {});
    return signal ? orAbort(turn, signal) : turn;
  }

  #closed(): UnavailableError {
    return new UnavailableError(`${this.#options.path} is closed`, { reason: 'other' });
  }
}
