import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { onTestFinished } from 'vitest';

/** A request as a receiver got it. */
export interface Received {
  /** From 0. */
  readonly n: number;
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Decompressed. */
  readonly text: string;
  /** What stands in the lines of the body. */
  readonly lines: readonly string[];
}

export interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** The events are taken, and then the connection breaks before anything is answered. */
  readonly lost?: true;
  /** Waited for before the answer. */
  readonly after?: Promise<unknown>;
}

export type Script = (received: Received) => Answer;

export interface HttpReceiver {
  /** `http://127.0.0.1:PORT` */
  readonly origin: string;
  readonly received: readonly Received[];
  /** Lines of the requests that were answered with 2xx, or whose answer was lost. */
  readonly taken: readonly string[];
  /** Requests under way at one time, at most. */
  readonly most: number;
  play(script: Script): void;
  /** Lets go of all connections, and takes none until `mend`. */
  breakDown(): void;
  mend(): void;
  close(): Promise<void>;
}

/** An HTTP server on loopback that does what its script says; it has its idea of the protocol from nobody else. */
export async function startReceiver(script: Script = () => ({}), tls?: ServerOptions): Promise<HttpReceiver> {
  const received: Received[] = [];
  const taken: string[] = [];
  let play = script;
  let isDown = false;
  let open = 0;
  let most = 0;

  const listener = async (request: IncomingMessage, response: ServerResponse) => {
    if (isDown) {
      request.socket.destroy();
      return;
    }
    most = Math.max(most, ++open);
    response.on('close', () => open--);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const raw = Buffer.concat(chunks);
    if (Number(request.headers['content-length']) !== raw.length) throw new Error('another length');
    const encoding = request.headers['content-encoding'];
    const bytes = encoding === 'gzip' ? gunzipSync(raw) : encoding === 'zstd' ? zstdDecompressSync(raw) : raw;
    const text = bytes.toString();
    const one: Received = {
      n: received.length,
      method: request.method ?? '',
      path: request.url ?? '',
      headers: request.headers,
      text,
      lines: text.split('\n').filter(Boolean),
    };
    received.push(one);
    const { status = 200, headers = {}, body = '', lost, after } = play(one);
    await after;
    if (lost || (status >= 200 && status < 300)) taken.push(...one.lines);
    if (lost) request.socket.destroy();
    else response.writeHead(status, headers).end(body);
  };
  const handle = (request: IncomingMessage, response: ServerResponse) =>
    void listener(request, response).catch(() => request.socket.destroy());
  const server = tls ? createHttpsServer(tls, handle) : createServer(handle);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    origin: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    received,
    taken,
    get most() {
      return most;
    },
    play(next) {
      play = next;
    },
    breakDown() {
      isDown = true;
      server.closeAllConnections();
    },
    mend() {
      isDown = false;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The same, for one test. */
export async function aReceiver(script?: Script, tls?: ServerOptions): Promise<HttpReceiver> {
  const receiver = await startReceiver(script, tls);
  onTestFinished(() => receiver.close());
  return receiver;
}
