import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import type { Coverage } from '../core/coverage.ts';
import { compareCursors } from '../core/cursor.ts';
import { JournalError, JournalUnavailableError } from '../core/errors.ts';
import { Follows } from '../core/follows.ts';
import type {
  Advance,
  Append,
  Appended,
  AppendedFor,
  Compared,
  Comparison,
  Cursor,
  DeadLetterChoice,
  Fault,
  Forgotten,
  Gap,
  Handled,
  Journal,
  JournalOpening,
  JournalStats,
  Loan,
  Moved,
  Position,
  RecordId,
  Repair,
  Repaired,
  Search,
  Searched,
  SinkRegistration,
  SourceKey,
} from '../core/journal.ts';
import type { Log } from '../core/log.ts';
import { type Mark, noMark } from '../core/mark.ts';
import type { OwnEvent } from '../core/own-event.ts';
import type { Retold } from '../core/record.ts';
import { joinWithheld } from '../core/withheld.ts';
import { version } from '../lib/version.ts';
import { orAbort } from '../lib/wait.ts';
import { type Chunk, ChunkCache, decodeChunk, lend } from './cache.ts';
import { systemClock } from './clock.ts';
import { checkFrames, checkLog, pathsIn } from './database.ts';
import { Fresh } from './fresh.ts';
import { Keeper } from './keeper.ts';
import { MarkFile } from './mark.ts';
import { packed } from './outbox.ts';
import type { JournalMethods, JournalNotice, StoreOptions } from './protocol.ts';
import { Caller } from './rpc.ts';
import { Telling } from './telling.ts';
import { journalError } from './trouble.ts';

export interface JournalOptions extends StoreOptions {
  readonly log: Log;
}

/** All sinks' cursors go to disk together, at most so often (K2). */
const ADVANCE_EVERY_MS = 100;

/** The worker runs from the sources (tests) and from what was built of them, where it is beside this, too. */
const WORKER = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url);

/**
 * Opens the journal in `directory`, or makes one when there is none; the directory is then this process's alone.
 *
 * @throws {JournalError} somebody else has the directory, or the journal there cannot be trusted
 */
export async function openJournal({ log, ...options }: JournalOptions): Promise<Journal> {
  // What it leaves behind are buffers outside of its heap, some hundred kilobytes for each row, of which V8 takes little
  // notice: with a small young generation they go often. It counts for threads that start from now on, as this one does.
  setFlagsFromString('--max-semi-space-size=1');
  const worker = new Worker(WORKER, { name: 'journal' });
  const journal = new WorkerJournal(worker, options.directory, log);
  try {
    const { journal: file, mark } = pathsIn(options.directory);
    const created = await journal.ask('prepare', { ...options, version });
    checkLog(options.directory);
    checkFrames(options.directory);
    journal.keeper = new Keeper(file);
    journal.opening = { ...(await journal.ask('open', undefined)), created };
    journal.keeper.hold();
    journal.mark = new MarkFile(mark, log);
    return journal;
  } catch (cause) {
    const error = journal.lose(journalError(options.directory, cause));
    await journal.close();
    throw error;
  }
}

/**
 * The main thread's side: it asks the worker, collects steps of cursors, and keeps decoded records. Any error
 * that the worker answers with is the end of this journal, but for a fault of the disk: that it waits out (see
 * `Healing`).
 */
