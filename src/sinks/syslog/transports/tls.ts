import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { UnavailableError, type UnavailableReason } from '../../../core/errors.ts';
import { abortError } from '../../../lib/wait.ts';
import type { TlsClient } from '../../../net/tls.ts';
import { codeOf } from '../../../net/tls-error.ts';
import { quietMs } from '../confirm.ts';
import type { Connect } from '../connection.ts';
import { explain } from '../explain.ts';
import type { Framing } from '../frame.ts';
import type { Host } from '../hosts.ts';
import { openSocket } from './socket.ts';
import { StreamConnection } from './stream.ts';

/** A connection that TLS has secured. */
export interface Secured {
  readonly stream: TLSSocket;
  /** The TCP socket that carries it. */
  readonly wire: Socket;
  readonly connectMs: number;
  readonly explain: Explained;
  /** See `Connection`. */
  readonly suspicion: () => string;
  /** Has `written` called each time that the kernel has taken something, from now on. */
  onWritten(written: () => void): void;
}

/** A busy peer may take so long to look at our certificate, and what it thinks of it may be lost on the way. */
const LOOKS_MS = 10_000;
const BROKEN = new Set(['ECONNRESET', 'EPIPE']);

/** Connects by TLS over TCP. @param timeoutMs bounds connecting and, separately, the handshake */
export async function openTls(
  tls: TlsClient,
  host: Host,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Secured> {
  const options = tls.options(host.host);
  const { socket: wire, connectMs } = await openSocket(host, timeoutMs, signal);
  let securedMs = Number.NEGATIVE_INFINITY;
  const suspicion = () =>
    performance.now() - securedMs < LOOKS_MS ? `; as the TLS handshake was a moment ago, ${tls.refusal}` : '';
  const explained: Explained = (doing, cause) => {
    const meaning = tls.explain(cause);
    if (meaning !== undefined)
      return new UnavailableError(`${doing} to ${host.name} failed: ${meaning}`, { reason: 'auth', cause });
    const { message, reason } = explain(host.name, doing, cause);
    const why = BROKEN.has(codeOf(cause)) ? suspicion() : '';
    return new UnavailableError(message + why, { reason, cause });
  };
  let written = () => {};
  const stream = secured(wire, { ...options, socket: below(wire, () => written()) }, explained);
  try {
    await shakeHands({ host, stream, wire, tls, explained, settleMs: quietMs(connectMs), timeoutMs }, signal);
  } catch (error) {
    stream.destroy();
    wire.destroy();
    throw error;
  }
  securedMs = performance.now();
  const onWritten = (listener: () => void) => {
    written = listener;
  };
  return { stream, wire, connectMs, explain: explained, suspicion, onWritten };
}

/** TLS over TCP. @param timeoutMs bounds connecting and, separately, the handshake */
export function overTls(tls: TlsClient, framing: Framing, timeoutMs: number): Connect {
  return async (host, signal) => {
    const { onWritten, ...secured } = await openTls(tls, host, timeoutMs, signal);
    const halfClose = (out: () => void) => {
      // The one thing that TLS has still to write is `close_notify`. A peer may answer it before our FIN is out, so that
      // it is our end mark, not the FIN.
      onWritten(out);
      secured.stream.end();
    };
    return new StreamConnection({ host, framing, ...secured, halfClose });
  };
}

/**
 * The socket as TLS sees it. Given the socket itself, Node would take it over, and let go of it at the peer's
 * `close_notify`: nobody would see whether a FIN or a reset comes after that, and only that tells whether all was
 * read. So TLS gets this in between, and its end is not the socket's.
 */
function below(wire: Socket, written: () => void): Duplex {
  const stream = new Duplex({
    read: () => void wire.resume(),
    write: (chunk: Buffer, _encoding, done) =>
      void wire.write(chunk, (error) => {
        if (!error) written();
        done(error);
      }),
    final: (done) => void wire.end(done),
    destroy: (error, done) => {
      wire.resume();
      done(error);
    },
  });
  wire.on('data', (chunk: Buffer) => {
    if (!stream.destroyed && !stream.push(chunk)) wire.pause();
  });
  wire.on('end', () => void stream.push(null));
  wire.on('error', (error) => void stream.destroy(error));
  wire.on('close', () => void stream.destroy());
  // TLS passes it on to its own listeners.
  stream.on('error', () => {});
  return stream;
}

type Explained = (doing: string, cause: unknown) => UnavailableError;

/** TLS may refuse its options before it begins, and then nobody else would let go of the socket. */
function secured(wire: Socket, options: ConnectionOptions, explained: Explained): TLSSocket {
  try {
    return connect(options);
  } catch (cause) {
    wire.destroy();
    throw explained('connecting', cause);
  }
}

interface Handshake {
  readonly host: Host;
  readonly stream: TLSSocket;
  readonly wire: Socket;
  readonly tls: TlsClient;
  readonly explained: Explained;
  readonly settleMs: number;
  readonly timeoutMs: number;
}

/**
 * Resolves when both sides trust each other, as far as that can be known. With TLS 1.3 our side is through before
 * the peer has looked at our certificate (trap S17), and some peers look only after the handshake; so it waits
 * a little for a peer that thinks better of it. One that takes longer breaks the first confirmation.
 */
function shakeHands(handshake: Handshake, signal: AbortSignal): Promise<void> {
  const { host, stream, wire, tls, explained, settleMs, timeoutMs } = handshake;
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(abortError(signal));
    let isDone = false;
    const settle = (error?: Error) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      stream.off('end', onEnd);
      wire.off('close', onEnd);
      if (error) reject(error);
      else resolve();
    };
    const fail = (why: string, reason: UnavailableReason = 'auth') =>
      settle(new UnavailableError(`connecting to ${host.name} failed: ${why}`, { reason }));
    const onAbort = () => settle(abortError(signal));
    const onEnd = () => {
      if (isDone) return fail(`it broke off right after the TLS handshake: ${tls.refusal}`);
      fail(`it broke off the TLS handshake. If it speaks TLS on this port, ${tls.refusal}`, 'network');
    };
    let timer = setTimeout(() => {
      const message = `connecting to ${host.name} failed: no end of the TLS handshake within ${timeoutMs} ms. Does it speak TLS on this port?`;
      settle(new UnavailableError(message, { reason: 'timeout' }));
    }, timeoutMs);
    signal.addEventListener('abort', onAbort, { once: true });
    // Stays for life: an error that nobody hears would end the process.
    stream.on('error', (cause) => {
      const isSilent = tls.explain(cause) === undefined && codeOf(cause) === 'ECONNRESET';
      if (isSilent) onEnd();
      else settle(explained('connecting', cause));
    });
    stream.once('end', onEnd);
    wire.once('close', onEnd);
    stream.once('secureConnect', () => {
      isDone = true;
      const distrust = tls.distrust(stream);
      if (distrust !== undefined) return fail(distrust);
      clearTimeout(timer);
      timer = setTimeout(settle, settleMs);
    });
    stream.resume();
  });
}
