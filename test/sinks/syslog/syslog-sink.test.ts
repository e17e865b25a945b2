import { X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UnavailableError } from '../../../src/core/errors.ts';
import type { Log } from '../../../src/core/log.ts';
import type { Receipt, Sink } from '../../../src/core/sink.ts';
import { Closers } from '../../../src/lib/closers.ts';
import { isAbort } from '../../../src/lib/wait.ts';
import { Acknowledged } from '../../../src/sinks/syslog/acknowledged.ts';
import type { Connect } from '../../../src/sinks/syslog/connection.ts';
import { frame, framings } from '../../../src/sinks/syslog/frame.ts';
import { Hosts, hostOf } from '../../../src/sinks/syslog/hosts.ts';
import { syslog } from '../../../src/sinks/syslog/index.ts';
import { roomOf, START } from '../../../src/sinks/syslog/pace.ts';
import { rfc5424 } from '../../../src/sinks/syslog/rfc5424.ts';
import { SyslogSink, type SyslogSinkOptions } from '../../../src/sinks/syslog/syslog-sink.ts';
import { overTcp } from '../../../src/sinks/syslog/transports/tcp.ts';

import { describeSinkContract, rendered } from '../../contracts/sink.contract.ts';
import { testCertificates } from '../../support/certificates.ts';
import { type ClosingPeer, startClosingPeer } from '../../support/closing-peer.ts';
import {
  type Collector,
  closeAfter,
  neverClose,
  neverRead,
  readAll,
  resetAfter,
  type Script,
  slow,
  startCollector,
  startDeaf,
  startUdpCollector,
} from '../../support/collectors.ts';

const never = new AbortController().signal;
const WINDOW = roomOf(START);
const log: Log = { debug() {}, info() {}, warn() {}, error() {} };

function aSink(port: number, settings: object = {}, timeoutMs = 10_000): Sink {
  const parsed = syslog.schema.parse({ type: 'syslog', host: '127.0.0.1', port, ...settings });
  return syslog.create(parsed, { name: 'siem', log, timeoutMs });
}

/** A sink whose waits and clock are not the config's. */
function bareSink(port: number, changes: Partial<SyslogSinkOptions>): SyslogSink {
  const clock = changes.clock ?? (() => performance.now());
  const names = { facility: 'local0', hostName: 'relay', appName: 'defender-relay' } as const;
  return new SyslogSink({
    hosts: new Hosts([hostOf('127.0.0.1', port)], overTcp('lf', 10_000), log, clock),
    header: (fields) => rfc5424(names, fields),
    confirm: { by: 'close', everyMs: 60_000, afterMs: 60_000 },
    maxMessageBytes: Number.MAX_SAFE_INTEGER,
    timeoutMs: 10_000,
    acknowledged: new Acknowledged(() => {}),
    clock,
    log,
    ...changes,
  });
}

for (const framing of framings) {
  describeSinkContract(`syslog tcp ${framing}`, { confirmsAtOnce: false }, async () => {
    const collector = await startCollector(framing);
    return {
      sink: aSink(collector.port, { framing }),
      arrived: () => collector.events,
      breakDown: () => collector.resetAll(),
      mend: () => {},
      stop: () => collector.close(),
    };
  });
}

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  describeSinkContract(`syslog tls ${version}`, { confirmsAtOnce: false }, async () => {
    const { server } = await testCertificates();
    const tls = { ...server.good, minVersion: version, maxVersion: version };
    const collector = await startCollector('octet-counting', { tls });
    const pin = new X509Certificate(server.good.cert).fingerprint256;
    return {
      sink: aSink(collector.port, { transport: 'tls', tls: { fingerprint: pin } }),
      arrived: () => collector.events,
      breakDown: () => collector.resetAll(),
      mend: () => {},
      stop: () => collector.close(),
    };
  });
}

describeSinkContract('syslog udp', { confirmsAtOnce: true, promisesNothing: true }, async () => {
  const collector = await startUdpCollector();
  return {
    sink: aSink(collector.port, { transport: 'udp' }),
    arrived: () => collector.events,
    breakDown: () => void collector.stop(),
    mend: () => void collector.start(),
    stop: () => collector.stop(),
  };
});

for (const by of ['delay', 'none'] as const) {
  describeSinkContract(
    `syslog confirmed by ${by}`,
    { confirmsAtOnce: by === 'none', promisesNothing: true },
    async () => {
      const collector = await startCollector();
      return {
        sink: bareSink(collector.port, { confirm: { by, everyMs: 60_000, afterMs: 20 } }),
        arrived: () => collector.events,
        breakDown: () => collector.resetAll(),
        mend: () => {},
        stop: () => collector.close(),
      };
    },
  );
}

