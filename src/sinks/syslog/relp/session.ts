import { UnavailableError, type UnavailableReason } from '../../../core/errors.ts';
import { abortError } from '../../../lib/wait.ts';
import type { Connect } from '../connection.ts';
import type { Host } from '../hosts.ts';
import { type Answer, OFFERS, parseAnswer, whyUnfit } from './answer.ts';
import { Decoder, encode, type Frame, MAX_TXNR } from './frame.ts';
import type { Link } from './link.ts';

export interface SessionOptions {
  /** Longest time for the answer to `open`, milliseconds. */
  readonly openMs: number;
  /** Longest time that the oldest message may be without an answer while it is the oldest, milliseconds. */
  readonly timeoutMs: number;
  /** Number of the first command; default 1, as RELP has it. */
  readonly firstTxnr?: number;
}

/** `undefined`: it came without a code, as the answer to `close` does. */
type Answered = (answer: Answer | undefined) => void;

/** Longest time that a receiver is given for a goodbye, milliseconds. */
const GOODBYE_MS = 1000;

/** Opens a connection, and a session on it. */
export function overRelp(connect: Connect<Link>, options: SessionOptions): Connect<RelpSession> {
  return async (host, signal) => {
    const link = await connect(host, signal);
    const session = new RelpSession(link, options);
    await session.open(signal);
    return session;
  };
}

/**
 * One RELP session on one connection. It ends by the first thing that goes wrong, for good: an answer to nothing that
 * was asked, or to what has been answered, shows that the two sides do not mean the same by a number any more.
 */
export class RelpSession {
  readonly #link: Link;
  readonly #options: SessionOptions;
  readonly #decoder = new Decoder();
  /** Commands without an answer, oldest first. */
  readonly #waiting = new Map<number, Answered>();
  readonly #ended = Promise.withResolvers<UnavailableError>();
  #txnr: number;
  #timer: NodeJS.Timeout | undefined;
  #isAlive = true;
  #isReady = false;

  constructor(link: Link, options: SessionOptions) {
    this.#link = link;
    this.#options = options;
    this.#txnr = options.firstTxnr ?? 1;
    const { stream, wire } = link;
    const onEnd = () => this.#gone();
    const onError = (cause: unknown) => this.#gone(cause);
    for (const one of new Set([stream, wire])) one.on('error', onError).on('close', onEnd);
    stream.on('end', onEnd).on('data', (chunk: Buffer) => this.#read(chunk));
  }

  get host(): Host {
    return this.#link.host;
  }

  isAlive(): boolean {
    return this.#isAlive;
  }

  /** Resolves with the reason when it has ended, whoever ended it. */
  get ended(): Promise<UnavailableError> {
    return this.#ended.promise;
  }

  /** Agrees with the receiver on what is spoken. Rejects with an UnavailableError, or an AbortError at the signal. */
  async open(signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = () => {
      reject(abortError(signal));
      this.destroy();
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    void this.ended.then(reject);
    this.#ask('open', [Buffer.from(OFFERS)], (answer) => {
      const why = answer ? whyUnfit(answer) : 'it did not say yes';
      if (why !== undefined) return this.#fail('answer', why);
      this.#isReady = true;
      resolve();
    });
    await promise.finally(() => signal.removeEventListener('abort', onAbort));
  }

