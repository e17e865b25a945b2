import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Closers } from '../../../src/lib/closers.ts';
import { Acknowledged, type FourTuple, listed } from '../../../src/sinks/syslog/acknowledged.ts';

const never = new AbortController().signal;
const tuple: FourTuple = {
  localAddress: '127.0.0.1',
  localPort: 8080,
  remoteAddress: '10.1.2.3',
  remotePort: 514,
};
const line = (state: string, unacknowledged: string, timer = '00') =>
  `   1: 0100007F:1F90 0302010A:0202 ${state} ${unacknowledged}:00000000 ${timer}:00000000 00000000     0        0 1 1\n`;

// The lists are those of a machine that is little-endian, as all that Node runs on in practice are.
describe('listed()', () => {
  it.each([
    ['an open one with all acknowledged', line('01', '00000000'), {}],
    ['one with bytes under way', line('01', '00000FFF', '01'), { unacknowledgedBytes: 4095 }],
    ['one whose peer is full', line('01', '0000000A', '04'), { unacknowledgedBytes: 10, isFull: true }],
    ['one that the peer has closed', line('08', '00000000'), { isOpen: false, isTheirsOpen: false }],
    ['one that we have closed', line('05', '00000000'), { isOpen: false, isTheirsOpen: true }],
  ])('finds %s', (_, text, expected) => {
    const open = { isOpen: true, isTheirsOpen: true, unacknowledgedBytes: 0, isFull: false };
    expect(listed(`  sl  local_address rem_address\n${text}`, tuple)).toEqual({ ...open, ...expected });
  });

  it('finds none that is not there', () => {
    expect(listed(line('01', '00000000'), { ...tuple, localPort: 8081 })).toBeUndefined();
    expect(listed('', tuple)).toBeUndefined();
  });

  it('knows IPv6, with and without a zone', () => {
    const table =
      '  0: 00000000000000000000000001000000:1F90 B80D0120000000000000000001000000:0202 01 00000000:00000000 00:';
    const v6 = { localAddress: '::1', localPort: 8080, remoteAddress: '2001:db8::1', remotePort: 514 };
    expect(listed(table, v6)).toEqual({
      isOpen: true,
      isTheirsOpen: true,
      unacknowledgedBytes: 0,
      isFull: false,
    });
    expect(listed(table, { ...v6, localAddress: '::1%lo' })).toBeDefined();
  });
});

const failure = (code: string) => Object.assign(new Error(code), { code });

