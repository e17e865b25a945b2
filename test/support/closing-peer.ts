/**
 * A receiver in a thread of its own, so that it goes on while the test blocks its event loop. It reads all, and closes
 * each connection by itself; then it tells how much of it it had read.
 */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { parentPort, Worker, workerData } from 'node:worker_threads';

export interface ClosingPeer {
  readonly port: number;
  /** So many milliseconds after their first byte; for connections that come from now on. */
  closeAfter(ms: number): void;
  /** As soon as it has read so many bytes; for connections that come from now on. */
  closeAt(bytes: number): void;
  /** Bytes that had been read on a connection when it ended; counts, from 0, those on which something came. */
  read(connection: number): Promise<number>;
  stop(): Promise<void>;
}

/** This file is both sides: the thread knows by this that it is the receiver. */
const ROLE = 'closing-peer';

type When = { readonly ms: number } | { readonly bytes: number };

/** @param tls over TLS, with these settings */
export async function startClosingPeer(tls?: TlsOptions): Promise<ClosingPeer> {
  const worker = new Worker(new URL(import.meta.url), { workerData: { role: ROLE, tls } });
  const [{ port }] = (await once(worker, 'message')) as [{ port: number }];
  const reads: number[] = [];
  const waiting = new Set<() => void>();
  worker.on('message', (bytes: number) => {
    reads.push(bytes);
    for (const look of [...waiting]) look();
  });
  return {
    port,
    closeAfter: (ms) => worker.postMessage({ ms } satisfies When),
    closeAt: (bytes) => worker.postMessage({ bytes } satisfies When),
    read: (connection) =>
      new Promise((resolve) => {
        const look = () => {
          const bytes = reads[connection];
          if (bytes === undefined) return;
          waiting.delete(look);
          resolve(bytes);
        };
        waiting.add(look);
        look();
      }),
    stop: async () => {
      await worker.terminate();
    },
  };
}

function serve(tls?: TlsOptions): void {
  let when: When = { ms: 0 };
  parentPort?.on('message', (given: When) => {
    when = given;
  });
  const take = (socket: Socket) => {
    const own = when;
    let bytes = 0;
    const close = () => {
      // With TLS in good order as far as TLS goes: a goodbye, and then the FIN.
      if (tls) socket.end(() => socket.destroy());
      else socket.destroy();
    };
    socket.on('error', () => {});
    socket.on('data', (data: Buffer) => {
      bytes += data.length;
      if ('bytes' in own && bytes >= own.bytes) close();
    });
    socket.once('data', () => {
      if ('bytes' in own) return;
      const until = performance.now() + own.ms;
      // Finer than a timer; lets reads happen in between.
      const look = () => (performance.now() < until ? setImmediate(look) : close());
      look();
    });
    socket.on('close', () => {
      if (bytes > 0) parentPort?.postMessage(bytes);
    });
  };
  const server = tls ? createTlsServer(tls, take) : createServer(take);
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    parentPort?.postMessage({ port: typeof address === 'object' && address ? address.port : 0 });
  });
}

if (workerData?.role === ROLE) serve(workerData.tls);