describe('SyslogSink', () => {
  let closers: Closers;
  beforeEach(() => {
    closers = new Closers();
  });
  afterEach(() => closers.close());

  /** A receiver, and an open sink that sends to it. */
  async function start(
    options: { script?: Parameters<Collector['play']>[0]; settings?: object; timeoutMs?: number } = {},
  ) {
    const collector = closers.add('collector', await startCollector('lf', options));
    const sink = closers.add('sink', aSink(collector.port, options.settings, options.timeoutMs));
    await sink.open(never);
    return { collector, sink };
  }

  const messages = (sink: Sink, batch = rendered(1)) =>
    batch.flatMap((one) => sink.messages(one).map(String));

  it('S5: many batches go over one connection, and a confirmation costs one more', async () => {
    const { collector, sink } = await start();
    for (let confirmation = 0; confirmation < 3; confirmation++) {
      for (let batch = 0; batch < 20; batch++)
        await sink.send(rendered(5, confirmation * 100 + batch * 5 + 1), never);
      await sink.confirm(never);
    }
    expect(collector.events).toHaveLength(300);
    expect(collector.connections).toBeLessThanOrEqual(3 + 1);
  });

  it('asks for a confirmation by itself, some time after the first unconfirmed byte', async () => {
    const { sink } = await start({ settings: { confirm: { every: '100ms' } } });
    const { confirmed } = await sink.send(rendered(1), never);
    expect(await confirmed).toEqual({ refused: [] });
  });

  it('asks for a confirmation by itself when the window is full', async () => {
    const { collector, sink } = await start({ settings: { confirm: { every: '5m' } } });
    const big = rendered(WINDOW.bytes / 8192, 1, (number) => String(number).padEnd(8192, 'x'));
    const { confirmed } = await sink.send(big, never);
    expect(sink.window()).toEqual({ records: 0, bytes: 0 });
    await confirmed;
    expect(collector.events).toHaveLength(big.length);
  });

  it('tells its room, and has all of it again after a confirmation', async () => {
    const { sink } = await start();
    expect(sink.window()).toEqual(WINDOW);
    await sink.send(rendered(10), never);
    const { records, bytes } = sink.window();
    expect(records).toBe(WINDOW.records - 10);
    expect(bytes).toBe(WINDOW.bytes - messages(sink, rendered(10)).join('\n').length - 1);
    const confirming = sink.confirm(never);
    expect(sink.window()).toEqual({ records: 0, bytes: 0 });
    await confirming;
    expect(sink.window()).toEqual(WINDOW);
  });

  it('sends what is larger than the window alone, and whole', async () => {
    const { collector, sink } = await start();
    const small = await sink.send(rendered(1), never);
    const huge = rendered(1, 2, () => 'x'.repeat(3 * WINDOW.bytes));
    const large = await sink.send(huge, never);
    // It had to wait for the confirmation of what was written before.
    expect(await small.confirmed).toEqual({ refused: [] });
    expect(await large.confirmed).toEqual({ refused: [] });
    expect(collector.events).toEqual(messages(sink, [...rendered(1), ...huge]));
  });

  it('sends that come during a confirmation wait for it, and go on the next connection', async () => {
    const { collector, sink } = await start();
    const first = await sink.send(rendered(1), never);
    const order: string[] = [];
    void first.confirmed.then(() => order.push('confirmed'));
    const confirming = sink.confirm(never);
    const second = sink.send(rendered(1, 2), never).then(() => order.push('sent'));
    await Promise.all([confirming, second]);
    expect(order).toEqual(['confirmed', 'sent']);
    await sink.confirm(never);
    expect(collector.events).toEqual(messages(sink, rendered(2)));
  });

  it.each(['tcp', 'tls'] as const)(
    'S1: with a receiver over %s that resets five times, nothing is confirmed that it has not read',
    async (transport) => {
      const { server } = await testCertificates();
      const isTls = transport === 'tls';
      const collector = closers.add(
        'collector',
        await startCollector('lf', isTls ? { tls: server.good } : {}),
      );
      const tls = { fingerprint: new X509Certificate(server.good.cert).fingerprint256 };
      const settings = { transport, framing: 'lf', confirm: { every: '100ms' }, ...(isTls && { tls }) };
      const sink = closers.add('sink', aSink(collector.port, settings));
      await sink.open(never);
      const text = (number: number) => `event ${number} `.padEnd(2000, 'x');
      const confirmed: string[] = [];
      let resets = 0;
      let from = 1;
      // In the middle of what a confirmation would cover, each time somewhere else, with the rest unread.
      collector.play((peer) => {
        if (resets === 5) return;
        const bytes = 20_000 + 13_777 * resets;
        peer.afterBytes(bytes, () => {
          resets += 1;
        });
        resetAfter(bytes)(peer);
      });
      collector.resetAll();
      while (confirmed.length < 500) {
        // As the pipeline does: from the first unconfirmed record, again and again.
        try {
          await sink.open(never);
          while (confirmed.length < 500) {
            const batch = rendered(25, from, text);
            const receipts = [sink.send(batch, never), sink.send(rendered(25, from + 25, text), never)];
            const sent = await Promise.all(receipts);
            await sink.confirm(never);
            await Promise.all(sent.map((receipt) => receipt.confirmed));
            confirmed.push(...messages(sink, rendered(50, from, text)));
            from += 50;
          }
        } catch (error) {
          expect(error).toBeInstanceOf(UnavailableError);
        }
      }
      expect(resets).toBe(5);
      const read = new Set(collector.events);
      expect(confirmed.filter((event) => !read.has(event))).toEqual([]);
    },
  );

  it('S1: a reset rejects all that is unconfirmed, and what waits behind it', async () => {
    const { sink } = await start({ script: resetAfter(1) });
    const receipts: Receipt[] = [];
    const failure = await (async () => {
      for (let number = 1; ; number++) {
        receipts.push(await sink.send(rendered(1, number), never));
        await sleep(1);
      }
    })().catch((error: unknown) => error);
    expect(String(failure)).toMatch(/127\.0\.0\.1:\d+.*(reset|closed) the connection/);
    for (const { confirmed } of receipts) await expect(confirmed).rejects.toThrow(UnavailableError);
  });

  it('S1: a receiver that closes by itself confirms nothing', async () => {
    const { sink } = await start({ script: closeAfter(1) });
    const { confirmed } = await sink.send(rendered(1), never);
    await expect(confirmed).rejects.toThrow('closed the connection');
  });

  it('names what is left for a receiver that ends its own side at once', async () => {
    const { collector, sink } = await start({ script: ({ socket }) => void socket.end() });
    const failure = await (async () => {
      for (let number = 1; ; number++) {
        const { confirmed } = await sink.send(rendered(1, number), never);
        await sink.confirm(never);
        await confirmed;
      }
    })().catch((error: unknown) => error);
    expect(String(failure)).toContain('confirm.by: none');
    const none = closers.add('sink', aSink(collector.port, { confirm: { by: 'none' } }));
    for (let number = 1; number <= 5; number++) {
      await none.open(never);
      await none.send(rendered(1, number), never);
    }
    await collector.until(() => new Set(collector.events).size === 5);
  });

  it('a receiver that closes an idle connection costs nothing', async () => {
    const { collector, sink } = await start();
    const first = await sink.send(rendered(1), never);
    await sink.confirm(never);
    await first.confirmed;
    const ended = new Promise((resolve) =>
      collector.play((peer) => {
        peer.socket.once('close', resolve);
        peer.socket.end();
      }),
    );
    // The connection opened in advance is there already; make the sink open one that is closed on it.
    await sink.close();
    await sink.open(never);
    await ended;
    collector.play(() => {});
    const second = await sink.send(rendered(1, 2), never);
    await sink.confirm(never);
    await second.confirmed;
    expect(collector.events).toEqual(messages(sink, rendered(2)));
  });

  it('S2: a receiver that never reads is given up after the time-out', async () => {
    const { sink } = await start({ script: neverRead, timeoutMs: 200 });
    const { confirmed } = await sink.send(rendered(1), never);
    await expect(sink.confirm(never)).rejects.toThrow('within the time-out');
    await expect(confirmed).rejects.toMatchObject({ reason: 'timeout' });
  });

  it('S2: a receiver that never closes is given up after the time-out', async () => {
    const { collector, sink } = await start({ script: neverClose, timeoutMs: 200 });
    const { confirmed } = await sink.send(rendered(1), never);
    await expect(sink.confirm(never)).rejects.toThrow('never answer a close');
    await expect(confirmed).rejects.toThrow(UnavailableError);
    expect(collector.events).toHaveLength(1);
  });

  it('waits for a slow receiver to have read all', async () => {
    const { collector, sink } = await start({ script: slow(2) });
    const batch = rendered(30, 1, (number) => String(number).padEnd(60_000, 'x'));
    const { confirmed } = await sink.send(batch, never);
    await sink.confirm(never);
    await confirmed;
    expect(collector.events).toHaveLength(30);
  });

  it('S13: a write that is stuck is let go by the signal, and its half does not end in good order', async () => {
    const { promise: accepted, resolve: accept } = Promise.withResolvers<Socket>();
    const { collector, sink } = await start({
      script: (peer) => {
        neverRead(peer);
        accept(peer.socket);
      },
    });
    const stop = new AbortController();
    const huge = rendered(1, 1, () => 'x'.repeat(20_000_000));
    const sending = sink.send(huge, stop.signal);
    const socket = await accepted;
    await expect.poll(() => socket.readableLength, { timeout: 10_000 }).toBeGreaterThan(0);
    stop.abort();
    await expect(sending).rejects.toSatisfy(isAbort);
    socket.resume();
    await collector.until(() => collector.open === 0);
    expect(collector.torn).toEqual([]);
    await expect(sink.send(rendered(1), never)).rejects.toThrow('abandoned');
  });

  it('a send that waits for a confirmation is let go by its signal, and the confirmation goes on', async () => {
    const { collector, sink } = await start();
    const first = await sink.send(rendered(1), never);
    const confirming = sink.confirm(never);
    const stop = new AbortController();
    const waiting = sink.send(rendered(1, 2), stop.signal);
    stop.abort();
    await expect(waiting).rejects.toSatisfy(isAbort);
    await confirming;
    await first.confirmed;
    expect(collector.events).toEqual(messages(sink, rendered(1)));
  });

  it('close() ends a confirmation that is under way', async () => {
    const { sink } = await start({ script: neverClose });
    const { confirmed } = await sink.send(rendered(1), never);
    const confirming = sink.confirm(never);
    const outcomes = [expect(confirming).rejects, expect(confirmed).rejects];
    await sleep(40);
    await sink.close();
    for (const outcome of outcomes) await outcome.toThrow('is closed');
  });

  it('S4: a line feed inside an event does not make a second one', async () => {
    const { collector, sink } = await start();
    await sink.send(
      rendered(2, 1, () => 'CEF:0|a|\n<131>1 - - - - - - CEF:0|forged'),
      never,
    );
    await sink.confirm(never);
    expect(collector.events).toHaveLength(2);
    expect(collector.events[0]).toMatch(/^<131>1 2025.*CEF:0\|a\| <131>1.*forged$/);
  });

  it.each([
    ['refused', '127.0.0.1', /127\.0\.0\.1:\d+ failed: nothing listens there.*ECONNREFUSED/],
    ['IPv6', '::1', /\[::1\]:\d+ failed: /],
  ])('open() tells where and why: %s', async (_, host, expected) => {
    const collector = await startCollector();
    await collector.close();
    const sink = closers.add('sink', aSink(collector.port, { host }));
    const failure = await sink.open(never).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(UnavailableError);
    expect(String(failure)).toMatch(expected);
  });

  it('S2: connecting ends with the time-out, and with the signal', async () => {
    const deaf = closers.add('deaf', await startDeaf());
    const sink = closers.add('sink', aSink(deaf.port, {}, 100));
    const failure = await sink.open(never).catch((error: unknown) => error);
    expect(failure).toMatchObject({ name: 'UnavailableError', reason: 'timeout' });
    expect(String(failure)).toContain('no answer within 90 ms');
    const patient = closers.add('sink', aSink(deaf.port));
    const stop = new AbortController();
    const opening = patient.open(stop.signal);
    await sleep(10);
    stop.abort();
    await expect(opening).rejects.toSatisfy(isAbort);
  });

  it('close() ends a connect that is under way', async () => {
    const deaf = closers.add('deaf', await startDeaf());
    const sink = aSink(deaf.port);
    const opening = sink.open(never);
    const outcome = expect(opening).rejects.toThrow(UnavailableError);
    await sleep(10);
    await sink.close();
    await outcome;
  });
});

