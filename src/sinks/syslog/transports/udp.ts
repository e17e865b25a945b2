import { createSocket, type Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import type { UnavailableError } from '../../../core/errors.ts';
import { abortError, orAbort } from '../../../lib/wait.ts';
import type { Connect, Connection, Happening, Listener } from '../connection.ts';
import { explain } from '../explain.ts';
import type { Host } from '../hosts.ts';

/** What one datagram over IPv4 can carry: 65,535 less the headers of IP and UDP. */
export const MAX_DATAGRAM_BYTES = 65_507;

/** What every receiver should take. @see RFC 5426, section 3.2 */
export const DEFAULT_DATAGRAM_BYTES = 2048;

/** Datagrams between two breaths. */
const BURST = 8;

/** UDP: one datagram for each event (RFC 5426). @param timeoutMs bounds the lookup of the name */
export function overUdp(timeoutMs: number): Connect {
  return async (host, signal) => {
    if (signal.aborted) throw abortError(signal);
    const within = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    const startedMs = performance.now();
    let socket: Socket | undefined;
    try {
      const { address, family } = await orAbort(lookup(host.host), within);
      socket = createSocket(family === 6 ? 'udp6' : 'udp4');
      // Stays for life: an error that nobody hears would end the process.
      socket.on('error', () => {});
      // Connected, it is told when nobody listens there, by ICMP.
      socket.connect(host.port, address);
      await once(socket, 'connect', { signal: within });
    } catch (cause) {
      socket?.close();
      if (signal.aborted) throw abortError(signal);
      throw explain(
        host.name,
        'connecting',
        within.aborted ? new Error('its name is not answered for') : cause,
      );
    }
    return new UdpConnection(host, socket, performance.now() - startedMs);
  };
}

class UdpConnection implements Connection {
  readonly suspicion = '';
  readonly host: Host;
  readonly connectMs: number;
  readonly tuple = undefined;
  readonly sentBytes = 0;
  readonly #socket: Socket;
  readonly #listeners = new Set<Listener>();
  #isAlive = true;

  constructor(host: Host, socket: Socket, connectMs: number) {
    this.host = host;
    this.#socket = socket;
    this.connectMs = connectMs;
    socket.on('error', (cause) => this.#end('error', cause)).on('close', () => this.#end('gone'));
  }

  isAlive(): boolean {
    return this.#isAlive;
  }

  async write(messages: readonly Buffer[]): Promise<void> {
    for (const [index, message] of messages.entries()) {
      // A burst would overflow what the receiver's kernel keeps for it.
      if (index % BURST === BURST - 1) await new Promise(setImmediate);
      await this.#send(message);
    }
  }

  #send(message: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      if (!this.#isAlive) return reject(Object.assign(new Error('closed'), { code: 'ECONNREFUSED' }));
      this.#socket.send(message, (error) => (error ? reject(error) : resolve()));
    });
  }

  halfClose(): void {
    this.destroy();
  }

  destroy(): void {
    if (this.#isAlive) this.#socket.close();
    this.#isAlive = false;
  }

  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  explain(doing: string, cause: unknown): UnavailableError {
    return explain(this.host.name, doing, cause);
  }

  #end(happening: Happening, cause?: unknown): void {
    this.destroy();
    for (const listener of [...this.#listeners]) listener(happening, cause);
  }
}
