import type { UnavailableError } from '../../core/errors.ts';
import type { FourTuple } from './acknowledged.ts';
import type { Host } from './hosts.ts';

/**
 * What happens to a connection:
 * - `our-fin`: all that was written is with the kernel, and our end mark behind it (FIN, or the `close_notify` of TLS)
 * - `goodbye`: the peer says that it will send no more, by TLS (`close_notify`). Says nothing of what it has read
 * - `their-fin`: the peer's FIN
 * - `error`: anything that went wrong
 * - `gone`: nothing more will be heard of it
 */
export type Happening = 'our-fin' | 'goodbye' | 'their-fin' | 'error' | 'gone';
export type Listener = (happening: Happening, cause?: unknown) => void;

/** An open connection, whatever it is made of. Its read side flows, and an error of it never goes unheard. */
export interface Connection {
  readonly host: Host;
  /** How long connecting took without TLS: at least one round trip. */
  readonly connectMs: number;
  /** By which the kernel knows it; `undefined` without TCP. */
  readonly tuple: FourTuple | undefined;
  /** What the kernel has taken so far, with the overhead of TLS; to be asked between two writes. */
  readonly sentBytes: number;
  /** Neither side has ended it, as far as is known. */
  isAlive(): boolean;
  /** Resolves when the kernel has taken all of it; that says nothing of the receiver. One at a time. */
  write(messages: readonly Buffer[]): Promise<void>;
  /** Ends our side in good order. */
  halfClose(): void;
  /**
   * Lets go at once; by a reset when not all has been written. A receiver that sees an orderly end may take the
   * half of an event for a whole one (rsyslog does, with line feeds).
   */
  destroy(): void;
  /** Tells what happens from now on, until the function that it gives is called. */
  listen(listener: Listener): () => void;
  /** What it may mean when the peer ends it now, as an end of a sentence; empty: nothing in particular. */
  readonly suspicion: string;
  /** An error of this connection in words for people. */
  explain(doing: string, cause: unknown): UnavailableError;
}

/** Opens a connection, or rejects with an UnavailableError, or with an AbortError at the signal. */
export type Connect<Open = Connection> = (host: Host, signal: AbortSignal) => Promise<Open>;
