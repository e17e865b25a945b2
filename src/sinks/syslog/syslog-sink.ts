import { UnavailableError } from '../../core/errors.ts';
import type { Receipt, Rendered, Room, SendResult, Sink } from '../../core/sink.ts';
import { abortError, orAbort } from '../../lib/wait.ts';
import { confirmByClose, quietMs } from './confirm.ts';
import { type Connect, type Connection, isAlive } from './connection.ts';
import { explain } from './explain.ts';
import { type Framing, frame, oneLine } from './frame.ts';
import { type HeaderOptions, maxRfc5424Bytes, rfc5424 } from './header.ts';

export interface SyslogSinkOptions {
  /** Where it goes, for messages: `siem.contoso.local:514`. */
  readonly peer: string;
  readonly connect: Connect;
  readonly header: HeaderOptions;
  readonly framing: Framing;
  /** Longest time from the first unconfirmed byte until its confirmation is asked for, milliseconds. */
  readonly confirmEveryMs: number;
  /** Longest wait for a confirmation, milliseconds. */
  readonly timeoutMs: number;
}

/** What one connection carries before it has to be confirmed. */
export const WINDOW: Room = { records: 10_000, bytes: 256 * 1024 };
const NO_ROOM: Room = { records: 0, bytes: 0 };

/** A batch that is written and not confirmed. */
interface Written {
  resolve(result: SendResult): void;
  reject(why: UnavailableError): void;
}

/**
 * Syslog over a connection that has no acknowledgement of its own: it is half-closed now and then, and what the
 * receiver then answers confirms all that was written to it (see {@link confirmByClose}).
 *
 * Writing and confirming take turns, in the order in which they were asked for. So nothing is written while a
 * confirmation is under way; the next connection is opened meanwhile, and carries nothing before the old one is
 * confirmed. All that is unconfirmed is always on one connection. When that fails, all of it rejects, and nothing
 * more is sent before the sink has been opened again: the pipeline goes on from the first unconfirmed record,
 * and what comes later must not overtake it. A connection that ends with nothing unconfirmed on it is replaced
 * without a word.
 */
export class SyslogSink implements Sink {
  readonly headerBytes: number;
  readonly #options: SyslogSinkOptions;
  /** Why nothing can be sent; nothing between `open` and a failure or `close`. */
  #down: UnavailableError | undefined;
  /** Ended by a failure and by `close`: a connect that is under way must not outlive them. */
  #life = new AbortController();
  /** All connections that are open, to let go of. */
  readonly #connections = new Set<Connection>();
  /** The one that is written to. */
  #current: Connection | undefined;
  /** Opened in advance. */
  #next: Promise<Connection> | undefined;
  #writing = false;
  #unconfirmed: Written[] = [];
  #records = 0;
  #bytes = 0;
  #confirming: Promise<void> | undefined;
  #confirmTimer: NodeJS.Timeout | undefined;
  #lastTurn: Promise<unknown> = Promise.resolve();

  constructor(options: SyslogSinkOptions) {
    this.#options = options;
    this.#down = this.#closed();
    this.headerBytes = maxRfc5424Bytes(options.header);
  }

