/**
 * A receiver in a thread of its own, so that it goes on while the test blocks its event loop. It reads all, and closes
 * each connection by itself so many milliseconds after the first byte; then it tells how much of it it had read.
 */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { parentPort, Worker, workerData } from 'node:worker_threads';

export interface ClosingPeer {
  readonly port: number;
  /** For connections that come from now on. */
  closeAfter(ms: number): void;
  /** Bytes that had been read on a connection when it ended; counts, from 0, those on which something came. */
  read(connection: number): Promise<number>;
  stop(): Promise<void>;
}

/** This file is both sides: the thread knows by this that it is the receiver. */
const ROLE = 'closing-peer';

export async function startClosingPeer(): Promise<ClosingPeer> {
  const worker = new Worker(new URL(import.meta.url), { workerData: ROLE });
  const [{ port }] = (await once(worker, 'message')) as [{ port: number }];
  const reads: number[] = [];
  const waiting = new Set<() => void>();
  worker.on('message', (bytes: number) => {
    reads.push(bytes);
    for (const look of [...waiting]) look();
  });
  return {
    port,
    closeAfter: (ms) => worker.postMessage(ms),
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

function serve(): void {
  let closeAfterMs = 0;
  parentPort?.on('message', (ms: number) => {
    closeAfterMs = ms;
  });
  const server = createServer((socket) => {
    let bytes = 0;
    socket.on('error', () => {});
    socket.on('data', (data: Buffer) => {
      bytes += data.length;
    });
    socket.once('data', () => {
      const until = performance.now() + closeAfterMs;
      // Finer than a timer; lets reads happen in between.
      const look = () => (performance.now() < until ? setImmediate(look) : void socket.destroy());
      look();
    });
    socket.on('close', () => {
      if (bytes > 0) parentPort?.postMessage(bytes);
    });
  });
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    parentPort?.postMessage({ port: typeof address === 'object' && address ? address.port : 0 });
  });
}

if (workerData === ROLE) serve();