class WorkerJournal implements Journal {
  opening: JournalOpening = { created: false, clean: true, schema: 0, lastBatch: 0, records: 0 };
  mark: Mark & { close?(): void } = noMark;
  keeper: Keeper | undefined;
  fault: Fault | undefined;
  readonly failed: Promise<never>;
  readonly #directory: string;
  readonly #log: Log;
  readonly #worker: Worker;
  readonly #caller: Caller<JournalMethods, JournalNotice>;
  /** Why nothing can be asked any more. */
  #ended: JournalError | undefined;
  #lose: (error: JournalError) => void = () => {};
  #closing: Promise<void> | undefined;
  #paused = false;
  /** Fulfilled, and made anew, whenever those who wait should look again. */
  #change = Promise.withResolvers<void>();
  readonly #cache = new ChunkCache();
  readonly #fresh = new Fresh();
  /** Chunks on their way, by the cursor that asked. */
  readonly #reading = new Map<string, Promise<Chunk | undefined>>();
  /** The newest cursor of each sink, on disk or on its way. */
  readonly #cursors = new Map<string, Cursor>();
  /** Where the worker has put sinks by itself. */
  readonly #moved = new Map<string, Position>();
  /** Steps that wait to be sent, one for each sink. */
  #steps = new Map<string, Advance>();
  /** Steps on their way to the disk. They stay as they are until it has them: some may be there already. */
  #sent: readonly Advance[] = [];
  /** What the steps that are not on disk say of ids, for each sink. */
  readonly #follows = new Map<string, Follows>();
  /** What the relay tells of itself, until it is on disk. */
  readonly #telling = new Telling(systemClock());
  /** The disk had no room for that; it waits until the disk is well. */
  #mute = false;
  #timer: NodeJS.Timeout | undefined;
  /** Settles when what was sent is on disk. */
  #storing: Promise<void> | undefined;

  constructor(worker: Worker, directory: string, log: Log) {
    this.#worker = worker;
    this.#directory = directory;
    this.#log = log;
    this.#caller = new Caller<JournalMethods, JournalNotice>(worker, (notice) => this.#hear(notice));
    this.failed = new Promise((_, reject) => {
      this.#lose = reject;
    });
    // Whoever waits for it is told; nobody has to.
    this.failed.catch(() => {});
    const died = (cause: unknown) => {
      const error = journalError(directory, cause);
      this.#caller.end(error);
      this.lose(error);
    };
    worker.on('error', died);
    worker.on('exit', (code) => died(new Error(`its thread ended (exit code ${code})`)));
  }

  async available(): Promise<void> {
    for (;;) {
      this.#check();
      if (this.fault?.usable !== false) return;
      await this.#change.promise;
    }
  }

  checkpoint(key: SourceKey): Promise<string | undefined> {
    return this.#askPatiently('checkpoint', key);
  }

  async append(page: Append): Promise<Appended> {
    const sent = { ...page, records: packed(page.records) };
    const kept = await this.ask('append', sent);
    this.#fresh.put(sent, kept);
    if (kept.new > 0) this.#wake();
    const { before: _, told, ...counts } = kept;
    return { ...counts, told: told.map(({ index, outcome }) => ({ index, outcome })) };
  }

  async appendFor(
    sink: string,
    outcome: 'repair' | 'replay',
    records: readonly Retold[],
  ): Promise<AppendedFor> {
    const appended = await this.ask('appendFor', { sink, outcome, records });
    if (appended === 'appended') this.#wake();
    return appended;
  }

  search(search: Search): Promise<Searched> {
    return this.#askPatiently('search', search);
  }

  recordsAt(places: readonly Cursor[]): Promise<{ places: number; records: readonly Retold[] }> {
    return this.#askPatiently('recordsAt', places);
  }

