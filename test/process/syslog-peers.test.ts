import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UnavailableError } from '../../src/core/errors.ts';
import type { Json } from '../../src/core/record.ts';
import type { Receipt, Rendered, Sink } from '../../src/core/sink.ts';
import { cef } from '../../src/formats/cef/index.ts';
import { Closers } from '../../src/lib/closers.ts';
import { syslog } from '../../src/sinks/syslog/index.ts';
import { rendered } from '../contracts/sink.contract.ts';
import { parseCef } from '../peers/lognormalizer.ts';
import { whyMissing } from '../peers/missing.ts';
import { startRsyslog } from '../peers/rsyslog.ts';
import { startSyslogNg } from '../peers/syslog-ng.ts';
import type { Route, SyslogMessage, SyslogPeer, SyslogPeerOptions } from '../peers/syslog-peer.ts';
import { type Flavour, testCertificates, writeKeyPair } from '../support/certificates.ts';
import { cefId } from '../support/received.ts';
import { aRecord } from '../support/records.ts';
import { utf8 } from '../support/utf8.ts';

const peers = {
  rsyslog: {
    // Else a kill would take with it what had been read and confirmed.
    start: (options: SyslogPeerOptions) => startRsyslog({ ...options, direct: true }),
    missing: whyMissing('rsyslog-gnutls') ?? whyMissing('lognormalizer'),
  },
  'syslog-ng': { start: startSyslogNg, missing: whyMissing('syslog-ng') ?? whyMissing('lognormalizer') },
};
type PeerName = keyof typeof peers;

/** The default of a sink: below what every receiver takes. */
const MAX_EVENT_BYTES = 8000;
const STREAM = 12_345;
const never = new AbortController().signal;
const log = { debug() {}, info() {}, warn() {}, error() {} };

/** A datagram needs no framing. */
const routes: readonly Route[] = [
  { transport: 'tcp', framing: 'lf', header: 'rfc5424' },
  { transport: 'tcp', framing: 'lf', header: 'rfc3164' },
  { transport: 'tcp', framing: 'octet-counting', header: 'rfc5424' },
  { transport: 'tls', framing: 'lf', header: 'rfc5424' },
  { transport: 'tls', framing: 'lf', header: 'rfc3164' },
  { transport: 'tls', framing: 'octet-counting', header: 'rfc5424' },
  { transport: 'udp', framing: 'lf', header: 'rfc5424' },
  { transport: 'udp', framing: 'lf', header: 'rfc3164' },
];

/** syslog-ng has nothing for RFC 3164 with octet counting, and takes a header without a host for something else. */
const routesTo: Readonly<Record<PeerName, readonly Route[]>> = {
  rsyslog: [
    ...routes,
    { transport: 'tcp', framing: 'octet-counting', header: 'rfc3164' },
    { transport: 'tcp', framing: 'lf', header: 'siem-agent' },
  ],
  'syslog-ng': routes,
};

let closers: Closers;
beforeEach(() => {
  closers = new Closers();
});
afterEach(() => closers.close());

interface Started {
  readonly peer: SyslogPeer;
  readonly sink: Sink;
}

/** A receiver, and a sink that is open to it. */
async function start(name: PeerName, route: Route, options: SyslogPeerOptions = {}): Promise<Started> {
  const started = await prepare(name, route, options);
  await started.sink.open(never);
  return started;
}

async function prepare(
  name: PeerName,
  route: Route,
  options: SyslogPeerOptions = {},
  client: Flavour | 'none' = 'good',
): Promise<Started> {
  const isTls = route.transport === 'tls';
  const peer = await peers[name].start({ ...(isTls && { tls: {} }), ...options });
  closers.add(name, { close: () => peer.stop() });
  const settings = {
    type: 'syslog',
    host: '127.0.0.1',
    port: peer.portFor(route),
    hostName: 'relay.test',
    transport: route.transport,
    header: route.header,
    siemAgent: { pri: true },
    ...(route.transport !== 'udp' && { framing: route.framing }),
    ...(isTls && { tls: await tlsSettings(client) }),
  };
  const context = { name: 'siem', log, timeoutMs: 10_000 };
  const sink = closers.add('sink', syslog.create(syslog.schema.parse(settings), context));
  return { peer, sink };
}

async function tlsSettings(client: Flavour | 'none'): Promise<Record<string, string>> {
  const folder = mkdtempSync(join(tmpdir(), 'syslog-peers-'));
  closers.add('folder', { close: () => rmSync(folder, { recursive: true, force: true }) });
  const certificates = await testCertificates();
  const ca = join(folder, 'ca.crt');
  writeFileSync(ca, certificates.ca);
  return client === 'none' ? { ca } : { ca, ...writeKeyPair(folder, 'client', certificates.client[client]) };
}