  /**
   * Sends messages; `answered` is called once for each that gets an answer, in whatever order those come. They are
   * held in memory until the kernel takes them: who calls this sees to it that there are not too many.
   */
  send(messages: readonly Buffer[], answered: (index: number, answer: Answer) => void): void {
    this.#ask('syslog', messages, (answer, index) => {
      if (answer) answered(index, answer);
      else this.#fail('answer', 'it answered an event without a code');
    });
  }

  /** Says goodbye, waits a moment for the answer, and lets go. */
  async close(): Promise<void> {
    if (this.#isAlive && this.#isReady) {
      const timer = setTimeout(() => this.destroy(), Math.min(GOODBYE_MS, this.#options.timeoutMs));
      this.#ask('close', [Buffer.alloc(0)], () => this.destroy());
      await this.ended;
      clearTimeout(timer);
    }
    this.destroy();
  }

  /** Lets go at once. Half a frame is none to the receiver. */
  destroy(): void {
    this.#end(new UnavailableError(`the connection to ${this.host.name} is closed`, { reason: 'other' }));
  }

  get #doing(): string {
    return this.#isReady ? 'sending' : 'connecting';
  }

  #ask(
    command: string,
    data: readonly Buffer[],
    answered: (answer: Answer | undefined, index: number) => void,
  ): void {
    if (!this.#isAlive || data.length === 0) return;
    const frames = data.map((bytes, index) => {
      const txnr = this.#txnr;
      this.#txnr = txnr === MAX_TXNR ? 1 : txnr + 1;
      this.#waiting.set(txnr, (answer) => answered(answer, index));
      return encode({ txnr, command, data: bytes });
    });
    this.#timer ??= setTimeout(() => this.#timedOut(), this.#mostMs);
    this.#link.stream.write(Buffer.concat(frames));
  }

  #read(chunk: Buffer): void {
    try {
      for (const frame of this.#decoder.push(chunk)) {
        if (!this.#isAlive) return;
        this.#take(frame);
      }
    } catch (error) {
      this.#fail('answer', `what it answered is no RELP: ${(error as Error).message}`);
    }
  }

  #take({ txnr, command, data }: Frame): void {
    // Hints but this one are for who knows them.
    if (txnr === 0 && command === 'serverclose') this.#fail('network', LEAVES);
    if (txnr === 0) return;
    const answered = command === 'rsp' ? this.#waiting.get(txnr) : undefined;
    const answer = parseAnswer(data);
    if (!answered) this.#fail('answer', OUT_OF_STEP);
    else if (!answer && data.length > 0) this.#fail('answer', 'it gave an answer without a code');
    else {
      this.#answered(txnr);
      answered(answer);
    }
  }

  #answered(txnr: number): void {
    const [oldest] = this.#waiting.keys();
    this.#waiting.delete(txnr);
    // One that answers others and never this one is not well either.
    if (txnr === oldest) this.#timer?.refresh();
    if (this.#waiting.size === 0) this.#stopTimer();
  }

  /** Just after the handshake, TLS or none, a receiver that does not want us says so by closing. */
  #gone(cause?: unknown): void {
    const { refusal, explain } = this.#link;
    const isSilent = cause === undefined || SILENT.has(codeOf(cause));
    if (!isSilent || (this.#isReady && cause !== undefined)) this.#end(explain(this.#doing, cause));
    else if (this.#isReady) this.#fail('network', 'it closed the connection. Its log says why');
    else if (refusal === undefined)
      this.#fail('network', `${AT_ONCE}. Does it speak RELP on this port, and without TLS?`);
    else this.#fail('auth', `${AT_ONCE}. If it speaks RELP on this port, ${refusal}`);
  }

  #timedOut(): void {
    const what = this.#isReady
      ? `it acknowledged nothing for ${this.#mostMs} ms`
      : `no answer to "open" within ${this.#mostMs} ms. Does it speak RELP on this port?`;
    this.#fail('timeout', what);
  }

  get #mostMs(): number {
    return this.#isReady ? this.#options.timeoutMs : this.#options.openMs;
  }

  #fail(reason: UnavailableReason, why: string): void {
    const again = this.#isReady ? '; what it has not acknowledged is sent again' : '';
    this.#end(new UnavailableError(`${this.#doing} to ${this.host.name} failed: ${why}${again}`, { reason }));
  }

  #end(why: UnavailableError): void {
    if (!this.#isAlive) return;
    this.#isAlive = false;
    this.#stopTimer();
    this.#waiting.clear();
    this.#link.stream.destroy();
    this.#link.wire.destroy();
    this.#ended.resolve(why);
  }

  #stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

const AT_ONCE = 'it closed the connection before it answered "open"';
/** How a connection ends that is closed without a word. */
const SILENT = new Set(['ECONNRESET', 'EPIPE']);
const codeOf = (cause: unknown) => (cause instanceof Error && 'code' in cause ? String(cause.code) : '');
const LEAVES = 'it ended the session (serverclose). Is it being stopped?';
const OUT_OF_STEP = 'it answered what it was not asked, or twice';