describe('a syslog sink and what its receiver can take', () => {
  let closers: Closers;
  let said: string[];
  const tell = (_: object, message: string) => void said.push(message);
  beforeEach(() => {
    closers = new Closers();
    said = [];
  });
  afterEach(() => closers.close());

  const HOUR_MS = 3_600_000;

  async function start(script: Script, timeoutMs = 150) {
    const collector = closers.add('collector', await startCollector('lf', { script }));
    const time = { ms: 0 };
    const sink = closers.add(
      'sink',
      bareSink(collector.port, {
        timeoutMs,
        clock: () => performance.now() + time.ms,
        confirm: { by: 'close', everyMs: 60_000, afterMs: 50 },
        log: { debug: tell, info: tell, warn: tell, error: tell },
      }),
    );
    return { collector, sink, time };
  }

  /** As the pipeline does. */
  async function deliver(sink: Sink, count: number, from = 1) {
    await sink.open(never);
    const receipt = await sink.send(
      rendered(count, from, (number) => String(number).padEnd(500, 'x')),
      never,
    );
    await sink.confirm(never);
    return receipt.confirmed;
  }

  it('S2: gives a receiver that does not confirm less and less, down to one record', async () => {
    const { sink } = await start(neverClose);
    const rooms = [];
    for (let count = 8; count >= 1; count = Math.floor(count / 2)) {
      await expect(deliver(sink, count)).rejects.toMatchObject({ reason: 'timeout' });
      rooms.push(sink.window().records);
    }
    expect(rooms).toEqual([10_000, 10_000, 10_000, 1]);
    expect(sink.window()).toEqual({ records: 1, bytes: 1 });
  });

  it('S2: a receiver that never closes is told, confirmed by delay, and tried again with one record an hour', async () => {
    const { collector, sink, time } = await start(neverClose);
    for (let attempt = 0; attempt < 3; attempt++) await expect(deliver(sink, 1)).rejects.toThrow('time-out');
    expect(sink.notes()).toEqual([expect.stringContaining('unconfirmable')]);
    expect(said.filter((message) => message.includes('unconfirmable'))).toHaveLength(1);
    // By delay, and in any number.
    expect(sink.window().records).toBeGreaterThan(10_000);
    expect(await deliver(sink, 20)).toEqual({ refused: [] });
    expect(await deliver(sink, 20, 21)).toEqual({ refused: [] });
    // After an hour one record, that nothing else waits for.
    time.ms += HOUR_MS;
    expect(sink.window()).toEqual({ records: 1, bytes: 1 });
    await expect(deliver(sink, 1, 41)).rejects.toThrow('time-out');
    expect(said.filter((message) => message.includes('unconfirmable'))).toHaveLength(2);
    expect(await deliver(sink, 20, 41)).toEqual({ refused: [] });
    // And it has come to its senses.
    collector.play(readAll);
    await sink.close();
    time.ms += HOUR_MS;
    expect(await deliver(sink, 1, 61)).toEqual({ refused: [] });
    expect(sink.notes()).toEqual([]);
    expect(said.at(-1)).toContain('after all');
  });

  it('S2: what was written before the hour is over is confirmed by delay before one record is tried', async () => {
    const { sink, time } = await start(neverClose);
    for (let attempt = 0; attempt < 3; attempt++) await expect(deliver(sink, 1)).rejects.toThrow('time-out');
    await sink.open(never);
    const { confirmed } = await sink.send(rendered(5), never);
    time.ms += HOUR_MS;
    expect(sink.window()).toEqual({ records: 0, bytes: 0 });
    await sink.confirm(never);
    expect(await confirmed).toEqual({ refused: [] });
    expect(sink.window()).toEqual({ records: 1, bytes: 1 });
  });

  it('S2: confirms over a line on which the quiet time is longer than the time-out', async () => {
    const collector = closers.add('collector', await startCollector());
    const connect: Connect = async (host, signal) => {
      const connection = await overTcp('lf', 10_000)(host, signal);
      Object.defineProperty(connection, 'connectMs', { value: 150 });
      return connection;
    };
    const hosts = new Hosts([hostOf('127.0.0.1', collector.port)], connect, log, () => performance.now());
    const sink = closers.add('sink', bareSink(collector.port, { hosts, timeoutMs: 250 }));
    await sink.open(never);
    const { confirmed } = await sink.send(
      rendered(32, 1, () => 'x'.repeat(8000)),
      never,
    );
    await sink.confirm(never);
    expect(await confirmed).toEqual({ refused: [] });
  });

  it('gives one that confirms soon more and more', async () => {
    const { sink } = await start(readAll, 10_000);
    await sink.open(never);
    for (const factor of [1, 2, 4]) {
      expect(sink.window().bytes).toBe(factor * WINDOW.bytes);
      // A little less than fits, with the headers.
      const { confirmed } = await sink.send(
        rendered(factor * 32, 1, () => 'x'.repeat(8000)),
        never,
      );
      await sink.confirm(never);
      await confirmed;
    }
  });

  it('S2: a write that the receiver leaves stuck for too long counts as a time-out', async () => {
    const { sink } = await start(neverRead, 10_000);
    await sink.open(never);
    const overdue = new AbortController();
    const sending = sink.send(
      rendered(50, 1, () => 'x'.repeat(1_000_000)),
      overdue.signal,
    );
    await sleep(50);
    overdue.abort(new DOMException('time is over', 'TimeoutError'));
    await expect(sending).rejects.toSatisfy(isAbort);
    expect(sink.window().bytes).toBe(WINDOW.bytes / 2);
  });

  it('by delay: confirms what was written long enough ago, in order, and loses what was not', async () => {
    const collector = closers.add('collector', await startCollector());
    const sink = closers.add(
      'sink',
      bareSink(collector.port, { confirm: { by: 'delay', everyMs: 1, afterMs: 300 } }),
    );
    await sink.open(never);
    const first = await sink.send(rendered(1), never);
    await first.confirmed;
    const second = await sink.send(rendered(1, 2), never);
    collector.resetAll();
    await expect(second.confirmed).rejects.toThrow(UnavailableError);
    expect(collector.connections).toBe(1);
  });

  it('by delay: has a window of its own, of what was sent within the time', async () => {
    const collector = closers.add('collector', await startCollector());
    const confirm = { by: 'delay', everyMs: 1, afterMs: 200 } as const;
    const sink = closers.add('sink', bareSink(collector.port, { confirm }));
    await sink.open(never);
    const whole = sink.window();
    expect(whole).toMatchObject({ isOwnBound: true, bytes: 16 * 2 ** 20 });
    const batch = rendered(10, 1, () => 'x'.repeat(100_000));
    const first = await sink.send(batch, never);
    await sleep(100);
    await sink.send(batch, never);
    expect(whole.bytes - sink.window().bytes).toBeGreaterThan(2_000_000);
    await first.confirmed;
    // The second is not.
    expect(whole.bytes - sink.window().bytes).toBeGreaterThan(1_000_000);
    await sink.confirm(never);
    expect(sink.window()).toEqual(whole);
  });

  describe('S2: by delay: before a stop', () => {
    async function written(script: Script, afterMs: number, isTls = false) {
      const { server } = await testCertificates();
      const options = { script, ...(isTls && { tls: server.good }) };
      const collector = closers.add('collector', await startCollector('lf', options));
      const confirm = { by: 'delay', after: `${afterMs}ms` };
      const tls = { fingerprint: new X509Certificate(server.good.cert).fingerprint256 };
      const secure = isTls && { transport: 'tls', framing: 'lf', tls };
      const sink = closers.add('sink', aSink(collector.port, { confirm, ...secure }));
      await sink.open(never);
      const { confirmed } = await sink.send(rendered(20), never);
      return { collector, sink, confirmed };
    }
    const LONG_MS = 60_000;
    const last = { isLast: true };

    it.each([
      ['tcp', false],
      ['tls', true],
    ])('a receiver over %s that answers a close has read all', async (_, isTls) => {
      const { collector, sink, confirmed } = await written(readAll, LONG_MS, isTls);
      await sink.confirm(never, last);
      expect(await confirmed).toEqual({ refused: [] });
      expect(collector.events).toHaveLength(20);
    });

    it('also while an earlier confirmation is being waited for', async () => {
      const { sink, confirmed } = await written(readAll, LONG_MS);
      const earlier = sink.confirm(never);
      await sink.confirm(never, last);
      await earlier;
      expect(await confirmed).toEqual({ refused: [] });
    });

    it('one that does not answer is confirmed by the delay', async () => {
      const { sink, confirmed } = await written(neverClose, 1_000);
      await sink.confirm(never, last);
      expect(await confirmed).toEqual({ refused: [] });
    });

    it('one that does not answer in time is not confirmed', async () => {
      const { sink, confirmed } = await written(neverClose, LONG_MS);
      const grace = AbortSignal.timeout(200);
      await expect(sink.confirm(grace, last)).rejects.toSatisfy(isAbort);
      await sink.close();
      await expect(confirmed).rejects.toThrow(UnavailableError);
    });

    it('one that answers by a reset has not read all', async () => {
      const { collector, sink, confirmed } = await written(neverRead, LONG_MS);
      const ending = sink.confirm(never, last);
      await sleep(100);
      collector.resetAll();
      await expect(ending).rejects.toThrow(UnavailableError);
      await expect(confirmed).rejects.toThrow(UnavailableError);
    });
  });

  it('S2: goes on where the kernel cannot be asked what is acknowledged, and says so', async () => {
    const none = Object.assign(new Error('ENOENT: no such file'), { code: 'ENOENT' });
    const collector = closers.add('collector', await startCollector());
    const acknowledged = new Acknowledged(
      () => {},
      () => Promise.reject(none),
    );
    const sink = closers.add('sink', bareSink(collector.port, { acknowledged }));
    expect(sink.notes()).toEqual([]);
    expect(await deliver(sink, 1)).toEqual({ refused: [] });
    expect(sink.notes()).toEqual([expect.stringMatching(/kernel cannot be asked.*ENOENT/)]);
  });

  it.each([
    ['is there and does not read is told and waited for', true],
    ['has vanished is given up after the time-out', false],
  ])('S2: by delay: a receiver that %s', async (_, isFull) => {
    const collector = closers.add('collector', await startCollector());
    const acknowledged = new Acknowledged(() => {});
    const found = { unacknowledgedBytes: 1, isFull };
    acknowledged.outstanding = async () => found;
    const confirm = { by: 'delay', everyMs: 1, afterMs: 10 } as const;
    const sink = closers.add(
      'sink',
      bareSink(collector.port, {
        acknowledged,
        confirm,
        timeoutMs: 100,
        log: { ...log, info: tell, error: tell },
      }),
    );
    await sink.open(never);
    const { confirmed } = await sink.send(rendered(1), never);
    if (!isFull) {
      await expect(confirmed).rejects.toMatchObject({ reason: 'timeout' });
      return;
    }
    await expect.poll(() => sink.notes()).toEqual([expect.stringContaining('has stopped reading')]);
    expect(said.filter((message) => message.includes('has stopped reading'))).toHaveLength(1);
    found.unacknowledgedBytes = 0;
    expect(await confirmed).toEqual({ refused: [] });
    expect(sink.notes()).toEqual([]);
    expect(said.at(-1)).toContain('reads again');
  });

  it('S2: by delay: does not take for confirmed what a receiver that vanished has not acknowledged', async () => {
    const collector = closers.add('collector', await startCollector());
    let outstanding = 1;
    let asked = 0;
    const acknowledged = new Acknowledged(() => {});
    acknowledged.outstanding = async () => {
      asked += 1;
      return { unacknowledgedBytes: outstanding, isFull: false };
    };
    const sink = closers.add(
      'sink',
      bareSink(collector.port, { acknowledged, confirm: { by: 'delay', everyMs: 1, afterMs: 10 } }),
    );
    await sink.open(never);
    const { confirmed } = await sink.send(rendered(1), never);
    let isConfirmed = false;
    void confirmed.then(() => {
      isConfirmed = true;
    });
    await expect.poll(() => asked).toBeGreaterThan(2);
    expect(isConfirmed).toBe(false);
    outstanding = 0;
    expect(await confirmed).toEqual({ refused: [] });
  });
});

