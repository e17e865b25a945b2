/**
 * A receiver of CEF over TCP, in a process of its own. Says its port on standard output, and every second what it has
 * received. What it does is its argument:
 * - `reads`: it reads, all the time.
 * - `flaps`: it reads, breaks all connections and is away, reads again, and then takes connections without reading.
 * - `away`: it is away until SIGUSR2, and then it reads.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** What a receiver has received until now. */
export interface Received {
  readonly events: number;
  /** Events whose number was there already. */
  readonly repeated: number;
  /** Numbers that were passed over. */
  readonly missing: number;
  /** Of ids and revisions, in the order in which they came for the first time. */
  readonly digest: string;
  /** Median of this second: from the change of an alert to its arrival. `null`: nothing came. */
  readonly latencyMs: number | null;
}

const open = new Set<Socket>();
let isReading = true;
let [events, repeated, missing, last] = [0, 0, 0, 0];
let latencies: number[] = [];
const digest = createHash('sha256');

const server = createServer({ pauseOnConnect: true }, (socket) => {
  let rest = '';
  open.add(socket);
  socket.setEncoding('utf8');
  socket.on('error', () => {});
  socket.on('close', () => open.delete(socket));
  socket.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop()!;
    const now = Date.now();
    for (const line of lines) note(line, now);
  });
  if (isReading) socket.resume();
});

function note(line: string, now: number): void {
  const number = Number(/ cn3=(\d+)/.exec(line)?.[1]);
  const changed = Number(/ rt=(\d+)/.exec(line)?.[1]);
  const [, id, revision] = /externalId=(\S+) devicePayloadId=(\S+)/.exec(line) ?? [];
  if (!id || !number || !changed) throw new Error(`not an event of an alert: ${line.slice(0, 300)}`);
  events++;
  if (number <= last) {
    repeated++;
    return;
  }
  missing += number - last - 1;
  last = number;
  digest.update(`${id} ${revision}\n`);
  latencies.push(now - changed);
}

function tell(): void {
  const latencyMs = latencies.toSorted((a, b) => a - b)[latencies.length >> 1] ?? null;
  latencies = [];
  const received: Received = { events, repeated, missing, digest: digest.copy().digest('hex'), latencyMs };
  console.log(JSON.stringify(received));
}

async function listen(port: number): Promise<number> {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** What was sent and not read is lost, and the sender is told so. */
function breakAll(): void {
  for (const socket of open) socket.resetAndDestroy();
}

async function flap(port: number): Promise<never> {
  for (;;) {
    await sleep(3_000);
    server.close();
    breakAll();
    await sleep(1_000);
    await listen(port);
    await sleep(2_000);
    isReading = false;
    for (const socket of open) socket.pause();
    await sleep(1_500);
    isReading = true;
    breakAll();
  }
}

const port = await listen(0);
console.log(port);
setInterval(tell, 1_000);
const [, , does] = process.argv;
if (does === 'flaps') await flap(port);
if (does === 'away') {
  server.close();
  process.once('SIGUSR2', () => listen(port));
}
