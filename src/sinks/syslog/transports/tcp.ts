import { connect } from 'node:net';
import { UnavailableError } from '../../../core/errors.ts';
import { abortError } from '../../../lib/wait.ts';
import type { Connection } from '../connection.ts';
import { explain } from '../explain.ts';

export interface TcpOptions {
  readonly host: string;
  readonly port: number;
  /** For messages. */
  readonly peer: string;
  readonly timeoutMs: number;
}

/** Finds out that an idle receiver has vanished, so that the next batch need not. */
const KEEP_ALIVE_MS = 60_000;

/** Opens a TCP connection; see {@link Connect}. */
export function connectTcp(options: TcpOptions, signal: AbortSignal): Promise<Connection> {
  const { host, port, peer, timeoutMs } = options;
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(abortError(signal));
    const socket = connect({
      host,
      port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
      // Half open, the first write after the peer's FIN would succeed and be lost.
      allowHalfOpen: false,
      // For a name with several addresses. Node's own 250 ms are less than one round trip to some places.
      autoSelectFamilyAttemptTimeout: Math.max(250, Math.floor(timeoutMs / 4)),
    });
    // Without the time that the name took: the last attempt is the one that connects.
    let startedMs = performance.now();
    socket.on('connectionAttempt', () => {
      startedMs = performance.now();
    });

    const settle = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    };
    const fail = (error: Error) => {
      settle();
      socket.destroy();
      reject(error);
    };
    const onAbort = () => fail(abortError(signal));
    const timer = setTimeout(() => {
      const message = `connecting to ${peer} failed: no answer within ${timeoutMs} ms. Is the host up, and does a firewall let this port through?`;
      fail(new UnavailableError(message, { reason: 'timeout' }));
    }, timeoutMs);
    signal.addEventListener('abort', onAbort, { once: true });
    // Stays for life: an error that nobody hears would end the process.
    socket.on('error', (cause) => fail(explain(peer, 'connecting', cause)));
    // A peer's FIN is seen only by who reads, and one unread byte would hide it.
    socket.resume();
    socket.once('connect', () => {
      settle();
      resolve({
        socket,
        connectMs: performance.now() - startedMs,
        destroy: () => {
          // Alone it would wait for what is still to be written; `destroy` then makes it happen at once.
          if (socket.writableLength > 0) socket.resetAndDestroy();
          socket.destroy();
        },
      });
    });
  });
}