/** Sends all, confirmed, in batches; datagrams only as fast as they are read, for nothing holds them back. */
async function deliver({ peer, sink }: Started, route: Route, records: readonly Rendered[]): Promise<void> {
  const size = route.transport === 'udp' ? 5 : 25;
  let events = 0;
  const receipts: Receipt[] = [];
  for (let from = 0; from < records.length; from += size) {
    const batch = records.slice(from, from + size);
    receipts.push(await sink.send(batch, never));
    events += batch.flatMap((one) => one.events).length;
    if (route.transport === 'udp') await peer.arrived(events);
  }
  await sink.confirm(never);
  for (const { confirmed } of receipts) expect(await confirmed).toEqual({ refused: [] });
}

type Alert = Readonly<Record<string, Json>> & { readonly id: string; readonly title: string };

/** Alerts as events in CEF, numbered on from 1. */
function asCef(alerts: readonly Alert[], maxBytes: number): Rendered[] {
  const format = cef.create(cef.schema.parse({ type: 'cef' }), { version: '1' });
  let sequence = 1;
  return alerts.map((alert) => {
    const record = aRecord(alert);
    const events = utf8(...format(record, { stream: STREAM, sequence, sentMs: record.timeMs, maxBytes }));
    sequence += events.length;
    return { record, stream: STREAM, sequence: sequence - events.length, events };
  });
}

const graph = join(import.meta.dirname, '../fixtures/graph');
const files = readdirSync(graph).filter((file) => file.endsWith('.json'));
const fixtures: readonly Alert[] = files.map((file) => JSON.parse(readFileSync(join(graph, file), 'utf8')));
const FORGED =
  '<131>1 2025-01-01T00:00:00Z forged forged 1 alert - CEF:0|Microsoft|forged|1|3|4|10|msg=forged';
const titles = [
  'x|10|cs1=evil',
  `one\n${FORGED}\r\n${FORGED}\0${FORGED}`,
  'C:\\Temp\\',
  'a\0b\u202Ec',
  'ünïcode 漢字 🛡️ \u0085 \u2028 \t tab',
];
/** Alerts of every product, each under five ids, with titles as an attacker would choose them. */
const alerts = titles.flatMap((title, copy) =>
  fixtures.map((alert, index) => ({ ...alert, id: `${alert.id.slice(0, 30)}-${copy}-${index}`, title })),
);

/** What an event was made of, as the receiver has it: without RFC 5424 it takes `CEF` for the tag. */
const textOf = ({ app, msg }: SyslogMessage, { header }: Route) =>
  header === 'rfc5424' ? msg : `${app}:${msg}`;

/** What the receiver must have found in the header of an event. */
function headerOf({ record, sequence }: Rendered, part: number, { header }: Route) {
  const severities: Record<string, number> = { informational: 6, low: 5, medium: 4, high: 3 };
  const pri = String(16 * 8 + (severities[record.severity] ?? 4));
  if (header === 'siem-agent') return { pri, timeMs: record.timeMs };
  if (header === 'rfc3164')
    return { pri, host: 'relay.test', second: new Date(record.timeMs).toISOString().slice(5, 19) };
  return {
    pri,
    host: 'relay.test',
    app: 'defender-relay',
    procid: String(STREAM),
    msgid: 'alert',
    sd: `[meta sequenceId="${sequence + part}"]`,
    timeMs: record.timeMs,
  };
}

function headerFound({ pri, host, app, procid, msgid, sd, time }: SyslogMessage, { header }: Route) {
  if (header === 'siem-agent') return { pri, timeMs: Date.parse(time) };
  if (header === 'rfc3164') return { pri, host, second: new Date(time).toISOString().slice(5, 19) };
  return { pri, host, app, procid, msgid, sd, timeMs: Date.parse(time) };
}

/** Every event has arrived once, whole, in order, with its own header, and nothing else has. */
async function expectArrived({ peer }: Started, route: Route, records: readonly Rendered[]) {
  const events = records.flatMap((one) => one.events.map(String));
  const messages = await peer.arrived(events.length);
  expect(messages.map((message) => textOf(message, route))).toEqual(events);
  expect(messages.map((message) => headerFound(message, route))).toEqual(
    records.flatMap((one) => one.events.map((_, part) => headerOf(one, part, route))),
  );
  return messages;
}

