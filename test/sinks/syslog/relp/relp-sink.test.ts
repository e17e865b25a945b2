import { X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { UnavailableError } from '../../../../src/core/errors.ts';
import type { Log } from '../../../../src/core/log.ts';
import type { Sink } from '../../../../src/core/sink.ts';
import { Closers } from '../../../../src/lib/closers.ts';
import { isAbort } from '../../../../src/lib/wait.ts';
import { Hosts, hostOf } from '../../../../src/sinks/syslog/hosts.ts';
import { syslog } from '../../../../src/sinks/syslog/index.ts';
import { linkOverTcp } from '../../../../src/sinks/syslog/relp/link.ts';
import { MAX_MESSAGE_BYTES, RelpSink, ROOM } from '../../../../src/sinks/syslog/relp/relp-sink.ts';
import { overRelp } from '../../../../src/sinks/syslog/relp/session.ts';
import { describeSinkContract, rendered } from '../../../contracts/sink.contract.ts';
import { testCertificates, writeKeyPair } from '../../../support/certificates.ts';
import { testFolder } from '../../../support/folder.ts';
import { collectLog } from '../../../support/log.ts';
import {
  type Command,
  lateAndReversed,
  type RelpPeer,
  type RelpScript,
  type RelpServer,
  startRelpServer,
  wellBehaved,
} from '../../../support/relp-server.ts';
import { utf8 } from '../../../support/utf8.ts';

const never = new AbortController().signal;
const log: Log = { debug() {}, info() {}, warn() {}, error() {} };

function aSink(settings: object, timeoutMs = 10_000): Sink {
  const parsed = syslog.schema.parse({
    type: 'syslog',
    transport: 'relp',
    host: '127.0.0.1',
    hostName: 'relay.test',
    ...settings,
  });
  return syslog.create(parsed, { name: 'siem', log, timeoutMs });
}

const mute: RelpScript = ({ name }) => name === 'syslog';

/** What the server does in the place of answering. */
const failures: Readonly<Record<string, (server: RelpServer) => void>> = {
  'server that closes': (server) => server.sayAll('0 serverclose 0\n'),
  'server that talks nonsense': (server) => server.sayAll('nonsense\n'),
  'answer to what was never sent': (server) => server.sayAll('999 rsp 6 200 OK\n'),
};

function harness(server: RelpServer, sink: Sink) {
  let refused: string | undefined;
  return {
    sink,
    arrived: () => server.seen.flat().filter((message) => message !== refused),
    breakDown(how = '') {
      server.play(mute);
      const fail = failures[how];
      if (fail) fail(server);
      else server.resetAll();
    },
    refuse(message: string) {
      refused = message;
      server.play(({ name, data, txnr }, peer) => {
        const isRefused = name === 'syslog' && data === message;
        if (isRefused) peer.answer(txnr, '500 no');
        return isRefused;
      });
    },
    mend: () => server.play(wellBehaved),
    stop: () => server.close(),
  };
}

describeSinkContract('syslog relp', { confirmsAtOnce: false, failures: Object.keys(failures) }, async () => {
  const server = await startRelpServer();
  return harness(server, aSink({ port: server.port }));
});

describeSinkContract('syslog relp, answered late and the last first', { confirmsAtOnce: false }, async () => {
  const server = await startRelpServer({ script: lateAndReversed(5) });
  return harness(server, aSink({ port: server.port }));
});

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  describeSinkContract(`syslog relp-tls ${version}`, { confirmsAtOnce: false }, async () => {
    const { server: pairs } = await testCertificates();
    const tls = { ...pairs.good, minVersion: version, maxVersion: version };
    const server = await startRelpServer({ tls });
    const fingerprint = new X509Certificate(pairs.good.cert).fingerprint256;
    return harness(server, aSink({ port: server.port, transport: 'relp-tls', tls: { fingerprint } }));
  });
}

