import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { finished, pipeline } from 'node:stream';
import type { Answer } from './answer.ts';
import type { Harm } from './faults.ts';

/** A harm that is done to an answer on its way. */
export type WireHarm = Exclude<Harm, { kind: 'instead' }>;

/** Finds the TCP socket under a TLS one: only that can be reset. */
export class TcpSockets {
  readonly #byPeer = new Map<string, Socket>();

  /** For the server's `connection` event. */
  add(socket: Socket): void {
    const peer = peerOf(socket);
    this.#byPeer.set(peer, socket);
    socket.once('close', () => this.#byPeer.delete(peer));
  }

  reset(socket: Socket | null): void {
    if (!socket) return;
    const tcp = this.#byPeer.get(peerOf(socket));
    // One that is not known any more is closing already.
    if (tcp) tcp.resetAndDestroy();
    else socket.destroy();
  }

  /** Ends all, also those whose TLS handshake is not done and that the HTTP server does not know of yet. */
  destroy(): void {
    for (const socket of this.#byPeer.values()) socket.destroy();
  }
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

/**
 * Sends an answer, whole or harmed.
 *
 * @returns whether all of it was handed to a connection that was still there
 */
export function transmit(
  outgoing: ServerResponse,
  answer: Answer,
  sockets: TcpSockets,
  harm?: WireHarm,
): Promise<boolean> {
  const body = Buffer.from(answer.body);
  const harmed = harm?.kind === 'reset' || harm?.kind === 'cut';
  const part = harmed ? body.subarray(0, Math.floor(body.length * harm.after)) : body;
  const padding = harm?.kind === 'pad' ? harm.bytes : 0;
  const length = harm?.kind === 'cut' && harm.framing === 'whole' ? part.length : body.length + padding;
  const done = whenFinished(outgoing);
  if (harm?.kind === 'silence') return done;
  if (harm?.kind === 'reset' && harm.after === 0) {
    sockets.reset(outgoing.socket);
    return done;
  }
  outgoing.writeHead(answer.status, { ...answer.headers, 'Content-Length': length });
  if (harm?.kind === 'pad') pipeline(padded(part, padding), outgoing, () => {});
  else if (harm?.kind === 'reset') outgoing.write(part, () => sockets.reset(outgoing.socket));
  else if (length > part.length) outgoing.write(part, () => outgoing.socket?.end());
  else outgoing.end(part);
  return done.then((finishedWell) => finishedWell && !harmed);
}

/** Piece by piece: who does not want so much lets go long before the end. */
function* padded(body: Buffer, bytes: number): Generator<Buffer> {
  yield body;
  const blanks = Buffer.alloc(64 * 2 ** 10, ' ');
  for (let left = bytes; left > 0; left -= blanks.length) yield blanks.subarray(0, left);
}

function whenFinished(outgoing: ServerResponse): Promise<boolean> {
  return new Promise((resolve) => {
    finished(outgoing, (error) => resolve(!error));
  });
}
