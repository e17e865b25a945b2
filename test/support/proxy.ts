import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer, request as httpsRequest } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { makeCertificate } from '../../src/simulator/certificate.ts';

export interface Proxy {
  /** `http://127.0.0.1:PORT` */
  readonly origin: string;
  /** PEM file of the CA by which it pretends to be every server. */
  readonly caFile: string;
  /** `host:port` of each way that was asked for. */
  readonly connects: readonly string[];
  /** `Proxy-Authorization` of each, where there was one. */
  readonly logins: readonly (string | undefined)[];
  /** Method and path of each request that it has read on its way. */
  readonly inspected: readonly string[];
  /** It wants another login. */
  refuses: boolean;
  /** Whether it says nothing when it is asked for the way to `host:port`. */
  mutes: (target: string) => boolean;
}

/** An inspecting proxy, as on the edge of a company: ends TLS with its own CA, reads all, and speaks to the server itself. */
export async function startProxy(): Promise<Proxy> {
  const connects: string[] = [];
  const logins: (string | undefined)[] = [];
  const inspected: string[] = [];
  const { ca, cert, key } = await makeCertificate(Date.now());
  const folder = mkdtempSync(join(tmpdir(), 'defender-relay-test-'));
  const caFile = join(folder, 'proxy-ca.pem');
  writeFileSync(caFile, ca);

  const inspector = createHttpsServer({ cert, key }, (request, response) => {
    inspected.push(`${request.method} ${request.url}`);
    const { method, url, headers } = request;
    const [host, port] = (headers.host ?? '').split(':');
    // What the server's certificate says is not what is tested here.
    const options = { host, port, method, path: url, headers, rejectUnauthorized: false };
    const onward = httpsRequest(options, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  });

  const sockets = new Set<Socket>();
  const server = createHttpServer();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
  });
  server.on('connect', (request, socket) => {
    const target = request.url ?? '';
    connects.push(target);
    logins.push(request.headers['proxy-authorization']);
    if (proxy.mutes(target)) return;
    if (proxy.refuses) {
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
      return;
    }
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
    inspector.emit('connection', socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const proxy: Proxy = {
    origin,
    caFile,
    connects,
    logins,
    inspected,
    refuses: false,
    mutes: () => false,
  };
  return proxy;
}