  async room(signal: AbortSignal): Promise<void> {
    for (;;) {
      this.#check();
      if (!this.#paused && !this.fault) return;
      await orAbort(this.#change.promise, signal);
    }
  }

  async register(sinks: readonly SinkRegistration[]): Promise<ReadonlyMap<string, Position>> {
    await this.flush();
    const positions = await this.#askPatiently('register', sinks);
    // One that has begun anew since is where it was put then.
    for (const [name, { stream }] of this.#moved)
      if (positions.get(name)?.stream !== stream) this.#moved.delete(name);
    for (const name of this.#cursors.keys()) if (!positions.has(name)) this.#cursors.delete(name);
    for (const [name, { cursor }] of positions) {
      // One that is at work may have gone on meanwhile.
      const noted = this.#cursors.get(name);
      this.#cursors.set(name, noted && compareCursors(noted, cursor) > 0 ? noted : cursor);
      if (!this.#follows.has(name)) this.#follows.set(name, new Follows());
    }
    // What is for one sink only may have changed hands (`formerly`).
    this.#cache.clear();
    this.#cache.capacity = Math.max(1, positions.size);
    return positions;
  }

  async take(cursor: Cursor, limit: number, signal: AbortSignal, sink?: string): Promise<Loan> {
    for (;;) {
      if (this.fault?.usable === false) await orAbort(this.available(), signal);
      // Taken before reading, so that an append in between is not missed.
      const change = this.#change.promise;
      const loan = await this.peek(cursor, limit, signal, sink);
      if (loan) return loan;
      await orAbort(change, signal);
    }
  }

  async peek(cursor: Cursor, limit: number, signal: AbortSignal, sink?: string): Promise<Loan | undefined> {
    this.#check();
    for (let at = cursor; ; ) {
      const chunk = this.#cache.find(at) ?? this.#findFresh(at) ?? (await orAbort(this.#read(at), signal));
      if (!chunk) return undefined;
      if (chunk.target === null || chunk.target === sink) return lend(chunk, at, limit);
      at = chunk.ends.at(-1)!;
    }
  }

  movedTo(sink: string): Position | undefined {
    return this.#moved.get(sink);
  }

  advance(step: Advance): void {
    this.#check();
    const { sink, cursor } = step;
    const reached = this.#cursors.get(sink);
    if (!reached) throw new Error(`sink ${sink} is not registered with the journal`);
    if (compareCursors(cursor, reached) <= 0) return;
    this.#cursors.set(sink, cursor);
    const before = this.#steps.get(sink);
    const refused = [...(before?.refused ?? []), ...step.refused];
    const follow = [...(before?.follow ?? []), ...(step.follow ?? [])];
    const withheld = joinWithheld(before?.withheld ?? [], step.withheld ?? []);
    const apart = step.apart ?? before?.apart;
    this.#steps.set(sink, { ...step, refused, withheld, follow, ...(apart && { apart }) });
    this.#follows.get(sink)?.add(step.follow);
    this.#storeSoon();
  }

  tell(event: OwnEvent): void {
    this.#telling.note(event);
    this.#storeSoon();
  }

  async tellCoverage(): Promise<void> {
    if (await this.ask('tellCoverage', undefined)) this.#wake();
  }

  async follows(sink: string, ids: readonly RecordId[]): Promise<readonly boolean[]> {
    const noted = ids.map((id) => this.#follows.get(sink)?.get(id));
    const unknown = ids.filter((_, index) => noted[index] === undefined);
    const stored = unknown.length > 0 ? await this.#askPatiently('follows', { sink, ids: unknown }) : [];
    let next = 0;
    return noted.map((on) => on ?? stored[next++] === true);
  }

  async flush(): Promise<void> {
    this.#check();
    // First those that are on their way, then those that wait. What is noted meanwhile is not waited for: it may be without end.
    for (let round = 0; round < 2 && this.#hasNews; round++) await this.#store();
  }

  stats(): Promise<JournalStats> {
    return this.ask('stats', undefined);
  }

  async compare(window: Comparison): Promise<Compared> {
    // What sinks have noted counts.
    await this.available();
    await this.flush().catch((error: unknown) => {
      if (!(error instanceof JournalUnavailableError)) throw error;
    });
    const { records, ...rest } = window;
    const bare = records.map(({ id, revision, created, unwanted }) => ({
      id,
      revision,
      created,
      ...(unwanted && { unwanted }),
    }));
    return await this.#askPatiently('compare', { ...rest, records: bare });
  }

  async repair(missing: Repair): Promise<Repaired> {
    const repaired = await this.ask('repair', missing);
    if (repaired.records > 0) this.#wake();
    return repaired;
  }

  gaps(): Promise<readonly Gap[]> {
    return this.#askPatiently('gaps', undefined);
  }

  closeGap({ id, grownMs }: Pick<Gap, 'id' | 'grownMs'>): Promise<boolean> {
    return this.ask('closeGap', { id, grownMs });
  }

  reconciledAt(key: SourceKey): Promise<number | undefined> {
    return this.#askPatiently('reconciledAt', key);
  }

  noteReconciled({ source, tenant }: SourceKey, atMs: number): Promise<void> {
    return this.ask('noteReconciled', { source, tenant, atMs });
  }

  coverage(): Promise<readonly Coverage[]> {
    return this.#askPatiently('coverage', undefined);
  }

  forget(sink: string, always?: 'always'): Promise<Forgotten> {
    return this.ask('forget', { sink, always: always !== undefined });
  }

  async retry(choice: DeadLetterChoice): Promise<Handled> {
    const handled = await this.ask('retry', choice);
    if (handled.done.length > 0) this.#wake();
    return handled;
  }

  drop(choice: DeadLetterChoice): Promise<Handled> {
    return this.ask('drop', choice);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Asks the worker. An error in its answer ends the journal, unless it tells of a fault of the disk. */
  async ask<K extends keyof JournalMethods>(
    method: K,
    argument: Parameters<JournalMethods[K]>[0],
  ): Promise<Awaited<ReturnType<JournalMethods[K]>>> {
    this.#check();
    return await this.#call(method, argument);
  }

  async #call<K extends keyof JournalMethods>(
    method: K,
    argument: Parameters<JournalMethods[K]>[0],
  ): Promise<Awaited<ReturnType<JournalMethods[K]>>> {
    try {
      return await this.#caller.call(method, argument);
    } catch (cause) {
      if (this.#ended) throw cause;
      // The message is ready for people; the class was lost between the threads.
      const { name, message } = cause as Error;
      if (name === JournalUnavailableError.name) throw new JournalUnavailableError(message, { cause });
      throw this.lose(new JournalError(message, { cause }));
    }
  }

  /** For what may be asked again: waits until the disk is well, however long that takes. */
  async #askPatiently<K extends keyof JournalMethods>(
    method: K,
    argument: Parameters<JournalMethods[K]>[0],
  ): Promise<Awaited<ReturnType<JournalMethods[K]>>> {
    for (;;) {
      await this.available();
      try {
        return await this.ask(method, argument);
      } catch (error) {
        if (!(error instanceof JournalUnavailableError)) throw error;
      }
    }
  }

  async #close(): Promise<void> {
    if (!this.#ended) {
      clearTimeout(this.#timer);
      // The worker answers in order: what was asked before is done before.
      const stored = this.#storeAll();
      this.#ended = new JournalError(`the journal in ${this.#directory} is closed`);
      this.#wake();
      try {
        await stored;
        await this.#caller.call('leave', undefined);
        this.#letGo();
        await this.#caller.call('close', undefined);
      } catch (error) {
        this.#log.warn(
          { error },
          'the last progress of the sinks was not stored: it is sent again after the next start',
        );
      }
    }
    this.mark.close?.();
    this.mark = noMark;
    await this.#worker.terminate();
    this.#letGo();
  }

  #letGo(): void {
    this.keeper?.close();
    this.keeper = undefined;
  }

  /** Something was noted that is not on disk and can go there. */
  get #hasNews(): boolean {
    return this.#steps.size + this.#sent.length > 0 || !(this.#mute || this.#telling.isEmpty);
  }

  /** All that was noted, and what is noted meanwhile. */
  async #storeAll(): Promise<void> {
    while (this.#storing || this.#hasNews) await this.#store();
  }

  /** Stores what was noted, one group at a time. */
  #store(): Promise<void> {
    this.#storing ??= this.#storeNews().finally(() => {
      this.#storing = undefined;
      this.#storeSoon();
    });
    return this.#storing;
  }

  /** Does nothing while there is nothing to store, or nowhere to. */
  #storeSoon(): void {
    if (this.#ended || this.fault?.usable === false || !this.#hasNews) return;
    this.#timer ??= setTimeout(() => {
      // Steps that are on their way may take longer than this; those that wait are then looked after anew.
      this.#timer = undefined;
      // `failed` tells; `flush` does, too.
      this.#store().catch(() => {});
    }, ADVANCE_EVERY_MS);
  }

  async #storeNews(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    // Both are asked for in one breath: the worker writes them in one transaction.
    const both = await Promise.allSettled([this.#storeSteps(), this.#storeEvents()]);
    for (const each of both) if (each.status === 'rejected') throw each.reason;
  }

  async #storeEvents(): Promise<void> {
    const notes = this.#mute ? [] : this.#telling.send();
    if (notes.length === 0) return;
    try {
      this.#telling.stored(await this.#call('tell', notes));
    } catch (error) {
      // It must not be what takes the last room from the cursors, again and again.
      this.#mute = this.fault !== undefined;
      throw error;
    }
    this.#wake();
  }

  async #storeSteps(): Promise<void> {
    if (this.#sent.length === 0) {
      this.#sent = [...this.#steps.values()];
      this.#steps = new Map();
    }
    if (this.#sent.length === 0) return;
    // Sent again after a fault, each step is passed over whole when the disk has it already, with its refusals.
    await this.#call('advance', this.#sent);
    for (const { sink, follow } of this.#sent) this.#follows.get(sink)?.delete(follow);
    this.#sent = [];
  }

  #findFresh(cursor: Cursor): Chunk | undefined {
    const chunk = this.#fresh.find(cursor, this.mark);
    if (chunk) this.#cache.put(chunk);
    return chunk;
  }

  #read(cursor: Cursor): Promise<Chunk | undefined> {
    const key = `${cursor.batch}:${cursor.index}`;
    const found = this.#reading.get(key);
    if (found) return found;
    const reading = this.#readChunk(cursor).finally(() => this.#reading.delete(key));
    this.#reading.set(key, reading);
    return reading;
  }

  async #readChunk(cursor: Cursor): Promise<Chunk | undefined> {
    const raw = await this.#askPatiently('read', cursor);
    if (!raw) return undefined;
    try {
      const chunk = decodeChunk(raw, this.mark);
      this.#cache.put(chunk);
      return chunk;
    } catch (error) {
      throw this.lose(journalError(this.#directory, error));
    }
  }

  #hear(notice: JournalNotice): void {
    if ('paused' in notice) {
      this.#paused = notice.paused;
      this.#wake();
    } else if ('moved' in notice) {
      for (const each of notice.moved) this.#move(each);
    } else if ('fault' in notice) {
      this.#face(notice.fault);
    } else if ('lost' in notice) {
      this.lose(new JournalError(notice.lost));
    } else {
      this.#log[notice.level](notice.fields, notice.message);
    }
  }

  /** What was let go of is not asked for any more, and steps to there are passed over. */
  #move({ sink, position }: Moved): void {
    this.#moved.set(sink, position);
    const reached = this.#cursors.get(sink);
    if (reached && compareCursors(position.cursor, reached) > 0) this.#cursors.set(sink, position.cursor);
  }

  #face(fault: Fault | undefined): void {
    this.fault = fault;
    if (fault === undefined) this.#mute = false;
    if (fault?.usable === false) {
      // It is read again, all of it, and says anew whether it is full (K1).
      this.#paused = false;
      this.#cache.clear();
      this.#fresh.clear();
    }
    this.#storeSoon();
    this.#wake();
  }

  /** The journal cannot be used any more; only the first reason counts. */
  lose(error: JournalError): JournalError {
    if (this.#ended) return this.#ended;
    this.#end(error);
    this.#lose(error);
    // Gives the directory free, so that it can be opened again.
    void this.#worker.terminate();
    return error;
  }

  #end(error: JournalError): void {
    this.#ended ??= error;
    clearTimeout(this.#timer);
    this.#caller.end(this.#ended);
    this.#wake();
  }

  #wake(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers();
  }

  /** @throws {JournalError} */
  #check(): void {
    if (this.#ended) throw this.#ended;
  }
}
