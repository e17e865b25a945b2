import type { Connect } from '../connection.ts';
import type { Framing } from '../frame.ts';
import { openSocket } from './socket.ts';
import { StreamConnection } from './stream.ts';

/** Plain TCP. @param timeoutMs bounds connecting */
export function overTcp(framing: Framing, timeoutMs: number): Connect {
  return async (host, signal) => {
    const { socket, connectMs } = await openSocket(host, timeoutMs, signal);
    return new StreamConnection({ host, framing, stream: socket, wire: socket, connectMs });
  };
}
