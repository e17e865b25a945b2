/**
 * Writes so many alerts as JSON lines to a TCP port, over several connections, as fast as the other side reads:
 * `--port P --alerts N --connections C`; `--keyed`: see {@link Alerts}.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { parseArgs } from 'node:util';
import { Alerts } from './alerts.ts';

/** Alerts of one write. */
const CHUNK = 32;
const LINE_FEED = 10;

const { values } = parseArgs({
  options: {
    port: { type: 'string' },
    alerts: { type: 'string' },
    connections: { type: 'string' },
    keyed: { type: 'boolean', default: false },
  },
});
const [port, alerts, connections] = [values.port, values.alerts, values.connections].map(Number) as [
  number,
  number,
  number,
];
const lines = new Alerts({ keyed: values.keyed });
let next = 0;

/** Takes alerts from all that are left, so that no connection is done before another. */
async function write(socket: Socket): Promise<void> {
  const memories = [0, 1].map(() => ({
    bytes: Buffer.allocUnsafeSlow(CHUNK * (lines.mostBytes + 1)),
    written: Promise.resolve(),
  }));
  for (let turn = 0; next < alerts; turn ^= 1) {
    const memory = memories[turn]!;
    await memory.written;
    let at = 0;
    for (let room = CHUNK; room > 0 && next < alerts; room--) {
      at = lines.write(memory.bytes, at, next++);
      memory.bytes[at++] = LINE_FEED;
    }
    const written = Promise.withResolvers<void>();
    socket.write(memory.bytes.subarray(0, at), (error) =>
      error ? written.reject(error) : written.resolve(),
    );
    memory.written = written.promise;
  }
  await Promise.all(memories.map(({ written }) => written));
}

const sockets = Array.from({ length: connections }, () => connect(port, '127.0.0.1'));
await Promise.all(sockets.map((socket) => once(socket, 'connect')));
await Promise.all(sockets.map(write));
for (const socket of sockets) socket.end();
