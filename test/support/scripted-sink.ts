import { UnavailableError } from '../../src/core/errors.ts';
import type { Receipt, Rendered, Room, SendResult, Sink } from '../../src/core/sink.ts';

/** What a scripted sink does at a step; `ok` unless the script says otherwise. */
export type Step = 'ok' | 'fail' | 'hang';

/**
 * A sink in memory that keeps what it is sent until `confirm`, and fails when its script says so. Like syslog it
 * answers for all that is out at once; like a real peer it may have got what it did not confirm.
 */
export class ScriptedSink implements Sink {
  readonly headerBytes = 0;
  /** Everything that was ever written, in order, with repeats. */
  readonly written: Rendered[] = [];
  /** Everything that was confirmed. */
  readonly confirmed: Rendered[] = [];
  opened = 0;
  closed = 0;
  #out: { batch: readonly Rendered[]; resolve(result: SendResult): void; reject(error: Error): void }[] = [];
  readonly #room: Room;
  readonly #script: (action: 'open' | 'send' | 'confirm') => Step;
  readonly #autoConfirm: boolean;

  constructor(
    options: {
      room?: Room;
      script?: (action: 'open' | 'send' | 'confirm') => Step;
      autoConfirm?: boolean;
    } = {},
  ) {
    this.#room = options.room ?? { records: 1000, bytes: 1_000_000 };
    this.#script = options.script ?? (() => 'ok');
    this.#autoConfirm = options.autoConfirm ?? false;
  }

  async open(signal: AbortSignal): Promise<void> {
    await this.#step('open', signal);
    this.opened++;
  }

  async send(batch: readonly Rendered[], signal: AbortSignal): Promise<Receipt> {
    signal.throwIfAborted();
    this.written.push(...batch);
    await this.#step('send', signal);
    const { promise, resolve, reject } = Promise.withResolvers<SendResult>();
    promise.catch(() => {});
    this.#out.push({ batch, resolve, reject });
    if (this.#autoConfirm) await this.confirm(signal);
    return { confirmed: promise };
  }

  messages(rendered: Rendered): readonly Buffer[] {
    return rendered.events;
  }

  window(): Room {
    const out = this.#out.flatMap(({ batch }) => batch);
    const bytes = out.reduce((sum, { events }) => sum + Buffer.concat(events).length, 0);
    return { records: this.#room.records - out.length, bytes: this.#room.bytes - bytes };
  }

  async confirm(signal: AbortSignal): Promise<void> {
    await this.#step('confirm', signal);
    for (const { batch, resolve } of this.#out.splice(0)) {
      this.confirmed.push(...batch);
      resolve({ refused: [] });
    }
  }

  async close(): Promise<void> {
    this.closed++;
    for (const { reject } of this.#out.splice(0))
      reject(new UnavailableError('closed', { reason: 'network' }));
  }

  async #step(action: 'open' | 'send' | 'confirm', signal: AbortSignal): Promise<void> {
    const step = this.#script(action);
    if (step === 'hang')
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    await new Promise(setImmediate);
    if (step === 'fail') throw new UnavailableError(`${action} failed by script`, { reason: 'network' });
  }
}
