import type { MessagePort, Worker } from 'node:worker_threads';

/** One end of the channel between two threads. */
type Port = Worker | MessagePort;

/** Functions of one argument that the other thread may call; the answer may be a promise. */
type Methods<M> = { [K in keyof M]: (argument: never) => unknown };

interface Call {
  readonly call: number;
  readonly method: string;
  readonly argument: unknown;
}
interface Answer {
  readonly answer: number;
  readonly value?: unknown;
  readonly error?: unknown;
  /** Of the error: structured clone keeps message and stack only. */
  readonly name?: string;
}
interface Notice<N> {
  readonly notice: N;
}

/** Calls the methods that {@link serve} offers at the other end, and hears its notices, in the order sent. */
export class Caller<M extends Methods<M>, N> {
  readonly #port: Port;
  readonly #open = new Map<number, { resolve: (value: never) => void; reject: (error: unknown) => void }>();
  #last = 0;
  #ended: Error | undefined;

  constructor(port: Port, onNotice: (notice: N) => void) {
    this.#port = port;
    port.on('message', (message: Answer | Notice<N>) => {
      if ('notice' in message) onNotice(message.notice);
      else this.#settle(message);
    });
  }

  call<K extends keyof M & string>(
    method: K,
    argument: Parameters<M[K]>[0],
  ): Promise<Awaited<ReturnType<M[K]>>> {
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      const call = ++this.#last;
      this.#port.postMessage({ call, method, argument } satisfies Call);
      this.#open.set(call, { resolve, reject });
    });
  }

  /** Rejects what is unanswered and all that is asked from now on. */
  end(error: Error): void {
    this.#ended ??= error;
    for (const { reject } of this.#open.values()) reject(this.#ended);
    this.#open.clear();
  }

  #settle({ answer, value, error, name }: Answer): void {
    const waiting = this.#open.get(answer);
    if (!waiting) return;
    this.#open.delete(answer);
    if (error === undefined) {
      waiting.resolve(value as never);
      return;
    }
    if (name !== undefined && error instanceof Error) error.name = name;
    waiting.reject(error);
  }
}

/** An answer whose memory goes with it: it is not copied, and is gone at this end. */
export class Moving<T> {
  readonly value: T;
  readonly memory: readonly ArrayBuffer[];

  constructor(value: T, memory: readonly ArrayBuffer[]) {
    this.value = value;
    this.memory = memory;
  }
}

/** The same methods; each may let its answer move. */
type Served<M extends Methods<M>> = {
  [K in keyof M]: (argument: Parameters<M[K]>[0]) => ReturnType<M[K]> | Moving<ReturnType<M[K]>>;
};

/** Answers the calls that come in at `port`. Of an error message, stack and name arrive. */
export function serve<M extends Methods<M>>(port: Port, methods: Served<M>): void {
  port.on('message', ({ call, method, argument }: Call) => {
    const answer = async () => methods[method as keyof M](argument as never);
    answer().then(
      (value: unknown) => {
        if (!(value instanceof Moving)) port.postMessage({ answer: call, value } satisfies Answer);
        else port.postMessage({ answer: call, value: value.value } satisfies Answer, [...value.memory]);
      },
      (error) => {
        const named = error instanceof Error ? { name: error.name } : {};
        port.postMessage({ answer: call, error, ...named } satisfies Answer);
      },
    );
  });
}

/** Tells the {@link Caller} at the other end something it did not ask for. */
export function notifier<N>(port: Port): (notice: N) => void {
  return (notice) => port.postMessage({ notice } satisfies Notice<N>);
}
