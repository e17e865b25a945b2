/**
 * A receiver that comes and goes, for `npm run endurance`: it reads, breaks all connections and is away, reads again,
 * and then takes connections without reading from them. In a process of its own; says its port on standard output.
 */
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const open = new Set<Socket>();
let isReading = true;

const server = createServer({ pauseOnConnect: true }, (socket) => {
  open.add(socket);
  socket.on('error', () => {});
  socket.on('close', () => open.delete(socket));
  if (isReading) socket.resume();
});

async function listen(port: number): Promise<number> {
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** What was sent and not read is lost, and the sender is told so. */
function breakAll(): void {
  for (const socket of open) socket.resetAndDestroy();
}

async function flap(port: number): Promise<never> {
  for (;;) {
    await sleep(6_000);
    server.close();
    breakAll();
    await sleep(2_000);
    await listen(port);
    await sleep(4_000);
    isReading = false;
    for (const socket of open) socket.pause();
    await sleep(3_000);
    isReading = true;
    breakAll();
  }
}

const port = await listen(0);
console.log(port);
await flap(port);
