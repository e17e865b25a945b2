import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { UnavailableError } from '../../../core/errors.ts';
import type { FourTuple } from '../acknowledged.ts';
import type { Connection, Happening, Listener } from '../connection.ts';
import { explain } from '../explain.ts';
import { type Framing, frame } from '../frame.ts';
import type { Host } from '../hosts.ts';

export interface StreamParts {
  readonly host: Host;
  readonly framing: Framing;
  /** What is written to; of a plain connection the wire itself. */
  readonly stream: Duplex;
  /** The TCP socket that carries it. Its FIN is the one that counts. */
  readonly wire: Socket;
  readonly connectMs: number;
  /** Ends our side; calls back when our end mark has been given to the kernel. Default: for a plain connection. */
  readonly halfClose?: (out: () => void) => void;
  readonly explain?: (doing: string, cause: unknown) => UnavailableError;
  readonly suspicion?: () => string;
}

/** A connection over TCP, plain or with TLS on top. */
export class StreamConnection implements Connection {
  readonly host: Host;
  readonly connectMs: number;
  readonly tuple: FourTuple | undefined;
  readonly #parts: StreamParts;
  readonly #listeners = new Set<Listener>();

  constructor(parts: StreamParts) {
    const { stream, wire } = parts;
    this.#parts = parts;
    this.host = parts.host;
    this.connectMs = parts.connectMs;
    this.tuple = tupleOf(wire);
    wire
      .on('end', () => this.#tell('their-fin'))
      .on('error', (cause) => this.#tell('error', cause))
      .on('close', () => this.#tell('gone'));
    if (stream !== wire)
      stream.on('end', () => this.#tell('goodbye')).on('error', (cause) => this.#tell('error', cause));
    // A peer's FIN is seen only by who reads, and one unread byte would hide it.
    stream.resume();
  }

  get sentBytes(): number {
    return this.#parts.wire.bytesWritten;
  }

  isAlive(): boolean {
    const { stream, wire } = this.#parts;
    return stream.readable && stream.writable && wire.readable && wire.writable;
  }

  write(messages: readonly Buffer[]): Promise<void> {
    const { stream, framing } = this.#parts;
    return new Promise((resolve, reject) => {
      stream.write(frame(messages, framing), (error) => (error ? reject(error) : resolve()));
    });
  }

  halfClose(): void {
    const { wire, halfClose } = this.#parts;
    const out = () => this.#tell('our-fin');
    if (halfClose) halfClose(out);
    else wire.once('finish', out).end();
  }

  destroy(): void {
    const { stream, wire } = this.#parts;
    // Alone it would wait for what is still to be written; `destroy` then makes it happen at once.
    if (stream.writableLength > 0 || wire.writableLength > 0) wire.resetAndDestroy();
    wire.destroy();
    stream.destroy();
  }

  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  get suspicion(): string {
    return this.#parts.suspicion?.() ?? '';
  }

  explain(doing: string, cause: unknown): UnavailableError {
    return this.#parts.explain?.(doing, cause) ?? explain(this.host.name, doing, cause);
  }

  #tell(happening: Happening, cause?: unknown): void {
    for (const listener of [...this.#listeners]) listener(happening, cause);
  }
}

function tupleOf({ localAddress, localPort, remoteAddress, remotePort }: Socket): FourTuple | undefined {
  // A connection that has ended already has none of them.
  if (localAddress === undefined || localPort === undefined) return undefined;
  if (remoteAddress === undefined || remotePort === undefined) return undefined;
  return { localAddress, localPort, remoteAddress, remotePort };
}
