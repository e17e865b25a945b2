import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { UnavailableError } from '../../../core/errors.ts';
import type { TlsClient } from '../../../net/tls.ts';
import type { Connect } from '../connection.ts';
import { explain } from '../explain.ts';
import type { Host } from '../hosts.ts';
import { openSocket } from '../transports/socket.ts';
import { openTls } from '../transports/tls.ts';

/** What a session runs over. An error of it never goes unheard. */
export interface Link {
  readonly host: Host;
  /** What is written to and read from; without TLS the wire itself. */
  readonly stream: Duplex;
  /** The TCP socket that carries it. */
  readonly wire: Socket;
  /** With TLS: what a receiver may mean that closes before it has answered anything. */
  readonly refusal?: string;
  /** An error of it in words for people. */
  explain(doing: string, cause: unknown): UnavailableError;
}

/** Plain TCP. @param timeoutMs bounds connecting */
export function linkOverTcp(timeoutMs: number): Connect<Link> {
  return async (host, signal) => {
    const { socket } = await openSocket(host, timeoutMs, signal);
    return {
      host,
      stream: socket,
      wire: socket,
      explain: (doing, cause) => explain(host.name, doing, cause),
    };
  };
}

/** TLS from the first byte. @param timeoutMs bounds connecting and, separately, the handshake */
export function linkOverTls(tls: TlsClient, timeoutMs: number): Connect<Link> {
  return async (host, signal) => {
    const { stream, wire, explain } = await openTls(tls, host, timeoutMs, signal);
    return { host, stream, wire, explain, refusal: tls.refusal };
  };
}