/** liblognorm finds the right alert in every event; it loses the first letter of the first key. */
function expectParsed(messages: readonly SyslogMessage[], route: Route, records: readonly Rendered[]) {
  const parsed = parseCef(messages.map((message) => textOf(message, route)));
  const found = parsed.map((event) => ({
    name: event?.Name.trim(),
    id: event?.Extensions.xternalId,
    part: event?.Extensions.devicePayloadId?.replace(/^\d+:?/, ''),
  }));
  const expected = records.flatMap(({ record, events }) =>
    events.map((_, part) => ({
      name: String((record.body as Alert).title)
        .replaceAll(/\r\n|[\p{Cc}\u2028]/gu, ' ')
        .trim(),
      id: cefId(record.id),
      part: events.length > 1 ? `${part + 1}/${events.length}` : '',
    })),
  );
  expect(found).toEqual(expected);
}

describe.each(['rsyslog', 'syslog-ng'] as const)('syslog to a real %s', (name) => {
  const { missing } = peers[name];
  describe.skipIf(missing).each(routesTo[name])(
    `$transport $framing $header${missing ? `: ${missing}` : ''}`,
    (route) => {
      it('S4 S6: every alert arrives once and whole, and is read back by liblognorm', async () => {
        const started = await start(name, route);
        const records = asCef(alerts, MAX_EVENT_BYTES - started.sink.headerBytes);
        await deliver(started, route, records);
        expectParsed(await expectArrived(started, route, records), route, records);
      });

      it("S7 S15: an alert above its limit arrives in parts, none begins in an attacker's text, and what is behind it arrives", async () => {
        const evidence = Array.from({ length: 900 }, (_, index) => ({
          '@odata.type': '#microsoft.graph.security.userEvidence',
          userAccount: { userPrincipalName: `user-${index}@contoso.com`, displayName: FORGED },
        }));
        const [before, behind] = alerts as [Alert, Alert];
        const large = { ...before, id: 'large', title: FORGED, description: FORGED.repeat(1000), evidence };
        const started = await start(name, route);
        const records = asCef([before, large, behind], MAX_EVENT_BYTES - started.sink.headerBytes);
        expect(Buffer.byteLength(JSON.stringify(large))).toBeGreaterThan(65_536);
        expect(records[1]!.events.length).toBeGreaterThan(2);
        await deliver(started, route, records);
        expectParsed(await expectArrived(started, route, records), route, records);
      });

      // No datagram is that large.
      if (route.transport === 'udp') return;
      it('takes events of 100 KB when it is told to', async () => {
        const started = await start(name, route, { maxMessageBytes: 131_072 });
        const records = rendered(3, 1, (number) => `CEF:0|${number}|`.padEnd(100_000, FORGED));
        await deliver(started, route, records);
        await expectArrived(started, route, records);
      });
    },
  );
});

describe.each(['rsyslog', 'syslog-ng'] as const)('TLS with a real %s', (name) => {
  const { missing } = peers[name];
  const route: Route = { transport: 'tls', framing: 'octet-counting', header: 'rfc5424' };

  it.skipIf(missing).each([
    ['expired', /certificate has expired/],
    ['notYetValid', /certificate is not valid yet/],
    ['otherName', /certificate is for another name: .*other\.example/],
    ['otherCa', /CA that is not trusted/],
    ['selfSigned', /signed its certificate itself/],
  ] as const)('S3: its certificate is refused when it is %s, and told', async (server, expected) => {
    const { peer, sink } = await prepare(name, route, { tls: { server } });
    const failure = await sink.open(never).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(UnavailableError);
    expect(String(failure)).toMatch(expected);
    expect(peer.messages()).toEqual([]);
  });

  it.skipIf(missing).each([
    ['expired', /relay’s certificate, which has expired on \d{4}-/],
    ['notYetValid', /relay’s certificate, which is not valid before \d{4}-/],
    ['otherName', /relay’s certificate, which is for DNS:other\.example and comes from CN=test CA/],
    ['otherCa', /relay’s certificate, which is for DNS:relay\.example and comes from CN=other test CA/],
    ['selfSigned', /relay’s certificate, which has signed itself/],
    ['none', /certificate of the relay/],
  ] as const)('S17: it refuses ours when it is %s, and nothing is confirmed', async (client, expected) => {
    const { peer, sink } = await prepare(name, route, {}, client);
    const failure = await (async () => {
      await sink.open(never);
      const { confirmed } = await sink.send(rendered(10), never);
      await Promise.all([sink.confirm(never), confirmed]);
    })().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(UnavailableError);
    expect(String(failure)).toMatch(expected);
    expect(peer.messages()).toEqual([]);
  });

  it.skipIf(missing)('takes a relay without a certificate when it demands none', async () => {
    const started = await prepare(name, route, { tls: { clients: false } }, 'none');
    await started.sink.open(never);
    await deliver(started, route, rendered(10));
    await expectArrived(started, route, rendered(10));
  });
});

