import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';

export interface Tunnel {
  /** `http://127.0.0.1:PORT` */
  readonly origin: string;
  /** What was asked for: `host:port`, and the login. */
  readonly asked: { readonly target: string; readonly login: string | undefined }[];
  /** It wants another login. */
  refuses: boolean;
  close(): Promise<void>;
}

/** A proxy that lets bytes through as they are (CONNECT). */
export async function startTunnel(): Promise<Tunnel> {
  const asked: { target: string; login: string | undefined }[] = [];
  const sockets = new Set<Socket>();
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => socket.destroy());
  };
  const server = createServer();
  server.on('connection', keep);
  server.on('connect', (request, socket) => {
    const target = request.url ?? '';
    asked.push({ target, login: request.headers['proxy-authorization'] });
    if (tunnel.refuses) return void socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
    const { hostname, port } = new URL(`http://${target}`);
    const onward = connect(Number(port), hostname, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      onward.pipe(socket).pipe(onward);
    });
    keep(onward);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const tunnel: Tunnel = {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    refuses: false,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return tunnel;
}
