import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Closers } from '../../src/lib/closers.ts';
import { whyMissing } from '../peers/missing.ts';
import { type TestCertificates, testCertificates } from '../support/certificates.ts';
import { makeNamespace } from '../support/namespace.ts';
import { type Receiver, type ReceiverOptions, startReceiver } from '../support/receiver.ts';

const lines = (count: number, bytes = 1000) =>
  Array.from({ length: count }, (_, index) => String(index).padEnd(bytes, 'x'));
const asLines = (events: readonly string[]) => events.map((event) => `${event}\n`).join('');

/** How a connection ended for the sender. */
function endOf(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    socket.on('error', (error) => resolve('code' in error ? String(error.code) : error.message));
    socket.on('end', () => resolve('end'));
  });
}

describe.each(['tcp', 'TLSv1.2', 'TLSv1.3'] as const)('a receiver over %s', (transport) => {
  let certificates: TestCertificates;
  let receiver: Receiver;
  let closers: Closers;
  beforeEach(async () => {
    closers = new Closers();
    certificates = await testCertificates();
    await start();
  });
  afterEach(() => closers.close());

  async function start(options: ReceiverOptions = {}) {
    const tls = { pair: certificates.server.good, clientCa: certificates.ca };
    const secured = transport === 'tcp' ? {} : { tls: { ...tls, maxVersion: transport } };
    receiver = closers.add('receiver', await startReceiver({ ...options, ...secured }));
  }

  async function dial(): Promise<Socket> {
    const { host, port } = receiver;
    const secure = { host, port, ca: certificates.ca, ...certificates.client.good, servername: 'localhost' };
    const socket = transport === 'tcp' ? connect(port, host) : connectTls(secure);
    closers.add('socket', { close: () => void socket.destroy() });
    socket.on('error', () => {});
    await once(socket, transport === 'tcp' ? 'connect' : 'secureConnect');
    return socket.resume();
  }

  it('tells what it has read, also while the event loop here is busy, and closes after the sender', async () => {
    const socket = await dial();
    await new Promise((resolve) => socket.write(asLines(lines(3)), resolve));
    const end = endOf(socket);
    const busyUntil = performance.now() + 5000;
    while (receiver.events().length < 3 && performance.now() < busyUntil);
    expect(receiver.events()).toEqual(lines(3));
    socket.end('rest');
    expect(await end).toBe('end');
    expect(receiver.torn()).toEqual(['rest']);
    expect(receiver.connections()).toBe(1);
  });

  it('refuses: closes before, in or after the handshake, and serves those that come later', async () => {
    for (const when of ['accepted', 'begun', 'shaken'] as const) {
      await receiver.behave({ does: 'refuse', when });
      const socket = connect(receiver.port, receiver.host);
      closers.add('socket', { close: () => void socket.destroy() });
      socket.resume();
      if (when === 'accepted') expect(await endOf(socket)).toBe('end');
      if (when === 'accepted' || transport !== 'tcp') continue;
      socket.write('anything');
      expect(await endOf(socket)).toBe('end');
    }
    await receiver.behave({ does: 'read' });
    (await dial()).write(asLines(lines(1)));
    expect(await receiver.until(({ length }) => length > 0)).toEqual(lines(1));
  });

  it('takes octet counting apart', async () => {
    await start({ framing: 'octet-counting' });
    (await dial()).write('4 é\n\n2 b\n');
    expect(await receiver.until(({ length }) => length === 2)).toEqual(['é\n', 'b']);
  });

  it('resets as often as told with something unread, and reads all after that', async () => {
    await receiver.behave({ does: 'reset', everyBytes: 200_000, times: 2, frozenMs: 50 });
    for (const _ of [1, 2]) {
      const before = receiver.events().length;
      const socket = await dial();
      const end = endOf(socket);
      let writing = true;
      let taken = 0;
      void end.then(() => {
        writing = false;
      });
      while (writing) {
        await new Promise((resolve) => socket.write(asLines(lines(100)), resolve));
        if (writing) taken += 100;
      }
      expect(await end).toMatch(/^(ECONNRESET|EPIPE)$/);
      expect(receiver.events().length - before).toBeLessThan(taken);
    }
    const socket = await dial();
    const end = endOf(socket);
    socket.end(asLines(lines(1000)));
    expect(await end).toBe('end');
    // Those of the last connection; what TLS had still to take apart of those before it may have come meanwhile.
    expect(receiver.events().slice(-1000)).toEqual(lines(1000));
  });

  it('resets on command', async () => {
    const socket = await dial();
    const end = endOf(socket);
    socket.write(asLines(lines(1)));
    await receiver.until(({ length }) => length === 1);
    const reset = receiver.reset(50);
    // It answers nothing before it has something to lose.
    let alive = true;
    void end.then(() => {
      alive = false;
    });
    while (alive) await new Promise((resolve) => socket.write(asLines(lines(1)), resolve));
    await reset;
    expect(await end).toMatch(/^(ECONNRESET|EPIPE)$/);
  });

  it('closes by itself once it has read so much', async () => {
    await receiver.behave({ does: 'close', afterBytes: 3000 });
    const socket = await dial();
    const end = endOf(socket);
    socket.write(asLines(lines(1)));
    await receiver.until(({ length }) => length === 1);
    expect(socket.readable).toBe(true);
    socket.write(asLines(lines(2)));
    expect(await end).toBe('end');
    expect(receiver.events()).toHaveLength(3);
  });

  it('reads nothing, though its kernel takes it', async () => {
    await receiver.behave({ does: 'ignore' });
    const socket = await dial();
    const end = endOf(socket);
    await new Promise((resolve) => socket.write(asLines(lines(500)), resolve));
    expect(receiver.events()).toEqual([]);
    await receiver.kill();
    expect(await end).toBe('ECONNRESET');
  });

  it('reads so slowly', async () => {
    await receiver.behave({ does: 'read-slowly', bytesPerSecond: 50_000 });
    const socket = await dial();
    await new Promise((resolve) => socket.write(asLines(lines(500)), resolve));
    const read = await receiver.until(({ length }) => length > 0);
    // The rest would take it ten seconds.
    expect(read.length).toBeLessThan(500);
  });

  it('never closes', async () => {
    await receiver.behave({ does: 'keep-open' });
    const socket = await dial();
    socket.end(asLines(lines(1)));
    await receiver.until(({ length }) => length === 1);
    expect(receiver.torn()).toEqual([]);
    expect(socket.readable).toBe(true);
  });

  it('frozen it reads nothing, killed it resets, started again it stands at the same port', async () => {
    const socket = await dial();
    const end = endOf(socket);
    receiver.freeze();
    await new Promise((resolve) => socket.write(asLines(lines(1)), resolve));
    await receiver.kill();
    expect(await end).toBe('ECONNRESET');
    expect(receiver.events()).toEqual([]);
    await receiver.restart();
    (await dial()).write(asLines(lines(2)));
    expect(await receiver.until(({ length }) => length === 2)).toEqual(lines(2));
  });
});

const missing = whyMissing('network namespaces');

describe.skipIf(missing)(`a receiver that vanishes${missing ? `: ${missing}` : ''}`, () => {
  it('says nothing, and gets what was sent when it is back', async () => {
    const closers = new Closers();
    try {
      const namespace = closers.add('namespace', makeNamespace());
      const receiver = closers.add('receiver', await startReceiver({ namespace }));
      const socket = connect(receiver.port, receiver.host);
      closers.add('socket', { close: () => void socket.destroy() });
      await once(socket, 'connect');
      namespace.vanish();
      await new Promise((resolve) => socket.write('lost?\n', resolve));
      expect(receiver.events()).toEqual([]);
      namespace.heal();
      expect(await receiver.until(({ length }) => length === 1)).toEqual(['lost?']);
    } finally {
      await closers.close();
    }
  });
});