describe('an event above the limit of a receiver', () => {
  const records = rendered(3, 1, (number) => `CEF:0|${number}|`.padEnd(number === 2 ? 250_000 : 1000, 'x'));
  const [before, large, behind] = records as [Rendered, Rendered, Rendered];
  const isWhole = (one: Rendered) => (message: SyslogMessage) => message.msg === String(one.events[0]);
  const over = (framing: Route['framing']): Route => ({ transport: 'tcp', framing, header: 'rfc5424' });

  it.for([
    ['rsyslog', 'lf'],
    ['rsyslog', 'octet-counting'],
    ['syslog-ng', 'lf'],
  ] as const)(
    'S15: %s with %s splits it, and what is behind it is whole',
    async ([name, framing], { skip }) => {
      skip(peers[name].missing !== undefined, peers[name].missing);
      const started = await start(name, over(framing));
      await deliver(started, over(framing), records);
      const messages = await started.peer.arrived((all) => all.some(isWhole(behind)));
      expect(messages.findIndex(isWhole(before))).toBe(0);
      expect(messages.findIndex(isWhole(behind))).toBe(messages.length - 1);
      expect(messages.length).toBeGreaterThan(3);
      expect(messages.some(isWhole(large))).toBe(false);
    },
  );

  it('S15: syslog-ng with octet-counting closes: nothing of that connection is confirmed, and all but it can be sent again', async ({
    skip,
  }) => {
    skip(peers['syslog-ng'].missing !== undefined, peers['syslog-ng'].missing);
    const started = await start('syslog-ng', over('octet-counting'));
    const { confirmed } = await started.sink.send(records, never);
    await expect(confirmed).rejects.toThrow(UnavailableError);
    await started.sink.open(never);
    await deliver(started, over('octet-counting'), [before, behind]);
    const messages = await started.peer.arrived((all) => all.some(isWhole(behind)));
    expect(messages.some(isWhole(large))).toBe(false);
  });
});

describe.each(['rsyslog', 'syslog-ng'] as const)('a real %s that is killed five times', (name) => {
  const { missing } = peers[name];
  const overStreams = routes.filter(({ transport, header }) => transport !== 'udp' && header === 'rfc5424');

  it.skipIf(missing).each(overStreams)(
    'S1: $transport $framing: frozen, written to, killed: of 25,000 records none that was confirmed is missing',
    async (route) => {
      const started = await start(name, route);
      const { peer, sink } = started;
      const records = rendered(25_000, 1, (number) => `CEF:0|${number}|`.padEnd(200, 'x'));
      const killBefore = new Set([2_000, 7_000, 12_000, 17_000, 24_000]);
      let from = 0;
      while (from < records.length) {
        const batches = [0, 250, 500, 750].map((offset) => records.slice(from + offset, from + offset + 250));
        const isKilled = killBefore.delete(from);
        await sink.open(never);
        if (isKilled) await peer.freeze();
        const receipts: Receipt[] = [];
        for (const batch of batches) receipts.push(await sink.send(batch, never));
        const confirming = sink.confirm(never).catch((failure: unknown) => failure);
        if (isKilled) {
          await peer.kill();
          expect(await confirming).toBeInstanceOf(UnavailableError);
          for (const { confirmed } of receipts) await expect(confirmed).rejects.toThrow(UnavailableError);
          await peer.restart();
        } else {
          expect(await confirming).toBeUndefined();
          for (const { confirmed } of receipts) expect(await confirmed).toEqual({ refused: [] });
          from += 1000;
        }
      }
      const idOf = ({ msg }: SyslogMessage) => /^CEF:0\|(\d+)\|/.exec(msg)?.[1];
      const messages = await peer.arrived((all) => all.some((message) => idOf(message) === '25000'));
      const arrived = new Set(messages.map(idOf));
      const lost = records.length - arrived.size;
      console.log(
        `${name} killed 5 times in 25,000: lost ${lost}, repeated ${messages.length - arrived.size}`,
      );
      expect(lost).toBe(0);
      // Each time at most what was unconfirmed.
      expect(messages.length - arrived.size).toBeLessThanOrEqual(5 * 1000);
    },
  );
});