describe('Acknowledged', () => {
  /** Answers with one table after the other, and then with the last one. */
  const reads = (...tables: (string | Error)[]) => {
    const told: string[] = [];
    const files: string[] = [];
    const read = async (file: string) => {
      files.push(file);
      const table = tables.length > 1 ? tables.shift() : tables[0];
      if (table instanceof Error) throw table;
      return table ?? '';
    };
    return { told, files, acknowledged: new Acknowledged((why) => void told.push(why), read) };
  };

  it('waits until all is acknowledged', async () => {
    const { acknowledged, files } = reads(
      line('01', '0000000A'),
      line('01', '00000001'),
      line('01', '00000000'),
    );
    expect(await acknowledged.all(tuple, never)).toBe('acknowledged');
    expect(files).toEqual(Array(3).fill('/proc/self/net/tcp'));
  });

  it('S1: sees an end that the event loop has not yet told of', async () => {
    const { acknowledged } = reads(line('01', '0000000A'), line('08', '00000000'));
    expect(await acknowledged.all(tuple, never)).toBe('ended');
  });

  it('says what is outstanding now, and all of it when it has ended', async () => {
    const { acknowledged } = reads(line('01', '0000000A'), line('08', '00000000'));
    expect((await acknowledged.outstanding(tuple)).unacknowledgedBytes).toBe(10);
    expect((await acknowledged.outstanding(tuple)).unacknowledgedBytes).toBe(Number.POSITIVE_INFINITY);
  });

  it('S2: looks again when the list lacks a connection for once, or cannot be read', async () => {
    const open = line('01', '0000000A');
    const { acknowledged, told } = reads(open, '', open, failure('EMFILE'), '', open, '', '', failure('EIO'));
    for (let look = 0; look < 3; look++)
      expect((await acknowledged.outstanding(tuple)).unacknowledgedBytes).toBe(10);
    // And takes it for outstanding as long as it cannot be found.
    for (let look = 0; look < 3; look++)
      expect((await acknowledged.outstanding(tuple)).unacknowledgedBytes).toBe(Number.POSITIVE_INFINITY);
    expect(told).toEqual([]);
  });

  it('knows nothing to be outstanding where that can never be known', async () => {
    const { acknowledged } = reads(failure('ENOENT'));
    expect((await acknowledged.outstanding(tuple)).unacknowledgedBytes).toBe(0);
  });

  it('does not know for once when the list cannot be read, or lacks what it has shown before', async () => {
    const none = failure('EMFILE');
    const done = line('01', '00000000');
    const { acknowledged, told } = reads(none, none, none, done, '', '', '', done);
    const said: string[] = [];
    for (let look = 0; look < 4; look++) said.push(await acknowledged.all(tuple, never));
    expect(said).toEqual(['unknown', 'acknowledged', 'unknown', 'acknowledged']);
    expect(told).toEqual([]);
    expect(acknowledged.trouble).toBeUndefined();
  });

  it('waits no longer than its signal', async () => {
    const { acknowledged } = reads(line('01', '0000000A'));
    const stop = new AbortController();
    const waiting = acknowledged.all(tuple, stop.signal);
    stop.abort();
    await expect(waiting).rejects.toThrow();
  });

  it.each([
    ['there is no such file', failure('ENOENT')],
    ['it is not for us', failure('EACCES')],
    ['our connections are not in it', line('01', '00000000').replace('1F90', '1F91')],
  ])('says once that the kernel cannot be asked: %s', async (_, answer) => {
    const { acknowledged, told, files } = reads(answer);
    expect(await acknowledged.all(tuple, never)).toBe('unknown');
    expect(told).toEqual([acknowledged.trouble]);
    const asked = files.length;
    expect(await acknowledged.all(tuple, never)).toBe('unknown');
    expect(told).toHaveLength(1);
    expect(files).toHaveLength(asked);
  });

  describe.runIf(process.platform === 'linux')('of a real kernel', () => {
    let closers: Closers;
    beforeEach(() => {
      closers = new Closers();
    });
    afterEach(() => closers.close());

    async function connected(address: string, allowHalfOpen = false) {
      const server = createServer({ allowHalfOpen: true }, (peer) => void peer.on('error', () => {}).pause());
      server.listen(0, address);
      await once(server, 'listening');
      const accepted = once(server, 'connection');
      const port = server.address();
      const socket = connect({
        port: typeof port === 'object' && port ? port.port : 0,
        host: address,
        allowHalfOpen,
      });
      await once(socket, 'connect');
      const [peer] = await accepted;
      closers.add('connection', {
        close: async () => {
          socket.destroy();
          peer.destroy();
          await new Promise((resolve) => server.close(resolve));
        },
      });
      const { localAddress, localPort, remoteAddress, remotePort } = socket;
      return { socket, peer, tuple: { localAddress, localPort, remoteAddress, remotePort } as FourTuple };
    }

    it.each(['127.0.0.1', '::1'])('knows what is acknowledged over %s', async (address) => {
      const { socket, tuple: own } = await connected(address);
      const told: string[] = [];
      const acknowledged = new Acknowledged((why) => void told.push(why));
      expect(await acknowledged.all(own, never)).toBe('acknowledged');
      await new Promise((resolve) => socket.write(Buffer.alloc(10_000), resolve));
      expect(await acknowledged.all(own, never)).toBe('acknowledged');
      // More than the two kernels take, unread.
      socket.write(Buffer.alloc(50_000_000));
      const stop = new AbortController();
      const waiting = acknowledged.all(own, stop.signal);
      const first = await Promise.race([waiting, sleep(200, 'nothing yet')]);
      expect(first).toBe('nothing yet');
      stop.abort();
      await expect(waiting).rejects.toThrow();
      expect(told).toEqual([]);
    });

    it('knows that the peer has closed', async () => {
      const { peer, tuple: own } = await connected('127.0.0.1', true);
      await new Promise<void>((resolve) => peer.end(resolve));
      await expect.poll(() => new Acknowledged(() => {}).all(own, never)).toBe('ended');
    });
  });
});
