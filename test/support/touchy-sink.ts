import { UnavailableError } from '../../src/core/errors.ts';
import type { Receipt, Rendered, Room, SendResult, Sink } from '../../src/core/sink.ts';

export interface Temper {
  /** Whether this send breaks the connection. */
  breaks?(batch: readonly Rendered[]): boolean;
  /** Why the record is refused, if it is. */
  refuses?(rendered: Rendered): string | undefined;
  /** `send`: it breaks, and answers, at once, like HTTP. `confirm`: for all that is out together, like syslog. */
  answers?: 'send' | 'confirm';
  room?: Room;
}

/** A receiver that minds what it is sent. Its temper may be changed while it runs. */
export class TouchySink implements Sink {
  readonly headerBytes = 0;
  /** What it took, with repeats, in order. */
  readonly taken: Rendered[] = [];
  /** How many records each send had. */
  readonly sends: number[] = [];
  temper: Temper;
  #out: { batch: readonly Rendered[]; resolve(result: SendResult): void; reject(error: Error): void }[] = [];

  constructor(temper: Temper = {}) {
    this.temper = temper;
  }

  async open(): Promise<void> {}

  async send(batch: readonly Rendered[]): Promise<Receipt> {
    this.sends.push(batch.length);
    const { promise, resolve, reject } = Promise.withResolvers<SendResult>();
    promise.catch(() => {});
    this.#out.push({ batch, resolve, reject });
    await new Promise(setImmediate);
    if (this.temper.answers !== 'confirm') this.#answer();
    return { confirmed: promise };
  }

  messages({ events }: Rendered): readonly Buffer[] {
    return events;
  }

  window(): Room {
    const room = this.temper.room ?? { records: 1000, bytes: 1_000_000 };
    return { ...room, records: room.records - this.#out.reduce((sum, { batch }) => sum + batch.length, 0) };
  }

  async confirm(): Promise<void> {
    await new Promise(setImmediate);
    this.#answer();
  }

  async close(): Promise<void> {
    for (const { reject } of this.#out.splice(0)) reject(broken());
  }

  #answer(): void {
    const { breaks, refuses } = this.temper;
    if (breaks?.(this.#out.flatMap(({ batch }) => batch))) throw broken();
    for (const { batch, resolve } of this.#out.splice(0)) {
      const answers = batch.map((rendered) => refuses?.(rendered));
      this.taken.push(...batch.filter((_, index) => answers[index] === undefined));
      const refused = answers.flatMap((detail, index) =>
        detail === undefined ? [] : [{ index, reason: 'rejected' as const, detail }],
      );
      resolve({ refused });
    }
  }
}

function broken(): UnavailableError {
  return new UnavailableError('the receiver closed the connection', { reason: 'network' });
}
