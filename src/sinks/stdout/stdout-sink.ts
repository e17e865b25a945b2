import type { Writable } from 'node:stream';
import { UnavailableError } from '../../core/errors.ts';
import type { Receipt, Rendered, Room, SendResult, Sink } from '../../core/sink.ts';
import { abortError, orAbort } from '../../lib/wait.ts';

const BOUNDLESS: Room = { records: Number.MAX_SAFE_INTEGER, bytes: Number.MAX_SAFE_INTEGER };
const ALL_TAKEN: SendResult = { refused: [] };

/**
 * Each event as a line on a stream that is not ours: it is neither opened nor ended here. A batch is confirmed
 * when the operating system has taken its bytes (the write callback).
 */
export class StdoutSink implements Sink {
  readonly headerBytes = 0;
  readonly #stream: Writable;
  #open = false;

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
    const lines = batch.flatMap((rendered) => this.messages(rendered)).map((line) => `${line}\n`);
    const written = new Promise<void>((resolve, reject) => {
      this.#stream.write(lines.join(''), (cause) => (cause ? reject(unavailable(cause)) : resolve()));
    });
    await orAbort(written, signal);
    return { confirmed: Promise.resolve(ALL_TAKEN) };
  }

  /** A line break inside an event would make two of it. */
  messages({ events }: Rendered): readonly string[] {
    return events.map((text) => text.replace(/[\r\n]/g, ' '));
  }

  window(): Room {
    return BOUNDLESS;
  }

  async confirm(): Promise<void> {}

  async close(): Promise<void> {
    this.#open = false;
  }
}

function ignore(): void {}

function unavailable(cause: Error | null): UnavailableError {
  const code = cause && 'code' in cause ? cause.code : undefined;
  const meaning =
    code === 'EPIPE'
      ? 'nobody reads it any more (EPIPE). Start the relay anew with a reader'
      : (cause?.message ?? 'it has ended');
  return new UnavailableError(`standard output cannot be written: ${meaning}`, { reason: 'other', cause });
}
