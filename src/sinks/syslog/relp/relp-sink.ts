import { UnavailableError } from '../../../core/errors.ts';
import type { Receipt, Rendered, SendResult, Sink, Window } from '../../../core/sink.ts';
import { abortError, orAbort } from '../../../lib/wait.ts';
import type { TlsClient } from '../../../net/tls.ts';
import { type Header, maxHeaderBytes, messagesOf } from '../header.ts';
import type { Hosts } from '../hosts.ts';
import { type Answer, said, verdictOf } from './answer.ts';
import type { RelpSession } from './session.ts';

export interface RelpSinkOptions {
  readonly hosts: Hosts<RelpSession>;
  readonly header: Header;
  /** Left out: not by TLS. */
  readonly tls?: Pick<TlsClient, 'notes' | 'remind'>;
}

/** What may be without an acknowledgement, and so comes twice after a fault. */
export const ROOM = { records: 1000, bytes: 2 ** 20 } as const;

/**
 * Largest message. A receiver made with librelp ends the session at a larger one, unless it is set otherwise, and
 * would do so each time.
 */
export const MAX_MESSAGE_BYTES = 128 * 1024;

type Refused = SendResult['refused'][number];

/** A batch that is written and not acknowledged. */
interface Written {
  readonly records: number;
  readonly bytes: number;
  /** Messages without an answer. */
  left: number;
  /** By the index of the record. */
  readonly refused: Map<number, Refused>;
  readonly confirmed: Promise<SendResult>;
  resolve(result: SendResult): void;
  reject(why: UnavailableError): void;
}

/**
 * Syslog over RELP: the receiver answers each message, in whatever order. A record is confirmed when all of its
 * messages are, and a batch when all of its records are and those before it.
 *
 * All that is unconfirmed is always in one session. When that ends, all of it rejects, and nothing more is sent before
 * the sink has been opened again: what comes later must not overtake it. A session that ends with nothing unconfirmed
 * in it is replaced without a word.
 */
export class RelpSink implements Sink {
  readonly headerBytes: number;
  readonly confirms = 'acknowledgement';
  readonly #options: RelpSinkOptions;
  /** Why nothing can be sent; nothing between `open` and a failure or `close`. */
  #down: UnavailableError | undefined;
  /** Ended by a failure and by `close`: a connect that is under way must not outlive them. */
  #life = new AbortController();
  #session: RelpSession | undefined;
  #unconfirmed: Written[] = [];
  #records = 0;
  #bytes = 0;
  #sending: Promise<unknown> = Promise.resolve();

  constructor(options: RelpSinkOptions) {
    this.#options = options;
    this.#down = this.#closed();
    this.headerBytes = maxHeaderBytes(options.header);
  }

