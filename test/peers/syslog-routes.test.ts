import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UnavailableError } from '../../src/core/errors.ts';
import type { Receipt, Sink } from '../../src/core/sink.ts';
import { Closers } from '../../src/lib/closers.ts';
import { syslog } from '../../src/sinks/syslog/index.ts';
import { rendered } from '../contracts/sink.contract.ts';
import { type Flavour, flavours, testCertificates, writeKeyPair } from '../support/certificates.ts';
import { type PeerName, whyMissing } from './missing.ts';
import { startRsyslog } from './rsyslog.ts';
import { startSyslogNg } from './syslog-ng.ts';
import type { Route, SyslogPeer, SyslogPeerOptions } from './syslog-peer.ts';

const never = new AbortController().signal;
const log = { debug() {}, info() {}, warn() {}, error() {} };

const routes: readonly Route[] = [
  { transport: 'tcp', framing: 'lf', header: 'rfc5424' },
  { transport: 'tcp', framing: 'octet-counting', header: 'rfc5424' },
  { transport: 'tcp', framing: 'lf', header: 'rfc3164' },
  { transport: 'tls', framing: 'octet-counting', header: 'rfc5424' },
  { transport: 'tls', framing: 'lf', header: 'rfc5424' },
  { transport: 'tls', framing: 'lf', header: 'rfc3164' },
  { transport: 'udp', framing: 'lf', header: 'rfc5424' },
  { transport: 'udp', framing: 'lf', header: 'rfc3164' },
];

const peers: [PeerName, (options: SyslogPeerOptions) => Promise<SyslogPeer>][] = [
  ['rsyslog-gnutls', (options) => startRsyslog({ ...options, direct: true })],
  ['syslog-ng', startSyslogNg],
];

describe.each(peers)('syslog sink and a real %s', (name, startPeer) => {
  const missing = whyMissing(name);
  describe.skipIf(missing)(missing ?? 'here', () => {
    let closers: Closers;
    let folder: string;
    let ca: string;
    beforeEach(async () => {
      closers = new Closers();
      folder = mkdtempSync(join(tmpdir(), 'syslog-routes-'));
      ca = join(folder, 'ca.crt');
      writeFileSync(ca, (await testCertificates()).ca);
    });
    afterEach(async () => {
      await closers.close();
      rmSync(folder, { recursive: true, force: true });
    });

    async function start(options: SyslogPeerOptions = { tls: {} }): Promise<SyslogPeer> {
      const peer = await startPeer(options);
      closers.add('peer', { close: () => peer.stop() });
      return peer;
    }

    async function aSink(
      peer: SyslogPeer,
      route: Route,
      changes: { client?: Flavour | 'none'; settings?: object; timeoutMs?: number } = {},
    ): Promise<Sink> {
      const { client } = await testCertificates();
      const { client: flavour = 'good', timeoutMs = 10_000 } = changes;
      const pair = flavour === 'none' ? {} : writeKeyPair(folder, `client-${flavour}`, client[flavour]);
      const { transport, framing, header } = route;
      const settings = syslog.schema.parse({
        type: 'syslog',
        host: '127.0.0.1',
        port: peer.portFor(route),
        transport,
        header,
        hostName: 'relay.test',
        ...(header === 'rfc3164' && { tag: 'defender' }),
        ...(transport !== 'udp' && { framing }),
        ...(transport === 'tls' && { tls: { ca, ...pair } }),
        ...changes.settings,
      });
      return closers.add('sink', syslog.create(settings, { name: 'siem', log, timeoutMs }));
    }

    it.each(routes)(
      'gets each event once, whole and in order: $transport $framing $header',
      async (route) => {
        const peer = await start();
        const sink = await aSink(peer, route);
        await sink.open(never);
        const text = (number: number) => `CEF:0|é漢🛡|${number}|`.padEnd(50 + ((number * 97) % 3500), 'x');
        const all = rendered(200, 1, text);
        const receipts: Receipt[] = [];
        for (let from = 0; from < 200; from += 25) {
          receipts.push(await sink.send(all.slice(from, from + 25), never));
          if (from % 50 === 0) await sink.confirm(never);
          // What a kernel drops of a burst is not what is tested.
          if (route.transport === 'udp') await peer.arrived(from + 25);
        }
        await sink.confirm(never);
        for (const { confirmed } of receipts) expect(await confirmed).toEqual({ refused: [] });
        const messages = await peer.arrived(200);
        expect(messages.map(({ msg }) => msg.trimStart())).toEqual(
          all.map(({ events }) => String(events[0])),
        );
        expect(new Set(messages.map(({ pri, host }) => `${pri} ${host}`))).toEqual(
          new Set(['131 relay.test']),
        );
      },
    );

    const framings = routes
      .filter(({ header }) => header === 'rfc5424')
      .filter(({ transport }) => transport !== 'udp');

    it.each(framings)(
      'S1: confirms nothing that it has not read, frozen before the last records and killed: $transport $framing',
      async (route) => {
        const peer = await start();
        const sink = await aSink(peer, route, { timeoutMs: 3000 });
        await sink.open(never);
        const first = await sink.send(rendered(50), never);
        await sink.confirm(never);
        await first.confirmed;
        await sink.send(rendered(50, 51), never);
        await peer.arrived(100);
        await peer.freeze();
        // Not confirmed, and not even asked for: nobody reads it.
        const last = await sink.send(rendered(50, 101), never);
        const confirming = sink.confirm(never);
        const outcomes = Promise.allSettled([confirming, last.confirmed]);
        await sleep(200);
        await peer.kill();
        for (const outcome of await outcomes)
          expect(outcome).toMatchObject({ status: 'rejected', reason: { name: 'UnavailableError' } });
        await peer.restart();
        await sink.open(never);
        const again = await sink.send(rendered(100, 51), never);
        await sink.confirm(never);
        await again.confirmed;
        const seen = new Set((await peer.arrived(200)).map(({ msg }) => msg.trimStart()));
        expect(rendered(150).filter(({ events }) => !seen.has(String(events[0])))).toEqual([]);
      },
    );

    const tls = framings.find(({ transport }) => transport === 'tls')!;

    it.each([...flavours.filter((flavour) => flavour !== 'good'), 'none'] as const)(
      'S17: nothing counts when it refuses our certificate (%s), and the message says so',
      async (client) => {
        const peer = await start();
        const sink = await aSink(peer, tls, { client });
        const failure = await (async () => {
          await sink.open(never);
          const { confirmed } = await sink.send(rendered(1), never);
          await sink.confirm(never);
          await confirmed;
        })().catch((error: unknown) => error);
        expect(failure).toBeInstanceOf(UnavailableError);
        expect(String(failure)).toMatch(/certificate of the relay|the relay’s certificate/);
        expect(peer.messages()).toEqual([]);
      },
    );

    it.each([
      ['expired', /has expired/],
      ['notYetValid', /not valid yet/],
      ['otherName', /for another name/],
      ['otherCa', /CA that is not trusted/],
      ['selfSigned', /signed its certificate itself/],
    ] as const)('is not trusted with a certificate that is %s', async (server, why) => {
      const peer = await start({ tls: { server } });
      const sink = await aSink(peer, tls);
      await expect(sink.open(never)).rejects.toThrow(why);
    });
  });
});
