/**
 * The process behind `receiver.ts`: answers each command of its parent with one message. What it reads it writes to a
 * file before it reads on, so that the parent knows of it whatever happens to this process.
 */
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import type { Behaviour, Command, StartCommand } from './receiver.ts';

/** A connection: what is read from, and the TCP connection below it (the same but for TLS). */
interface Accepted {
  readonly socket: Socket;
  readonly tcp: Socket;
}

const open = new Set<Accepted>();
let behaviour: Behaviour = { does: 'read' };
let resets = 0;
let bytesSinceReset = 0;
let hasFrozen = false;

process.on('message', (command: Command) => {
  if (command.do === 'start') return start(command);
  if (command.do === 'reset') {
    freeze(command.frozenMs);
    resetAll();
  } else {
    behaviour = command.behaviour;
    resets = 0;
    bytesSinceReset = 0;
    hasFrozen = false;
  }
  process.send?.({ done: command.do });
});
// It must not outlive the test.
process.on('disconnect', () => process.exit());

function start({ host, port, tls, folder, firstConnection }: StartCommand): void {
  let connection = firstConnection;
  const pending = new Map<number, Socket>();
  // Paused, so that nothing is read of a connection that is not to be read.
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (tcp) => {
    tcp.on('error', () => {});
    if (behaviour.does === 'refuse' && refuses(tcp, behaviour.when, tls !== undefined)) return;
    if (!tls) return serve({ socket: tcp, tcp }, join(folder, String(connection++)));
    pending.set(tcp.remotePort ?? 0, tcp);
    tcp.once('close', () => pending.delete(tcp.remotePort ?? 0));
    secure.emit('connection', tcp);
  });
  const secure = createTlsServer({
    ...tls?.pair,
    ...(tls?.clientCa !== undefined && { requestCert: true, ca: tls.clientCa }),
    ...(tls?.maxVersion && { maxVersion: tls.maxVersion }),
  });
  secure.on('tlsClientError', () => {});
  secure.on('secureConnection', (socket) => {
    const tcp = pending.get(socket.remotePort ?? 0);
    if (tcp && behaviour.does === 'refuse') close({ socket, tcp });
    else if (tcp) serve({ socket, tcp }, join(folder, String(connection++)));
  });
  server.listen(port, host, () => process.send?.({ port: (server.address() as AddressInfo).port }));
}

/** Closes a connection that is not to be served, unless that comes after its handshake. */
function refuses(tcp: Socket, when: 'accepted' | 'begun' | 'shaken', isTls: boolean): boolean {
  if (when === 'shaken' && isTls) return false;
  if (when === 'accepted') tcp.destroy();
  else {
    tcp.once('data', () => tcp.destroy());
    tcp.once('end', () => tcp.end());
    tcp.resume();
  }
  return true;
}

/** Sees to one connection as things stand when it is accepted. */
function serve(accepted: Accepted, file: string): void {
  const { socket } = accepted;
  const own = behaviour;
  let bytes = 0;
  let text = '';
  writeFileSync(file, '');
  open.add(accepted);
  socket.on('error', () => {});
  socket.on('close', () => {
    open.delete(accepted);
    writeFileSync(`${file}.closed`, '');
  });
  if (own.does === 'ignore') return;
  socket.on('data', (data: Buffer) => {
    appendFileSync(file, data);
    bytes += data.length;
    bytesSinceReset += data.length;
    if (own.does === 'read-slowly') block((data.length / own.bytesPerSecond) * 1000);
    else if (own.does === 'choke') {
      text = text.slice(-own.on.length) + data.toString('latin1');
      if (text.includes(own.on)) accepted.tcp.resetAndDestroy();
    } else if (own.does === 'close' && bytes >= own.afterBytes) close(accepted);
    else if (own.does === 'reset' && resets < own.times && bytesSinceReset >= own.everyBytes) {
      if (!hasFrozen) block(own.frozenMs);
      hasFrozen = true;
      // Else there would be nothing to lose: soon, after the next bytes.
      if (unreadBytes() > 0) resetAll();
    }
  });
  socket.on('end', () => {
    writeFileSync(`${file}.end`, '');
    if (own.does !== 'keep-open') socket.end();
  });
  socket.resume();
}

/** As a program does that has had enough: what comes after is answered by a reset. */
function close({ socket, tcp }: Accepted): void {
  if (socket === tcp) socket.destroy();
  else socket.end(() => socket.destroy());
}

function resetAll(): void {
  for (const { tcp } of open) tcp.resetAndDestroy();
  open.clear();
  resets += 1;
  bytesSinceReset = 0;
  hasFrozen = false;
}

/** Reads nothing for a time, and on until something is there that will be lost. */
function freeze(ms: number): void {
  block(ms);
  while (unreadBytes() === 0) block(5);
}

function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** What our kernel has taken on open connections, and nobody has read. */
function unreadBytes(): number {
  const table = readFileSync('/proc/self/net/tcp', 'utf8');
  const hex = (port = 0) => port.toString(16).toUpperCase().padStart(4, '0');
  let sum = 0;
  for (const { tcp } of open) {
    const line = new RegExp(`:${hex(tcp.localPort)} \\w+:${hex(tcp.remotePort)} \\w\\w \\w+:(\\w+)`);
    const queued = Number.parseInt(line.exec(table)?.[1] ?? '0', 16);
    // The sender's FIN counts as one.
    sum += Math.max(0, queued - 1);
  }
  return sum;
}