describe('a syslog sink with several hosts', () => {
  let closers: Closers;
  beforeEach(() => {
    closers = new Closers();
  });
  afterEach(() => closers.close());

  async function deliver(sink: Sink, from: number) {
    await sink.open(never);
    const { confirmed } = await sink.send(rendered(2, from), never);
    await sink.confirm(never);
    return confirmed;
  }

  it('goes on with the next when one fails, and back when that is there again, never with both at a time', async () => {
    const first = closers.add('first', await startCollector());
    const second = closers.add('second', await startCollector());
    const time = { ms: 0 };
    const clock = () => performance.now() + time.ms;
    const hosts = new Hosts(
      [hostOf('127.0.0.1', first.port), hostOf('127.0.0.1', second.port)],
      overTcp('lf', 1000),
      log,
      clock,
    );
    const sink = closers.add('sink', bareSink(0, { hosts, clock }));
    await deliver(sink, 1);
    expect([first.events.length, second.events.length]).toEqual([2, 0]);
    // The first breaks with something unconfirmed on it: all of that goes to the second.
    await sink.open(never);
    const { confirmed } = await sink.send(rendered(2, 3), never);
    first.play(({ socket }) => void socket.destroy());
    first.resetAll();
    await expect(confirmed).rejects.toThrow(UnavailableError);
    await deliver(sink, 3);
    await deliver(sink, 5);
    expect(second.events).toHaveLength(4);
    // It is back: looked for after a while, and used once what is unconfirmed is confirmed.
    first.play(readAll);
    time.ms += 60_000;
    const before = first.connections;
    const last = await sink.send(rendered(1, 7), never);
    await sink.confirm(never);
    await last.confirmed;
    expect(second.events).toHaveLength(5);
    await first.until(() => first.connections > before);
    await expect.poll(() => hosts.isBest(hostOf('127.0.0.1', second.port), never)).toBe(false);
    const count = first.events.length;
    await deliver(sink, 8);
    await deliver(sink, 10);
    expect(first.events.length).toBeGreaterThan(count);
    await deliver(sink, 12);
    expect(second.events.length).toBeLessThanOrEqual(7);
    expect(first.events.at(-1)).toContain('event 13');
  });

  it('S3: with a first one that hangs, gives the second all the room it had, and comes back to the first less and less often', async () => {
    const hung = closers.add('hung', await startCollector('lf', { script: neverRead }));
    const well = closers.add('well', await startCollector());
    const time = { ms: 0 };
    const clock = () => performance.now() + time.ms;
    const list = [hostOf('127.0.0.1', hung.port), hostOf('127.0.0.1', well.port)];
    const hosts = new Hosts(list, overTcp('lf', 1000), log, clock);
    const sink = closers.add('sink', bareSink(0, { hosts, clock, timeoutMs: 150 }));
    const failed: number[] = [];
    for (let minute = 0; minute < 10; minute++) {
      const connections = hung.connections;
      for (;;) {
        await sink.open(never);
        const { confirmed } = await sink.send(rendered(2, minute), never);
        await sink.confirm(never).catch(() => {});
        const isThrough = await confirmed.then(
          () => true,
          () => false,
        );
        if (isThrough) break;
        failed.push(minute);
      }
      expect(sink.window()).toEqual(WINDOW);
      time.ms += 60_000;
      // Looking for the first is done aside.
      if (hosts.isBest(list[1]!, never) && hung.connections > connections) await sleep(20);
    }
    expect(failed.length).toBeLessThanOrEqual(4);
  });
});

