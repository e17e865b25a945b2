import type { Duplex } from 'node:stream';

/** An open connection, whatever it is made of. Its read side flows, and an error of it never goes unheard. */
export interface Connection {
  readonly socket: Duplex;
  /** How long connecting took: at least one round trip. */
  readonly connectMs: number;
  /**
   * Lets go at once; by a reset when not all has been written. A receiver that sees an orderly end may take the
   * half of an event for a whole one (rsyslog does, with line feeds).
   */
  destroy(): void;
}

/** Opens a connection, or rejects with an UnavailableError, or with an AbortError at the signal. */
export type Connect = (signal: AbortSignal) => Promise<Connection>;

/** Neither side has ended it, as far as is known. */
export function isAlive({ socket }: Connection): boolean {
  return socket.readable && socket.writable;
}
