import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { createSecureContext, type SecureContextOptions, TLSSocket } from 'node:tls';
import { Worker } from 'node:worker_threads';
import type { Framing } from '../../src/sinks/syslog/frame.ts';

/** One accepted connection, as its script sees it. */
export interface Peer {
  readonly socket: Socket;
  /** Counts connections from 0. */
  readonly index: number;
  /** Closes when the sender has; `true` to begin with. */
  answersClose: boolean;
  /** Bytes read on it so far. */
  bytes(): number;
  /** Whole events read on it so far. */
  events(): readonly string[];
  /** Runs `action` once, as soon as `bytes` have been read on it. */
  afterBytes(bytes: number, action: () => void): void;
  /** RST. */
  reset(): void;
}

/** What a receiver does with a connection besides reading it. */
export type Script = (peer: Peer) => void;

/** Reads all, and closes when the sender has. */
export const readAll: Script = () => {};

/** Takes what the kernel takes, and never looks at it. */
export const neverRead: Script = ({ socket }) => void socket.pause();

/** Reads all, and never answers a close. */
export const neverClose: Script = (peer) => {
  peer.answersClose = false;
};

/** Reads `bytes`, then closes by itself, in good order. */
export const closeAfter =
  (bytes: number): Script =>
  (peer) =>
    peer.afterBytes(bytes, () => peer.socket.end());

/** Reads `bytes`, stops reading, and resets the connection once something has come that it will not read. */
export const resetAfter =
  (bytes: number): Script =>
  (peer) =>
    peer.afterBytes(bytes, () => {
      peer.socket.pause();
      peer.reset();
    });

/** Reads a little, rests, reads on. */
export const slow =
  (restMs: number): Script =>
  ({ socket }) => {
    socket.on('data', () => {
      socket.pause();
      setTimeout(() => socket.resume(), restMs);
    });
  };

export interface Collector {
  readonly port: number;
  /** Whole events, in the order in which they were read, over all connections. */
  readonly events: readonly string[];
  /** Rests of events, of connections that the sender ended in good order: a receiver may take them for whole. */
  readonly torn: readonly string[];
  /** Connections accepted so far. */
  readonly connections: number;
  /** Connections that are open. */
  readonly open: number;
  /** For connections that come from now on. */
  play(script: Script): void;
  /** Resets all connections that are open. */
  resetAll(): void;
  /** Resolves as soon as `condition` holds; looked at when something was read or closed. */
  until(condition: (events: readonly string[]) => boolean): Promise<void>;
  close(): Promise<void>;
}

/** A receiver on loopback, TCP or TLS, that takes events apart and does what its script says. */
export async function startCollector(
  framing: Framing = 'lf',
  options: { script?: Script; port?: number; tls?: SecureContextOptions } = {},
): Promise<Collector> {
  let script = options.script ?? readAll;
  const events: string[] = [];
  const torn: string[] = [];
  const sockets = new Set<Socket>();
  const context = options.tls && createSecureContext(options.tls);
  const waiting = new Set<() => void>();
  let connections = 0;

  const server = createServer({ allowHalfOpen: true }, (wire) => {
    const socket: Socket = context
      ? new TLSSocket(wire, { isServer: true, secureContext: context, allowHalfOpen: true } as object)
      : wire;
    let bytes = 0;
    let rest: Buffer = Buffer.alloc(0);
    const own: string[] = [];
    const triggers: { bytes: number; action: () => void }[] = [];
    sockets.add(wire);
    wire.on('error', () => {});
    socket.on('error', () => {});
    wire.on('close', () => {
      sockets.delete(wire);
      for (const look of [...waiting]) look();
    });
    socket.on('data', (data: Buffer) => {
      bytes += data.length;
      const split = splitFrames(Buffer.concat([rest, data]), framing);
      rest = split.rest;
      own.push(...split.events);
      events.push(...split.events);
      for (const trigger of triggers.filter((one) => one.bytes <= bytes)) {
        triggers.splice(triggers.indexOf(trigger), 1);
        trigger.action();
      }
      for (const look of [...waiting]) look();
    });
    const peer: Peer = {
      socket,
      index: connections++,
      answersClose: true,
      bytes: () => bytes,
      events: () => own,
      afterBytes: (at, action) => void triggers.push({ bytes: at, action }),
      reset: () => void wire.resetAndDestroy(),
    };
    socket.on('end', () => {
      if (rest.length > 0) torn.push(rest.toString());
      if (peer.answersClose) socket.end();
    });
    script(peer);
  });
  await listen(server, options.port ?? 0);
  const address = server.address();

  return {
    port: typeof address === 'object' && address ? address.port : 0,
    events,
    torn,
    get connections() {
      return connections;
    },
    get open() {
      return sockets.size;
    },
    play(next) {
      script = next;
    },
    resetAll() {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    until(condition) {
      return new Promise((resolve) => {
        const look = () => {
          if (!condition(events)) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      });
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export interface UdpCollector {
  readonly port: number;
  /** Datagrams, in the order in which they came in. */
  readonly events: readonly string[];
  /** Nobody listens on its port any more; `start` listens again. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

/** Takes datagrams on loopback. */
export async function startUdpCollector(address = '127.0.0.1'): Promise<UdpCollector> {
  const events: string[] = [];
  let socket: UdpSocket | undefined;
  let port = 0;
  const start = async () => {
    socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    socket.on('message', (data) => void events.push(data.toString('utf8')));
    socket.bind(port, address);
    await once(socket, 'listening');
    port = socket.address().port;
  };
  const stop = async () => {
    const closing = socket;
    socket = undefined;
    if (closing) await new Promise<void>((resolve) => void closing.close(resolve));
  };
  await start();
  return { port, events, start, stop };
}

/** A port of which the queue is full: connecting to it gets no answer at all. */
export async function startDeaf(): Promise<{ port: number; close(): Promise<void> }> {
  const listenAndSleep = `
    const server = require('node:net').createServer();
    server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
      require('node:worker_threads').parentPort.postMessage(server.address().port);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    });`;
  const worker = new Worker(listenAndSleep, { eval: true });
  const [port] = (await once(worker, 'message')) as [number];
  // Linux takes one more than the backlog; those after that hang like the one under test.
  const queued = Array.from({ length: 4 }, () => connect(port, '127.0.0.1').on('error', () => {}));
  await once(queued[1]!, 'connect');
  return {
    port,
    async close() {
      for (const socket of queued) socket.destroy();
      await worker.terminate();
    },
  };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
}

/** Whole events of a stream, and what is left. Written apart from `src`, so that both cannot be wrong together. */
export function splitFrames(data: Buffer, framing: Framing): { events: string[]; rest: Buffer } {
  const events: string[] = [];
  let from = 0;
  while (from < data.length) {
    if (framing === 'lf') {
      const end = data.indexOf(0x0a, from);
      if (end < 0) break;
      events.push(data.toString('utf8', from, end));
      from = end + 1;
    } else {
      const space = data.indexOf(0x20, from);
      if (space < 0) break;
      const digits = data.toString('ascii', from, space);
      if (!/^[1-9]\d*$/.test(digits)) throw new Error(`not a frame: ${JSON.stringify(digits)}`);
      const end = space + 1 + Number(digits);
      if (end > data.length) break;
      // The counted line feed at the end belongs to the framing.
      events.push(data.toString('utf8', space + 1, end).replace(/\n$/, ''));
      from = end;
    }
  }
  return { events, rest: data.subarray(from) };
}