describe('S1: a receiver that closes by itself around our last write', () => {
  let peer: ClosingPeer;
  beforeEach(async () => {
    peer = await startClosingPeer();
  });
  afterEach(() => peer.stop());

  const block = (ms: number) => {
    const until = performance.now() + ms;
    while (performance.now() < until);
  };

  // Before it, at about the same time, long after it, and after our FIN.
  const offsets = [...Array.from({ length: 40 }, (_, index) => 2 + index / 4), -80, -90, -100];

  it('is not taken for one that has read all, though our event loop is busy meanwhile', async () => {
    const CLOSES_AFTER_MS = 6;
    const sink = aSink(peer.port);
    const batches = [rendered(20), rendered(20, 21)];
    const all = batches.flat().flatMap((one) => [...sink.messages(one)]);
    const outcomes = { confirmed: 0, rejected: 0 };
    for (const [attempt, offset] of offsets.entries()) {
      peer.closeAfter(offset < 0 ? -offset : CLOSES_AFTER_MS);
      await sink.open(never);
      const receipts = [await sink.send(batches[0]!, never)];
      block(offset);
      // From here to the end of the second block our event loop does not turn: the peer's FIN waits in the kernel, and
      // the quiet time passes without a look at it.
      const last = sink.send(batches[1]!, never).then((receipt) => {
        receipts.push(receipt);
        return sink.confirm(never);
      });
      for (let hop = 0; hop < 50; hop++) await undefined;
      await new Promise(process.nextTick);
      for (let hop = 0; hop < 50; hop++) await undefined;
      block(50);
      const confirmed = await last.then(
        () => Promise.all(receipts.map((receipt) => receipt.confirmed)).then(() => true),
        () => false,
      );
      outcomes[confirmed ? 'confirmed' : 'rejected'] += 1;
      await sink.close();
      const read = await peer.read(attempt);
      if (confirmed) expect(read).toBe(frame(all, 'lf').length);
    }
    expect(outcomes.rejected).toBeGreaterThan(0);
    expect(outcomes.confirmed).toBeGreaterThan(0);
  });
});
