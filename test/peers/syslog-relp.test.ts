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
import { whyMissing } from './missing.ts';
import { type Rsyslog, startRsyslog } from './rsyslog.ts';

const never = new AbortController().signal;
const log = { debug() {}, info() {}, warn() {}, error() {} };
const missing = whyMissing('rsyslog-relp');
const MAX_EVENT_BYTES = 8000;
const awkward = 'é ü 漢字 🛡️ \u202eright to left\u202c \u0085 \u2028 \t tab \\n =|"';

describe.skipIf(missing)(`syslog sink and a real rsyslog by RELP${missing ? `: ${missing}` : ''}`, () => {
  let closers: Closers;
  let rsyslog: Rsyslog;
  beforeEach(async () => {
    closers = new Closers();
    rsyslog = await startRsyslog({ relp: true, direct: true });
    closers.add('rsyslog', { close: () => rsyslog.stop() });
  });
  afterEach(() => closers.close());

  async function aSink(
    transport: 'relp' | 'relp-tls',
    changes: { client?: Flavour | 'none'; settings?: object; timeoutMs?: number } = {},
  ): Promise<Sink> {
    const folder = mkdtempSync(join(tmpdir(), 'syslog-relp-'));
    closers.add('folder', { close: () => rmSync(folder, { recursive: true, force: true }) });
    const ca = join(folder, 'ca.crt');
    const { client, ca: pem } = await testCertificates();
    writeFileSync(ca, pem);
    const { client: flavour = 'good', timeoutMs = 10_000 } = changes;
    const pair = flavour === 'none' ? {} : writeKeyPair(folder, 'client', client[flavour]);
    const settings = syslog.schema.parse({
      type: 'syslog',
      host: '127.0.0.1',
      port: transport === 'relp' ? rsyslog.relpPort : rsyslog.relpTlsPort,
      transport,
      hostName: 'relay.test',
      ...(transport === 'relp-tls' && { tls: { ca, ...pair } }),
      ...changes.settings,
    });
    return closers.add('sink', syslog.create(settings, { name: 'siem', log, timeoutMs }));
  }

  describe.each(['relp', 'relp-tls'] as const)('%s', (transport) => {
    it('gets each event once, whole and in order, and has written it by the time it acknowledges', async () => {
      const sink = await aSink(transport);
      await sink.open(never);
      const room = MAX_EVENT_BYTES - sink.headerBytes;
      // Every size from almost nothing to the limit, in bytes, with what is awkward in front.
      const text = (number: number) => {
        const start = `CEF:0|${number}|${awkward} `;
        const end = number === 400 ? room : 100 + Math.floor((number * (room - 100)) / 400);
        return start + 'x'.repeat(Math.max(0, end - Buffer.byteLength(start)));
      };
      const all = rendered(400, 1, text);
      const receipts: Receipt[] = [];
      for (let from = 0; from < 400; from += 25) {
        receipts.push(await sink.send(all.slice(from, from + 25), never));
        if (sink.window().bytes < 25 * MAX_EVENT_BYTES) await sink.confirm(never);
      }
      for (const { confirmed } of receipts) expect(await confirmed).toEqual({ refused: [] });
      const messages = rsyslog.messages();
      expect(messages).toHaveLength(400);
      expect(messages.findIndex(({ msg }, index) => msg !== String(all[index]?.events[0]))).toBe(-1);
      expect(messages[6]).toMatchObject({
        pri: '131',
        host: 'relay.test',
        app: 'defender-relay',
        procid: '12345',
        msgid: 'alert',
        sd: '[meta sequenceId="7"]',
      });
      await sink.close();
      await sink.open(never);
      await (await sink.send(rendered(1), never)).confirmed;
    });

    it('S1: confirms nothing that it has not read, frozen and killed, and gets it when it is back', async () => {
      const sink = await aSink(transport);
      await sink.open(never);
      await (await sink.send(rendered(50), never)).confirmed;
      await rsyslog.freeze();
      const receipts = [await sink.send(rendered(50, 51), never), await sink.send(rendered(50, 101), never)];
      const confirming = sink.confirm(never);
      const outcomes = Promise.allSettled([confirming, ...receipts.map(({ confirmed }) => confirmed)]);
      await sleep(200);
      await rsyslog.kill();
      for (const outcome of await outcomes)
        expect(outcome).toMatchObject({ status: 'rejected', reason: { name: 'UnavailableError' } });
      await expect(sink.open(never)).rejects.toThrow('nothing listens there');
      await rsyslog.restart();
      await sink.open(never);
      await (await sink.send(rendered(100, 51), never)).confirmed;
      const seen = new Set(rsyslog.messages().map(({ msg }) => msg));
      expect(rendered(150).filter(({ events }) => !seen.has(String(events[0])))).toEqual([]);
    });
  });

  it.each([
    ['rfc3164', { tag: 'defender' }],
    ['siem-agent', { siemAgent: { pri: true, host: true, time: 'rfc3164' } }],
  ])('takes %s', async (header, more) => {
    const sink = await aSink('relp', { settings: { header, ...more } });
    await sink.open(never);
    await (await sink.send(rendered(3), never)).confirmed;
    expect(rsyslog.messages().map(({ pri, host }) => `${pri} ${host}`)).toEqual(
      Array(3).fill('131 relay.test'),
    );
  });

  it('S4: cannot be made to see a forged event', async () => {
    const sink = await aSink('relp');
    await sink.open(never);
    const forged = '<131>1 - - - - - - CEF:0|forged';
    const texts = (number: number) => `CEF:0|${number}|a\n${forged}\n3 rsp 0\n4 syslog 3 abc\n`;
    await (await sink.send(rendered(3, 1, texts), never)).confirmed;
    expect(rsyslog.messages().map(({ msg }) => msg.slice(0, 20))).toEqual(
      [1, 2, 3].map((number) => `CEF:0|${number}|a ${forged}`.slice(0, 20)),
    );
  });

  it('S5: cuts off what is beyond its maxMessageSize without a word, so that maxEventBytes must be below', async () => {
    const sink = await aSink('relp');
    await sink.open(never);
    const { confirmed } = await sink.send(
      rendered(1, 1, () => 'x'.repeat(9000)),
      never,
    );
    expect(await confirmed).toEqual({ refused: [] });
    expect(rsyslog.messages().map(({ raw }) => raw.length)).toEqual([8192]);
  });

  it.each([...flavours.filter((flavour) => flavour !== 'good'), 'none'] as const)(
    'S17: nothing counts when it refuses our certificate (%s), and the message says so',
    async (client) => {
      const sink = await aSink('relp-tls', { client });
      const failure = await (async () => {
        await sink.open(never);
        await (await sink.send(rendered(1), never)).confirmed;
      })().catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(UnavailableError);
      expect(String(failure)).toMatch(/certificate of the relay|the relay’s certificate/);
      expect(rsyslog.messages()).toEqual([]);
    },
  );

  it('says so when the port is that of plain syslog', async () => {
    const sink = await aSink('relp', { settings: { port: rsyslog.port }, timeoutMs: 300 });
    await expect(sink.open(never)).rejects.toThrow('Does it speak RELP on this port?');
  });

  it('says so when the port is that of RELP without TLS', async () => {
    const sink = await aSink('relp-tls', { settings: { port: rsyslog.relpPort }, timeoutMs: 1000 });
    await expect(sink.open(never)).rejects.toThrow('does not speak TLS');
  });
});