describe('RelpSink', () => {
  let closers: Closers;
  beforeEach(() => {
    closers = new Closers();
  });
  afterEach(() => closers.close());

  /** A receiver, and an open sink that sends to it. */
  async function start(options: { script?: RelpScript; settings?: object; timeoutMs?: number } = {}) {
    const server = closers.add('server', await startRelpServer(options));
    const sink = closers.add('sink', aSink({ port: server.port, ...options.settings }, options.timeoutMs));
    await sink.open(never);
    return { server, sink };
  }

  const messages = (sink: Sink, batch = rendered(1)) =>
    batch.flatMap((one) => sink.messages(one).map(String));
  /** Does this about events, and else what a server should. */
  const onEvents =
    (script: (command: Command, peer: RelpPeer) => void): RelpScript =>
    (command, peer) => {
      if (command.name === 'syslog') script(command, peer);
      return command.name === 'syslog';
    };

  /** Does this, and nothing that a server should. */
  const instead =
    (script: (command: Command, peer: RelpPeer) => void): RelpScript =>
    (command, peer) => {
      script(command, peer);
      return true;
    };

  it('warns of `insecure` also while a connection is kept', async () => {
    const { ca: _, server: pairs } = await testCertificates();
    const { port } = closers.add('server', await startRelpServer({ tls: pairs.good }));
    const { lines, ...log } = collectLog();
    const parsed = syslog.schema.parse({
      ...{ type: 'syslog', transport: 'relp-tls', host: '127.0.0.1', port },
      tls: { insecure: true },
    });
    vi.useFakeTimers({ toFake: ['performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const sink = closers.add('sink', syslog.create(parsed, { name: 'siem', log, timeoutMs: 10_000 }));
    await sink.open(never);
    for (const warnings of [1, 1, 2]) {
      await (await sink.send(rendered(1), never)).confirmed;
      expect(lines.filter(({ message }) => message.includes('insecure'))).toHaveLength(warnings);
      vi.advanceTimersByTime(31 * 60_000);
    }
    expect(sink.notes?.().join()).toContain('insecure');
  });

  it('says what it goes by', async () => {
    const { sink } = await start();
    expect(sink.confirms).toBe('acknowledgement');
    expect(sink.notes?.()).toEqual([]);
  });

  it('S1: a batch is confirmed with the last of its answers and after those before it, in whatever order they come', async () => {
    let theirs: RelpPeer | undefined;
    const { server, sink } = await start({
      script: onEvents((_, peer) => {
        theirs = peer;
      }),
    });
    const order: number[] = [];
    const receipts = [await sink.send(rendered(2), never), await sink.send(rendered(1, 3), never)];
    const settled = receipts.map(({ confirmed }, index) => confirmed.then(() => order.push(index)));
    await expect.poll(() => server.seen[0]).toHaveLength(3);
    theirs?.answer(4, '200 OK');
    theirs?.answer(3, '200 OK');
    await sleep(20);
    expect(order).toEqual([]);
    theirs?.answer(2, '200 OK');
    await Promise.all(settled);
    expect(order).toEqual([0, 1]);
  });

  it('S4: what is refused is named, once for a record of many events, and the rest is accepted', async () => {
    const { sink } = await start({
      script: onEvents(({ txnr, data }, peer) =>
        peer.answer(txnr, /event [25]/.test(data) ? '500 not this\u001bone' : '200 OK'),
      ),
    });
    const [record] = rendered(1, 2);
    const batch = [
      ...rendered(1),
      { ...record!, events: utf8('event 2', 'part 2', 'event 2') },
      ...rendered(3, 5),
    ];
    const { confirmed } = await sink.send(batch, never);
    const detail = 'the receiver answered 500 not this one';
    expect(await confirmed).toEqual({
      refused: [
        { index: 1, reason: 'rejected', detail },
        { index: 2, reason: 'rejected', detail },
      ],
    });
  });

  it('S4: what is too large for a receiver is refused here, and the rest arrives', async () => {
    const { server, sink } = await start();
    const text = (number: number) => (number === 2 ? 'x'.repeat(MAX_MESSAGE_BYTES) : `event ${number}`);
    const { confirmed } = await sink.send(rendered(3, 1, text), never);
    const { refused } = await confirmed;
    expect(refused).toMatchObject([{ index: 1, reason: 'too-large' }]);
    expect(server.accepted).toHaveLength(2);
    const only = await sink.send(rendered(1, 2, text), never);
    expect(await only.confirmed).toMatchObject({ refused: [{ index: 0 }] });
  });

  const garbage = Buffer.from([0xff, 0, 10, 32]);
  const breaks: [what: string, script: (command: Command, peer: RelpPeer) => void, why: RegExp][] = [
    ['closes', (_, peer) => peer.end(), /closed the connection/],
    ['resets the connection', (_, peer) => peer.reset(), /reset the connection|closed the connection/],
    ['says serverclose', (_, peer) => peer.say('0 serverclose 0\n'), /ended the session \(serverclose\)/],
    ['answers what it was not asked', (_, peer) => peer.answer(77, '200 OK'), /not asked, or twice/],
    ['answers twice', ({ txnr }, peer) => peer.say(`${txnr} rsp 3 200\n`.repeat(2)), /not asked, or twice/],
    ['sends a command', (_, peer) => peer.say('3 syslog 1 x\n'), /not asked, or twice/],
    ['answers without a code', ({ txnr }, peer) => peer.answer(txnr, 'OK'), /without a code/],
    ['answers with nothing', ({ txnr }, peer) => peer.answer(txnr, ''), /without a code/],
    ['gives a code that means nothing', ({ txnr }, peer) => peer.answer(txnr, '421 later'), /421 later/],
    ['sends garbage', (_, peer) => peer.say(garbage), /no RELP/],
    ['sends an answer without an end', (_, peer) => peer.say('3 rsp 999999999 2'), /too long/],
    ['sends a head without an end', (_, peer) => peer.say('3'.repeat(100_000)), /no RELP/],
  ];

  it.each(breaks)('S1 S13: all that is unconfirmed rejects when it %s', async (_, script, why) => {
    const { server, sink } = await start({
      script: onEvents((command, peer) => {
        if (command.count === 1) peer.answer(command.txnr, '200 OK');
        else script(command, peer);
      }),
    });
    const first = await sink.send(rendered(1), never);
    await first.confirmed;
    const receipts = [await sink.send(rendered(1, 2), never), await sink.send(rendered(2, 3), never)];
    const confirming = sink.confirm(never);
    const outcomes = await Promise.allSettled([confirming, ...receipts.map(({ confirmed }) => confirmed)]);
    // Those who answer twice have answered the first of them.
    const rejected = outcomes.filter(({ status }) => status === 'rejected');
    expect(rejected.length).toBeGreaterThanOrEqual(2);
    for (const { reason } of rejected as PromiseRejectedResult[]) {
      expect(reason).toBeInstanceOf(UnavailableError);
      expect(String(reason)).toMatch(why);
    }
    await expect(sink.send(rendered(1, 5), never)).rejects.toThrow(UnavailableError);
    server.play(wellBehaved);
    await sink.open(never);
    const again = await sink.send(rendered(3, 2), never);
    expect(await again.confirmed).toEqual({ refused: [] });
    expect(server.seen[1]).toEqual(messages(sink, rendered(3, 2)));
    expect(server.commands[1]).toEqual(['1 open', '2 syslog', '3 syslog', '4 syslog']);
  });

  it('has its hints, which mean nothing to the relay, passed over', async () => {
    const { sink } = await start({
      script: onEvents(({ txnr }, peer) => {
        peer.say('0 hint 3 any\n');
        peer.answer(txnr, '200 OK');
      }),
    });
    const { confirmed } = await sink.send(rendered(2), never);
    expect(await confirmed).toEqual({ refused: [] });
  });

  it('takes answers in any pieces', async () => {
    const { sink } = await start({
      script: onEvents(({ txnr }, peer) => {
        for (const byte of `${txnr} rsp 6 200 OK\n`) peer.say(byte);
      }),
    });
    const { confirmed } = await sink.send(rendered(50), never);
    expect(await confirmed).toEqual({ refused: [] });
  });

  it('gives up a receiver that acknowledges nothing', async () => {
    const { sink } = await start({ script: onEvents(() => {}), timeoutMs: 100 });
    const { confirmed } = await sink.send(rendered(1), never);
    await expect(confirmed).rejects.toMatchObject({ reason: 'timeout' });
    await expect(confirmed).rejects.toThrow('it acknowledged nothing for 100 ms');
  });

  it('gives up a receiver that acknowledges all but the oldest', async () => {
    let number = 0;
    const { server, sink } = await start({
      script: onEvents(({ txnr, count }, peer) => {
        if (count > 1) peer.answer(txnr, '200 OK');
      }),
      timeoutMs: 200,
    });
    const { confirmed } = await sink.send(rendered(1), never);
    const over = new AbortController();
    void confirmed.catch(() => over.abort());
    while (!over.signal.aborted && number < 200) {
      number += 1;
      await sink.send(rendered(1, number + 1), never).catch(() => {});
      await sleep(5);
    }
    // While others were answered, and not once there was nothing more to answer.
    expect(number).toBeLessThan(200);
    await expect(confirmed).rejects.toMatchObject({ reason: 'timeout' });
    expect(server.accepted.length).toBeGreaterThan(0);
  });

  it('waits for a receiver that is slow, as long as it goes on', async () => {
    const { sink } = await start({
      script: (() => {
        let last = Promise.resolve();
        return onEvents(({ txnr }, peer) => {
          last = last.then(() => sleep(200)).then(() => peer.answer(txnr, '200 OK'));
        });
      })(),
      timeoutMs: 2000,
    });
    const { confirmed } = await sink.send(rendered(12), never);
    expect(await confirmed).toEqual({ refused: [] });
  });

  it.each<[what: string, script: (command: Command, peer: RelpPeer) => void, why: RegExp, reason: string]>([
    ['says nothing', () => {}, /no answer to "open" within 90 ms/, 'timeout'],
    ['closes', (_, peer) => peer.end(), /before it answered "open". Does it speak RELP/, 'network'],
    ['resets', (_, peer) => peer.reset(), /before it answered "open". Does it speak RELP/, 'network'],
    ['refuses', ({ txnr }, peer) => peer.answer(txnr, '500 no'), /refused the session: 500 no/, 'answer'],
    ['offers nothing', ({ txnr }, peer) => peer.answer(txnr, '200 OK'), /RELP 0 or 1/, 'answer'],
    ['says no code', ({ txnr }, peer) => peer.answer(txnr, ''), /did not say yes/, 'answer'],
    ['speaks HTTP', (_, peer) => peer.say('HTTP/1.1 400 Bad Request\r\n\r\n'), /no RELP/, 'answer'],
  ])('does not open with one that %s', async (_, script, why, reason) => {
    const server = closers.add('server', await startRelpServer({ script: instead(script) }));
    const sink = closers.add('sink', aSink({ port: server.port }, 100));
    const opening = sink.open(never);
    await expect(opening).rejects.toMatchObject({ name: 'UnavailableError', reason });
    await expect(opening).rejects.toThrow(why);
  });

  it('is not kept by a receiver that says nothing when it is to stop', async () => {
    const server = closers.add('server', await startRelpServer({ script: () => true }));
    const sink = closers.add('sink', aSink({ port: server.port }));
    const stop = new AbortController();
    const opening = sink.open(stop.signal);
    await expect.poll(() => server.commands[0]).toEqual(['1 open']);
    stop.abort();
    await expect(opening).rejects.toSatisfy(isAbort);
  });

  it('replaces without a word a session that ends with nothing in it', async () => {
    const { server, sink } = await start();
    const first = await sink.send(rendered(1), never);
    await first.confirmed;
    server.resetAll();
    await sleep(20);
    const second = await sink.send(rendered(1, 2), never);
    expect(await second.confirmed).toEqual({ refused: [] });
    expect(server.commands.map((commands) => commands.length)).toEqual([2, 2]);
  });

  it('says goodbye when all is confirmed, and waits for no answer for long', async () => {
    const { server, sink } = await start({ script: ({ name }) => name === 'close', timeoutMs: 50 });
    const { confirmed } = await sink.send(rendered(1), never);
    await confirmed;
    await sink.close();
    await expect.poll(() => server.commands[0]).toEqual(['1 open', '2 syslog', '3 close']);
  });

  it('has room for what is not acknowledged, and no more', async () => {
    const { server, sink } = await start({ script: onEvents(() => {}) });
    expect(sink.window()).toEqual(ROOM);
    await sink.send(rendered(10), never);
    expect(sink.window().records).toBe(ROOM.records - 10);
    await sink.send(
      rendered(20, 11, () => 'x'.repeat(60_000)),
      never,
    );
    expect(sink.window()).toEqual({ records: ROOM.records - 30, bytes: 0 });
    await expect.poll(() => server.seen[0]).toHaveLength(30);
  });

  it('numbers go round', async () => {
    const firstTxnr = 999_999_998;
    const server = closers.add('server', await startRelpServer({ firstTxnr }));
    const connect = overRelp(linkOverTcp(1000), { openMs: 1000, timeoutMs: 1000, firstTxnr });
    const hosts = new Hosts([hostOf('127.0.0.1', server.port)], connect, log, () => performance.now());
    const sink = closers.add('sink', new RelpSink({ hosts, header: () => '' }));
    await sink.open(never);
    const { confirmed } = await sink.send(rendered(3), never);
    expect(await confirmed).toEqual({ refused: [] });
    expect(server.commands[0]).toEqual(['999999998 open', '999999999 syslog', '1 syslog', '2 syslog']);
  });

  it('goes on with the next of several hosts, and back when the first is there again', async () => {
    const [first, second] = [await startRelpServer(), await startRelpServer()];
    closers.add('first', first);
    closers.add('second', second);
    let nowMs = 0;
    const connect = overRelp(linkOverTcp(1000), { openMs: 1000, timeoutMs: 1000 });
    const hosts = [first, second].map(({ port }) => hostOf('127.0.0.1', port));
    const sink = closers.add(
      'sink',
      new RelpSink({
        hosts: new Hosts(hosts, connect, log, () => nowMs),
        header: () => '',
      }),
    );
    await sink.open(never);
    first.play(instead((_, peer) => peer.reset()));
    const lost = await sink.send(rendered(1), never);
    await expect(lost.confirmed).rejects.toThrow(UnavailableError);
    await sink.open(never);
    await (await sink.send(rendered(1), never)).confirmed;
    expect(second.accepted).toEqual(['event 1']);
    first.play(wellBehaved);
    nowMs += 61_000;
    // Looks, in passing.
    await (await sink.send(rendered(1, 2), never)).confirmed;
    await expect.poll(() => first.commands.length).toBe(2);
    await sleep(20);
    await (await sink.send(rendered(1, 3), never)).confirmed;
    expect(first.accepted).toEqual(['event 3']);
    expect(second.commands[0]?.at(-1)).toMatch(/close/);
  });

  describe('over TLS', () => {
    const aTlsSink = async (port: number, tls: object, timeoutMs = 10_000) => {
      const ca = join(testFolder(), 'ca.crt');
      writeFileSync(ca, (await testCertificates()).ca);
      return closers.add('sink', aSink({ port, transport: 'relp-tls', tls: { ca, ...tls } }, timeoutMs));
    };

    it('shows its certificate, and is told what may be wrong without one', async () => {
      const { ca, server: pairs, client } = await testCertificates();
      const tls = { ...pairs.good, ca, requestCert: true, rejectUnauthorized: true };
      const server = closers.add('server', await startRelpServer({ tls }));
      const sink = await aTlsSink(server.port, writeKeyPair(testFolder(), 'client', client.good));
      await sink.open(never);
      const { confirmed } = await sink.send(rendered(1), never);
      expect(await confirmed).toEqual({ refused: [] });
      const without = await aTlsSink(server.port, {});
      await expect(without.open(never)).rejects.toThrow(/certificate/);
    });

    it('does not trust a certificate that is not pinned', async () => {
      const { server: pairs } = await testCertificates();
      const server = closers.add('server', await startRelpServer({ tls: pairs.good }));
      const sink = await aTlsSink(server.port, { fingerprint: 'A'.repeat(64) });
      await expect(sink.open(never)).rejects.toMatchObject({ reason: 'auth' });
      expect(server.seen.flat()).toEqual([]);
    });

    it('says so when the far end speaks RELP without TLS', async () => {
      const server = closers.add('server', await startRelpServer());
      const sink = await aTlsSink(server.port, {}, 200);
      await expect(sink.open(never)).rejects.toThrow(/Does it speak TLS on this port/);
    });
  });
});