  messages({ record, stream, sequence, events }: Rendered): readonly string[] {
    return events.map(
      (text, part) =>
        rfc5424(this.#options.header, { record, stream, sequence: sequence + part }) + oneLine(text),
    );
  }

  window(): Room {
    if (this.#confirming) return NO_ROOM;
    return {
      records: Math.max(0, WINDOW.records - this.#records),
      bytes: Math.max(0, WINDOW.bytes - this.#bytes),
    };
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
      const messages = batch.flatMap((rendered) => this.messages(rendered));
      const bytes = frame(messages, this.#options.framing);
      // What is larger than the window goes alone.
      if (this.#bytes >= WINDOW.bytes || bytes.length > WINDOW.bytes) await this.#halfClose();
      await this.#write(bytes, signal);
      return this.#written(batch.length, bytes.length);
    }, signal);
  }

  async confirm(signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw abortError(signal);
    if (this.#down) return;
    await orAbort(this.#startConfirm(), signal);
  }

  async close(): Promise<void> {
    this.#fail(this.#closed());
    // Whoever has the turn has lost its connection, so this comes soon.
    await this.#lastTurn;
  }

  /** Writes all of it, or fails. */
  async #write(bytes: Buffer, signal: AbortSignal): Promise<void> {
    const { peer } = this.#options;
    const { socket } = await this.#connection(signal);
    if (signal.aborted) throw abortError(signal);
    const onAbort = () =>
      this.#fail(new UnavailableError(`sending to ${peer} was abandoned`, { reason: 'other' }));
    signal.addEventListener('abort', onAbort, { once: true });
    this.#writing = true;
    try {
      await new Promise<void>((resolve, reject) => {
        socket.write(bytes, (error) => (error ? reject(error) : resolve()));
      });
    } catch (cause) {
      this.#fail(explain(peer, 'sending', cause));
    } finally {
      this.#writing = false;
      signal.removeEventListener('abort', onAbort);
    }
    if (this.#down) throw this.#down;
  }

  /** Notes a batch as written and arranges for its confirmation. */
  #written(records: number, bytes: number): Receipt {
    const { promise: confirmed, resolve, reject } = Promise.withResolvers<SendResult>();
    // It may reject before anybody has looked at it.
    confirmed.catch(() => {});
    this.#unconfirmed.push({ resolve, reject });
    this.#records += records;
    this.#bytes += bytes;
    this.#confirmTimer ??= setTimeout(() => this.#startConfirm(), this.#options.confirmEveryMs);
    if (this.#bytes >= WINDOW.bytes || this.#records >= WINDOW.records) this.#startConfirm();
    return { confirmed };
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
    const { peer, timeoutMs } = this.#options;
    this.#current = undefined;
    this.#next = this.#dial(this.#life.signal);
    // Who needs it will try again, and hear of it.
    this.#next.catch(() => {});
    try {
      await confirmByClose(connection.socket, { peer, timeoutMs, quietMs: quietMs(connection.connectMs) });
    } catch (failure) {
      this.#fail(explain(peer, 'confirming what was sent', failure));
    }
    if (this.#down) throw this.#down;
    for (const { resolve } of this.#forget()) resolve({ refused: [] });
  }

  /** The connection to write to: the present one, the one opened in advance, or a new one. */
  async #connection(signal: AbortSignal): Promise<Connection> {
    // With something unconfirmed on it only this one will do, be it dead: then the write fails, and all is told.
    if (this.#current && (this.#unconfirmed.length > 0 || isAlive(this.#current))) return this.#current;
    const next = await orAbort(this.#next?.catch(() => undefined) ?? Promise.resolve(undefined), signal);
    this.#next = undefined;
    this.#current = next && isAlive(next) ? next : await this.#dial(signal);
    return this.#current;
  }

  async #dial(signal: AbortSignal): Promise<Connection> {
    const { peer, connect } = this.#options;
    const life = this.#life.signal;
    const connection = await connect(AbortSignal.any([signal, life])).catch((error: unknown) => {
      throw (life.aborted && this.#down) || error;
    });
    if (life.aborted) {
      connection.destroy();
      throw this.#closed();
    }
    this.#connections.add(connection);
    const onEnd = () =>
      this.#lost(
        connection,
        new UnavailableError(
          `${peer} closed the connection; what it has not confirmed is sent again. Its log says why it closed`,
          { reason: 'network' },
        ),
      );
    connection.socket
      .on('error', (cause) => this.#lost(connection, explain(peer, 'sending', cause)))
      .on('end', onEnd)
      .on('close', () => {
        onEnd();
        this.#connections.delete(connection);
      });
    return connection;
  }

  /** A connection has ended by itself. That matters only with something on it that is not confirmed. */
  #lost(connection: Connection, why: UnavailableError): void {
    // One that is being confirmed is not the current one any more: the confirmation sees to it.
    if (connection !== this.#current) return;
    if (this.#writing || this.#unconfirmed.length > 0) this.#fail(why);
  }

  /** Lets go of everything. What is unconfirmed rejects, and what waits for its turn will. */
  #fail(why: UnavailableError): void {
    this.#down ??= why;
    this.#life.abort();
    for (const connection of this.#connections) connection.destroy();
    this.#current = undefined;
    this.#next = undefined;
    for (const { reject } of this.#forget()) reject(this.#down);
  }

  /** Takes the unconfirmed out of the books. */
  #forget(): readonly Written[] {
    clearTimeout(this.#confirmTimer);
    this.#confirmTimer = undefined;
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
    return new UnavailableError(`the connection to ${this.#options.peer} is closed`, { reason: 'other' });
  }
}
