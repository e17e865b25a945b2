import { connect, type Socket } from 'node:net';
import { UnavailableError } from '../../../core/errors.ts';
import { abortError } from '../../../lib/wait.ts';
import { explain } from '../explain.ts';
import type { Host } from '../hosts.ts';

export interface Wire {
  readonly socket: Socket;
  readonly connectMs: number;
}

/** Finds out that an idle receiver has vanished, so that the next batch need not. */
const KEEP_ALIVE_MS = 60_000;

/** Connects by TCP. An error of the socket never goes unheard after that. */
export function openSocket(
  { host, port, name }: Host,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Wire> {
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
      const message = `connecting to ${name} failed: no answer within ${timeoutMs} ms. Is the host up, and does a firewall let this port through?`;
      fail(new UnavailableError(message, { reason: 'timeout' }));
    }, timeoutMs);
    signal.addEventListener('abort', onAbort, { once: true });
    // Stays for life: an error that nobody hears would end the process.
    socket.on('error', (cause) => fail(explain(name, 'connecting', cause)));
    socket.once('connect', () => {
      settle();
      resolve({ socket, connectMs: performance.now() - startedMs });
    });
  });
}
