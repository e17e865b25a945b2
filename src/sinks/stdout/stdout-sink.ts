import type { Writable } from 'node:stream';
import { UnavailableError } from '../../core/errors.ts';
import type { Receipt, Rendered, Room, SendResult, Sink } from '../../core/sink.ts';
import { asLines, oneLine } from '../../lib/one-line.ts';
import { abortError, orAbort } from '../../lib/wait.ts';

const BOUNDLESS: Room = { records: Number.MAX_SAFE_INTEGER, bytes: Number.MAX_SAFE_INTEGER };
const ALL_TAKEN: SendResult = { refused: [] };

/**
 * Each event as a line on a stream that is not ours: it is neither opened nor ended here. A batch is confirmed
 * when the operating system has taken its bytes (the write callback).
 */
export class StdoutSink implements Sink {
  readonly headerBytes = 0;
  readonly confirms = 'write';
  readonly #stream: Writable;
  #open = false;
  /**
   * Records whose lines the stream holds, of sends that did not wait to the end. A stream cannot be asked to give
   * anything back: sent again, they would come twice, and a reader that has stalled would get a copy at each retry.
   */
  readonly #handed = new Set<string>();

  constructor(stream: Writable) {
    this.#stream = stream;
  }

  async open(signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw abortError(signal);
    if (!this.#stream.writable) throw unavailable(this.#stream.errored);
    // An error that nobody hears would end the process, also one that comes after `close`: so this one stays.
    // The send that the error belongs to is told by its callback.
    if (!this.#stream.listeners('error').includes(ignore)) this.#stream.on('error', ignore);
    this.#open = true;
  }

  async send(batch: readonly Rendered[], signal: AbortSignal): Promise<Receipt> {
    if (signal.aborted) throw abortError(signal);
    if (!this.#open) throw unavailable(new Error('the sink is closed'));
    const fresh = batch.filter((rendered) => !this.#handed.has(keyOf(rendered)));
    for (const rendered of fresh) this.#handed.add(keyOf(rendered));
    const lines = asLines(fresh.flatMap((rendered) => this.messages(rendered)));
    // A stream writes in order, also nothing: what it was handed before is written by then.
    await orAbort(this.#write(lines), signal);
    for (const rendered of batch) this.#handed.delete(keyOf(rendered));
    return { confirmed: Promise.resolve(ALL_TAKEN) };
  }

  #write(text: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#stream.write(text, (cause) => {
        if (!cause) return resolve();
        // How much of all this is written nobody knows.
        this.#handed.clear();
        reject(unavailable(cause));
      });
    });
  }

  messages({ events }: Rendered): readonly Buffer[] {
    return events.map(oneLine);
  }

  window(): Room {
    return BOUNDLESS;
  }

  async confirm(): Promise<void> {}

  async close(): Promise<void> {
    this.#open = false;
  }
}

/** The running number is the record's own, also when it is sent again (S6). */
const keyOf = ({ stream, sequence, record }: Rendered): string => `${stream} ${sequence} ${record.id}`;

function ignore(): void {}

function unavailable(cause: Error | null): UnavailableError {
  const code = cause && 'code' in cause ? cause.code : undefined;
  const meaning =
    code === 'EPIPE'
      ? 'nobody reads it any more (EPIPE). Start the relay anew with a reader'
      : (cause?.message ?? 'it has ended');
  return new UnavailableError(`standard output cannot be written: ${meaning}`, { reason: 'other', cause });
}
