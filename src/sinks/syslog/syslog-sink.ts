import { UnavailableError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { Confirming, Receipt, Rendered, Room, SendResult, Sink, Window } from '../../core/sink.ts';
import { abortError, orAbort } from '../../lib/wait.ts';
import type { Acknowledged } from './acknowledged.ts';
import { confirmByClose, quietMs } from './confirm.ts';
import type { Connection, Happening } from './connection.ts';
import { type Header, maxHeaderBytes, messagesOf } from './header.ts';
import type { Host, Hosts } from './hosts.ts';
import { asksByClose, confirmed, type Pace, roomOf, START, timedOut } from './pace.ts';

/** What counts as the receiver having read all; see {@link SyslogSink}. */
export const confirmations = ['close', 'delay', 'none'] as const;
export type Confirmation = (typeof confirmations)[number];

export interface SyslogSinkOptions {
  readonly hosts: Hosts;
  readonly header: Header;
  readonly confirm: {
    readonly by: Confirmation;
    /** `close`: longest time from the first unconfirmed byte until its confirmation is asked for, milliseconds. */
    readonly everyMs: number;
    /** `delay`: how long a connection must have been well, milliseconds. */
    readonly afterMs: number;
  };
  /** Most bytes of an event that the transport can carry. */
  readonly maxMessageBytes: number;
  /** Longest time for a confirmation by `close` after its quiet time, milliseconds. */
  readonly timeoutMs: number;
  readonly acknowledged: Acknowledged;
  /** Milliseconds, only ever going forward. */
  readonly clock: () => number;
  readonly log: Log;
  /** What else an operator has to know as long as it is so. */
  readonly notes?: () => readonly string[];
}

const NO_ROOM: Room = { records: 0, bytes: 0 };
/**
 * What may be unconfirmed by `delay`: all that was sent within `confirm.after`, as far as memory goes. The pipeline
 * holds on to the records, which are up to six times as large as their events (seen: 85 MB).
 */
const DELAY_ROOM: Room = { records: Number.MAX_SAFE_INTEGER, bytes: 16 * 2 ** 20 };
/** With `none` nothing stays unconfirmed. */
const ANY_ROOM: Room = { records: Number.MAX_SAFE_INTEGER, bytes: Number.MAX_SAFE_INTEGER };
/** A write that the kernel takes no sooner had to wait for the receiver. */
const PRESSURE_MS = 100;

/** A batch that is written and not confirmed. */
interface Written {
  readonly used: Room;
  readonly atMs: number;
  /** Bytes sent on the connection when it was. */
  readonly atByte: number;
  readonly confirmed: Promise<SendResult>;
  readonly result: SendResult;
  resolve(result: SendResult): void;
  reject(why: UnavailableError): void;
}

/**
 * Syslog over a connection that has no acknowledgement of its own. What counts as one:
 *
 * - `close`: the connection is half-closed now and then, and what the receiver then answers confirms all that was
 *   written to it (see {@link confirmByClose}). How much is written in between follows what the receiver has shown
 *   that it can read in time (see `pace.ts`). One that never answers is *unconfirmable*: it is told, and confirmed
 *   by `delay`, until one record an hour shows that it answers after all.
 * - `delay`: the connection has stayed well, without back-pressure, for some time. That is an inference. Before a stop
 *   the connection is half-closed as well: an answer to that is worth more, and comes sooner.
 * - `none`: the kernel has taken it. That is no confirmation; UDP has no better one.
 *
 * Writing and confirming take turns, in the order in which they were asked for. So nothing is written while a
 * confirmation by `close` is under way; the next connection is opened meanwhile, and carries nothing before the
 * old one is confirmed. All that is unconfirmed is always on one connection. When that fails, all of it rejects,
 * and nothing more is sent before the sink has been opened again: the pipeline goes on from the first unconfirmed
 * record, and what comes later must not overtake it. A connection that ends with nothing unconfirmed on it is
 * replaced without a word.
 */
export class SyslogSink implements Sink {
  readonly headerBytes: number;
  readonly #options: SyslogSinkOptions;
  /** Of each host its own: what one takes says nothing of another. */
  readonly #paces = new Map<Host, Pace>();
  /** The one that was last connected to, and is written to next. */
  #host: Host | undefined;
  /** Why nothing can be sent; nothing between `open` and a failure or `close`. */
  #down: UnavailableError | undefined;
  /** Ended by a failure and by `close`: a connect that is under way must not outlive them. */
  #life = new AbortController();
  /** All connections that are open, to let go of. */
  readonly #connections = new Set<Connection>();
  /** The one that is written to. */
  #current: Connection | undefined;
  /** One that will not be written to any more, and is confirmed by `delay` unless it answers our close before. */
  #last: Connection | undefined;
  /** Opened in advance. */
  #next: Promise<Connection> | undefined;
  #writing = false;
  /** How what is unconfirmed is to be confirmed, and what is written next. */
  #method: Confirmation;
  #unconfirmed: Written[] = [];
  #records = 0;
  #bytes = 0;
  #confirming: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Bytes that were acknowledged on the current connection at the last look, and since when it is no more. */
  #taken = { bytes: 0, atMs: 0 };
  /** It is there, and has stopped reading. */
  #isFull = false;
  /** When a write last had to wait. */
  #pressedMs = Number.NEGATIVE_INFINITY;
  #lastTurn: Promise<unknown> = Promise.resolve();

  constructor(options: SyslogSinkOptions) {
    this.#options = options;
    this.#method = options.confirm.by;
    this.#down = this.#closed();
    this.headerBytes = maxHeaderBytes(options.header);
  }

  messages(rendered: Rendered): readonly Buffer[] {
    return messagesOf(rendered, this.#options.header);
  }

  get confirms(): Confirmation {
    return this.#wanted();
  }

  notes(): readonly string[] {
    const unconfirmable = [...this.#paces]
      .filter(([, pace]) => pace.unconfirmable)
      .map(([{ name }]) => `${name}: ${UNCONFIRMABLE}`);
    const { trouble } = this.#options.acknowledged;
    const notAsked = trouble === undefined ? [] : [trouble];
    return [
      ...unconfirmable,
      ...(this.#isFull ? [FULL] : []),
      ...notAsked,
      ...(this.#options.notes?.() ?? []),
    ];
  }

  window(): Window {
    if (this.#confirming) return NO_ROOM;
    const method = this.#wanted();
    // What is unconfirmed waits for another kind of confirmation.
    if (method !== this.#method && this.#unconfirmed.length > 0) return NO_ROOM;
    if (method === 'none') return ANY_ROOM;
    const whole = method === 'close' ? roomOf(this.#pace()) : DELAY_ROOM;
    const left = {
      records: Math.max(0, whole.records - this.#records),
      bytes: Math.max(0, whole.bytes - this.#bytes),
    };
    return method === 'close' ? left : { ...left, isOwnBound: true };
  }

  async open(signal: AbortSignal): Promise<void> {
    await this.#inTurn(async () => {
      if (this.#life.signal.aborted) this.#life = new AbortController();
      await this.#connection(signal);
      this.#down = undefined;
    }, signal);
  }

  send(batch: readonly Rendered[], signal: AbortSignal): Promise<Receipt> {
    return this.#inTurn(async () => {
      if (this.#down) throw this.#down;
      const { messages, refused } = this.#measure(batch);
      const bytes = messages.reduce((sum, message) => sum + message.length + 1, 0);
      const used = { records: batch.length, bytes };
      // What is larger than the window goes alone.
      const room = this.#method === 'close' ? roomOf(this.#pace()).bytes : ANY_ROOM.bytes;
      if (this.#bytes >= room || bytes > room) await this.#halfClose();
      if (this.#unconfirmed.length === 0) {
        // How it confirms is a matter of the host that it goes to.
        await this.#connection(signal);
        this.#method = this.#wanted();
      }
      await this.#write(messages, used, signal);
      return this.#written(used, { refused });
    }, signal);
  }

  async confirm(signal: AbortSignal, how?: Confirming): Promise<void> {
    if (signal.aborted) throw abortError(signal);
    if (this.#down) return;
    if (this.#method === 'close') return orAbort(this.#startConfirm(), signal);
    if (how?.isLast) return this.#inTurn(() => this.#endDelayed(), signal);
    const settled = this.#lastTurn.then(() => this.#settled());
    await orAbort(settled, signal);
  }

  async close(): Promise<void> {
    this.#fail(this.#closed());
    // Whoever has the turn has lost its connection, so this comes soon.
    await this.#lastTurn;
  }

  #pace(host = this.#host): Pace {
    return (host && this.#paces.get(host)) ?? START;
  }

  /** The way to confirm what is written next. */
  #wanted(): Confirmation {
    const { by } = this.#options.confirm;
    if (by !== 'close') return by;
    return asksByClose(this.#pace(), this.#options.clock()) ? 'close' : 'delay';
  }

  /** The messages of a batch, without those of records that the transport cannot carry whole. */
  #measure(batch: readonly Rendered[]) {
    const { maxMessageBytes } = this.#options;
    const messages: Buffer[] = [];
    const refused: SendResult['refused'][number][] = [];
    for (const [index, rendered] of batch.entries()) {
      const own = this.messages(rendered);
      const largest = Math.max(...own.map(({ length }) => length));
      if (largest <= maxMessageBytes) {
        messages.push(...own);
        continue;
      }
      const detail = `an event of it has ${largest} bytes, and ${maxMessageBytes} is the most that can be sent; lower maxEventBytes`;
      refused.push({ index, reason: 'too-large', detail });
    }
    return { messages, refused };
  }

  /** Writes all of it, or fails. */
  async #write(messages: readonly Buffer[], used: Room, signal: AbortSignal): Promise<void> {
    const connection = await this.#connection(signal);
    if (signal.aborted) throw abortError(signal);
    const { clock } = this.#options;
    const onAbort = () => {
      // A receiver that takes no more within the time for a send is too slow for so much.
      if ((signal.reason as Error | undefined)?.name === 'TimeoutError')
        this.#slowDown(connection.host, used);
      const message = `sending to ${connection.host.name} was abandoned`;
      this.#failOn(connection, new UnavailableError(message, { reason: 'other' }));
    };
    signal.addEventListener('abort', onAbort, { once: true });
    this.#writing = true;
    const startedMs = clock();
    try {
      await connection.write(messages);
    } catch (cause) {
      this.#failOn(connection, connection.explain('sending', cause));
    } finally {
      this.#writing = false;
      signal.removeEventListener('abort', onAbort);
      if (clock() - startedMs > PRESSURE_MS) this.#pressedMs = clock();
    }
    if (this.#down) throw this.#down;
  }

  /** Notes a batch as written and arranges for its confirmation. */
  #written(used: Room, result: SendResult): Receipt {
    if (this.#method === 'none') {
      if (this.#host) this.#options.hosts.works(this.#host);
      return { confirmed: Promise.resolve(result) };
    }
    const { promise: confirmed, resolve, reject } = Promise.withResolvers<SendResult>();
    // It may reject before anybody has looked at it.
    confirmed.catch(() => {});
    const atByte = this.#current?.sentBytes ?? 0;
    this.#unconfirmed.push({ used, atMs: this.#options.clock(), atByte, confirmed, result, resolve, reject });
    this.#records += used.records;
    this.#bytes += used.bytes;
    const { everyMs, afterMs } = this.#options.confirm;
    if (this.#method === 'delay') {
      this.#timer ??= setTimeout(() => this.#settleDelayed(), afterMs);
    } else {
      this.#timer ??= setTimeout(() => this.#startConfirm(), everyMs);
      const room = roomOf(this.#pace());
      if (this.#bytes >= room.bytes || this.#records >= room.records) this.#startConfirm();
    }
    return { confirmed };
  }

  /**
   * Takes for confirmed what was written long enough ago, on a connection that has been well ever since, and what the
   * receiver's kernel has acknowledged, where that is known: a receiver may vanish without a word. It is given up when it
   * takes nothing for the time-out. One that is there and does not read is not: each further connection would take something, and
   * all of that would be lost with it.
   */
  async #settleDelayed(): Promise<void> {
    const { clock, confirm, acknowledged, timeoutMs } = this.#options;
    const connection = this.#delayed();
    if (!connection) return;
    const { sentBytes, tuple } = connection;
    const wasWriting = this.#writing;
    const found = tuple && (await acknowledged.outstanding(tuple));
    // It may have failed meanwhile, or have been confirmed.
    if (connection !== this.#delayed()) return;
    const acknowledgedBytes = sentBytes - (found?.unacknowledgedBytes ?? 0);
    const isOut = ({ atByte }: Written) => atByte > acknowledgedBytes;
    const waitMs = (written: Written) => {
      const restMs = Math.max(written.atMs, this.#pressedMs) + confirm.afterMs - clock();
      return wasWriting || isOut(written) ? Math.max(restMs, PRESSURE_MS) : restMs;
    };
    let written = this.#unconfirmed[0];
    while (written && waitMs(written) <= 0) {
      this.#unconfirmed.shift();
      this.#records -= written.used.records;
      this.#bytes -= written.used.bytes;
      written.resolve(written.result);
      this.#options.hosts.works(connection.host);
      written = this.#unconfirmed[0];
    }
    if (acknowledgedBytes !== this.#taken.bytes) this.#taken = { bytes: acknowledgedBytes, atMs: clock() };
    const isStuck = written && isOut(written) && clock() - this.#taken.atMs > timeoutMs;
    this.#tellFull(isStuck === true && found?.isFull === true);
    if (isStuck && !found?.isFull) {
      const message = `${connection.host.name} has not taken what it was sent within the time-out; that is sent again`;
      this.#failOn(connection, new UnavailableError(message, { reason: 'timeout' }));
    } else if (written) this.#timer = setTimeout(() => this.#settleDelayed(), Math.ceil(waitMs(written)));
    else this.#forget();
  }

  /** The connection with what is unconfirmed by `delay`. */
  #delayed(): Connection | undefined {
    return this.#current ?? this.#last;
  }

  /** All that is unconfirmed now is confirmed, or it throws. */
  async #settled(): Promise<void> {
    await Promise.all(this.#unconfirmed.map(({ confirmed }) => confirmed));
  }

  /**
   * Closes the connection for the sake of the receiver's answer, and waits for that or for the delay, whichever comes
   * first: not to answer a close says no more about what was read than before.
   */
  async #endDelayed(): Promise<void> {
    if (this.#down) throw this.#down;
    const connection = this.#current;
    if (!connection || this.#unconfirmed.length === 0) return;
    this.#current = undefined;
    this.#last = connection;
    const { hosts, acknowledged } = this.#options;
    const isLast = () => this.#last === connection;
    confirmByClose(connection, {
      quietMs: quietMs(connection.connectMs),
      acknowledged: (tuple, signal) => acknowledged.all(tuple, signal),
    }).then(
      () => {
        if (!isLast()) return;
        this.#last = undefined;
        hosts.works(connection.host);
        for (const { resolve, result } of this.#forget()) resolve(result);
      },
      (failure) => {
        if (isLast()) this.#failOn(connection, connection.explain('confirming what was sent', failure));
      },
    );
    await this.#settled();
    this.#last = undefined;
    connection.destroy();
  }

  #tellFull(isFull: boolean): void {
    const { log, hosts } = this.#options;
    if (isFull && !this.#isFull) log.error({}, `${hosts.names}: ${FULL}`);
    if (!isFull && this.#isFull) log.info({}, `${hosts.names} reads again`);
    this.#isFull = isFull;
  }

  /** Asks for a confirmation once it is its turn; one that has been asked for already serves everybody. */
  #startConfirm(): Promise<void> {
    this.#confirming ??= this.#inTurn(() => this.#halfClose()).finally(() => {
      this.#confirming = undefined;
    });
    this.#confirming.catch(() => {});
    return this.#confirming;
  }

  /** Confirms what is written, and ends the connection with that. */
  async #halfClose(): Promise<void> {
    if (this.#down) throw this.#down;
    const connection = this.#current;
    if (!connection || this.#unconfirmed.length === 0) return;
    const { hosts, timeoutMs, acknowledged, clock } = this.#options;
    const used = { records: this.#records, bytes: this.#bytes };
    this.#current = undefined;
    // In passing: is one back that is wanted more?
    hosts.isBest(connection.host, this.#life.signal);
    this.#next = this.#dial(this.#life.signal);
    // Who needs it will try again, and hear of it.
    this.#next.catch(() => {});
    const quiet = quietMs(connection.connectMs);
    const quietEndsMs = clock() + quiet;
    try {
      await confirmByClose(connection, {
        quietMs: quiet,
        timeoutMs,
        hint: this.#hint(connection),
        acknowledged: (tuple, signal) => acknowledged.all(tuple, signal),
      });
      hosts.works(connection.host);
      this.#speedUp(connection.host, used, clock() - quietEndsMs);
    } catch (failure) {
      const why = connection.explain('confirming what was sent', failure);
      // After `close` and the like it is not the receiver's doing.
      if (!this.#down && why.reason === 'timeout') this.#slowDown(connection.host, NO_ROOM);
      this.#failOn(connection, why);
    }
    if (this.#down) throw this.#down;
    for (const { resolve, result } of this.#forget()) resolve(result);
  }

  #speedUp(host: Host, used: Room, tookMs: number): void {
    const { clock, timeoutMs, log } = this.#options;
    const before = this.#pace(host);
    this.#paces.set(host, confirmed(before, used, tookMs, timeoutMs, clock()));
    if (before.unconfirmable) log.info({}, `${host.name} confirms what it has read after all`);
  }

  /** A time-out, of all that is unconfirmed and of `more`. */
  #slowDown(host: Host, more: Room): void {
    const { clock, log } = this.#options;
    // Of a receiver that is not asked for confirmations this says nothing.
    if (this.#method !== 'close') return;
    const used = { records: this.#records + more.records, bytes: this.#bytes + more.bytes };
    const pace = timedOut(this.#pace(host), used, clock());
    this.#paces.set(host, pace);
    if (pace.unconfirmable) log.error({}, `${host.name}: ${UNCONFIRMABLE}`);
  }

  /** The connection to write to: the present one, the one opened in advance, or a new one. */
  async #connection(signal: AbortSignal): Promise<Connection> {
    // With something unconfirmed on it only this one will do, be it dead: then the write fails, and all is told.
    if (this.#current && this.#unconfirmed.length > 0) return this.#current;
    if (this.#current && this.#isGood(this.#current)) return this.#current;
    this.#current?.destroy();
    const next = await orAbort(this.#next?.catch(() => undefined) ?? Promise.resolve(undefined), signal);
    this.#next = undefined;
    this.#current = next?.isAlive() ? next : await this.#dial(signal);
    return this.#current;
  }

  #isGood(connection: Connection): boolean {
    return connection.isAlive() && this.#options.hosts.isBest(connection.host, this.#life.signal);
  }

  async #dial(signal: AbortSignal): Promise<Connection> {
    const life = this.#life.signal;
    const connection = await this.#options.hosts
      .dial(AbortSignal.any([signal, life]))
      .catch((error: unknown) => {
        throw (life.aborted && this.#down) || error;
      });
    if (life.aborted) {
      connection.destroy();
      throw this.#closed();
    }
    this.#connections.add(connection);
    this.#host = connection.host;
    connection.listen((happening, cause) => this.#heard(connection, happening, cause));
    return connection;
  }

  /** A connection has ended by itself. That matters only with something on it that is not confirmed. */
  #heard(connection: Connection, happening: Happening, cause: unknown): void {
    if (happening === 'our-fin') return;
    if (happening === 'gone') this.#connections.delete(connection);
    // One that is being confirmed is not the current one any more: the confirmation sees to it.
    if (connection !== this.#current) return;
    // With `none` an error is all that is ever heard of what was lost.
    const isTold = happening === 'error' && this.#method === 'none';
    if (!this.#writing && this.#unconfirmed.length === 0 && !isTold) return;
    const { name } = connection.host;
    const message = `${name} closed the connection${this.#hint(connection)}; what it has not confirmed is sent again. Its log says why it closed`;
    this.#failOn(
      connection,
      happening === 'error'
        ? connection.explain('sending', cause)
        : new UnavailableError(message, { reason: 'network' }),
    );
  }

  #hint({ host, suspicion }: Connection): string {
    if (suspicion !== '') return suspicion;
    return this.#pace(host).confirmedMs === undefined ? ONE_SIDED : '';
  }

  #failOn(connection: Connection, why: UnavailableError): void {
    if (!this.#down) this.#options.hosts.failed(connection.host);
    this.#fail(why);
  }

  /** Lets go of everything. What is unconfirmed rejects, and what waits for its turn will. */
  #fail(why: UnavailableError): void {
    this.#down ??= why;
    this.#life.abort();
    for (const connection of this.#connections) connection.destroy();
    this.#current = undefined;
    this.#last = undefined;
    this.#next = undefined;
    this.#isFull = false;
    for (const { reject } of this.#forget()) reject(this.#down);
  }

  /** Takes the unconfirmed out of the books. */
  #forget(): readonly Written[] {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#records = 0;
    this.#bytes = 0;
    return this.#unconfirmed.splice(0);
  }

  /** Runs `task` when all that was asked for before has ended, unless `signal` aborts first. */
  #inTurn<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const turn = this.#lastTurn.then(() => {
      if (signal?.aborted) throw abortError(signal);
      return task();
    });
    this.#lastTurn = turn.catch(() => {});
    return signal ? orAbort(turn, signal) : turn;
  }

  #closed(): UnavailableError {
    return new UnavailableError(`the connection to ${this.#options.hosts.names} is closed`, {
      reason: 'other',
    });
  }
}

const FULL =
  'it is there, and takes nothing more: it has stopped reading. What it has not taken is kept until it reads again, or closes. Look at what it waits for, or start it again';

/** Of one that has confirmed nothing yet (seen: `ncat -l </dev/null`). */
const ONE_SIDED =
  ' (if it does so each time, as one does that ends its own side at once, it can confirm nothing; confirm.by: none is for that)';

const UNCONFIRMABLE =
  'unconfirmable: it never closes its side after the relay has closed its own, not even after one record. What was sent counts as delivered when the connection has stayed well for confirm.after; that is an inference. One record an hour tries again';