  messages(rendered: Rendered): readonly Buffer[] {
    return messagesOf(rendered, this.#options.header);
  }

  notes(): readonly string[] {
    return this.#options.tls?.notes() ?? [];
  }

  window(): Window {
    return {
      records: Math.max(0, ROOM.records - this.#records),
      bytes: Math.max(0, ROOM.bytes - this.#bytes),
    };
  }

  async open(signal: AbortSignal): Promise<void> {
    if (this.#life.signal.aborted) this.#life = new AbortController();
    await this.#best(signal);
    this.#down = undefined;
  }

  send(batch: readonly Rendered[], signal: AbortSignal): Promise<Receipt> {
    this.#options.tls?.remind();
    const sent = this.#send(batch, signal);
    this.#sending = sent.catch(() => {});
    return sent;
  }

  async confirm(signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw abortError(signal);
    if (this.#down) return;
    // It comes by itself.
    await orAbort(
      this.#sending.then(() => this.#drained()),
      signal,
    );
  }

  async close(): Promise<void> {
    const session = this.#session;
    const isIdle = this.#unconfirmed.length === 0;
    this.#fail(this.#closed());
    if (isIdle) await session?.close();
    else session?.destroy();
    await this.#sending;
  }

  async #send(batch: readonly Rendered[], signal: AbortSignal): Promise<Receipt> {
    if (signal.aborted) throw abortError(signal);
    if (this.#down) throw this.#down;
    const session = await this.#best(signal);
    if (this.#down) throw this.#down;
    return this.#write(session, batch);
  }

  #write(session: RelpSession, batch: readonly Rendered[]): Receipt {
    const { messages, owners, refused } = this.#measure(batch);
    const { promise: confirmed, resolve, reject } = Promise.withResolvers<SendResult>();
    // It may reject before anybody has looked at it.
    confirmed.catch(() => {});
    const bytes = messages.reduce((sum, message) => sum + message.length, 0);
    const { length: left } = messages;
    const written: Written = { records: batch.length, bytes, left, refused, confirmed, resolve, reject };
    this.#unconfirmed.push(written);
    this.#records += written.records;
    this.#bytes += written.bytes;
    session.send(messages, (index, answer) => {
      this.#answered(session, written, owners[index] ?? 0, answer);
    });
    this.#settle();
    return { confirmed };
  }

  /** The messages of a batch, each with the record that it is of, without those of records that cannot be sent whole. */
  #measure(batch: readonly Rendered[]) {
    const messages: Buffer[] = [];
    const owners: number[] = [];
    const refused = new Map<number, Refused>();
    for (const [index, rendered] of batch.entries()) {
      const own = this.messages(rendered);
      const largest = Math.max(...own.map(({ length }) => length));
      if (largest > MAX_MESSAGE_BYTES) {
        const detail = `an event of it has ${largest} bytes, and ${MAX_MESSAGE_BYTES} is the most that RELP receivers take; lower maxEventBytes`;
        refused.set(index, { index, reason: 'too-large', detail });
        continue;
      }
      messages.push(...own);
      owners.push(...own.map(() => index));
    }
    return { messages, owners, refused };
  }

  #answered(session: RelpSession, written: Written, index: number, answer: Answer): void {
    const verdict = verdictOf(answer);
    const told = said(answer.code, answer.text);
    if (verdict === 'unavailable') {
      const message = `${session.host.name} answered an event with ${told}, which is neither yes nor no; what it has not acknowledged is sent again`;
      this.#broken(session, new UnavailableError(message, { reason: 'answer' }));
      return;
    }
    if (verdict === 'refused') {
      const detail = `the receiver answered ${told}`;
      written.refused.set(index, { index, reason: 'rejected', detail });
    }
    written.left -= 1;
    this.#options.hosts.works(session.host);
    this.#settle();
  }

  /** In the order of the sends, whatever the order of the answers. */
  #settle(): void {
    for (let first = this.#unconfirmed[0]; first?.left === 0; first = this.#unconfirmed[0]) {
      this.#unconfirmed.shift();
      this.#records -= first.records;
      this.#bytes -= first.bytes;
      const refused = [...first.refused.values()].sort((a, b) => a.index - b.index);
      first.resolve({ refused });
    }
  }

  /** Resolves when all that is unconfirmed now has been confirmed, rejects when it cannot be. */
  async #drained(): Promise<void> {
    await Promise.all(this.#unconfirmed.map(({ confirmed }) => confirmed));
  }

  /** The session to write to: the present one, or a new one when that has ended or a host is back that is wanted more. */
  async #best(signal: AbortSignal): Promise<RelpSession> {
    const present = this.#session;
    if (present?.isAlive()) {
      if (this.#options.hosts.isBest(present.host, this.#life.signal)) return present;
      await orAbort(this.#drained(), signal);
      this.#session = undefined;
      await present.close();
    }
    const session = await this.#dial(signal);
    this.#session = session;
    void session.ended.then((why) => this.#broken(session, why));
    return session;
  }

  async #dial(signal: AbortSignal): Promise<RelpSession> {
    const life = this.#life.signal;
    const session = await this.#options.hosts
      .dial(AbortSignal.any([signal, life]))
      .catch((error: unknown) => {
        throw (life.aborted && this.#down) || error;
      });
    if (!life.aborted) return session;
    session.destroy();
    throw this.#closed();
  }

  /** That a session has ended matters only with something in it that is not confirmed. */
  #broken(session: RelpSession, why: UnavailableError): void {
    if (session !== this.#session) return;
    this.#session = undefined;
    session.destroy();
    if (this.#unconfirmed.length === 0) return;
    this.#options.hosts.failed(session.host);
    this.#fail(why);
  }

  /** What is unconfirmed rejects, and what is sent will. */
  #fail(why: UnavailableError): void {
    this.#down ??= why;
    this.#life.abort();
    this.#session = undefined;
    this.#records = 0;
    this.#bytes = 0;
    for (const { reject } of this.#unconfirmed.splice(0)) reject(this.#down);
  }

  #closed(): UnavailableError {
    return new UnavailableError(`the connection to ${this.#options.hosts.names} is closed`, {
      reason: 'other',
    });
  }
}
