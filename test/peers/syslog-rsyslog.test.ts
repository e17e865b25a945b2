import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UnavailableError } from '../../src/core/errors.ts';
import type { Receipt, Sink } from '../../src/core/sink.ts';
import { framings } from '../../src/sinks/syslog/frame.ts';
import { syslog } from '../../src/sinks/syslog/index.ts';
import { rendered } from '../contracts/sink.contract.ts';
import { whyMissing } from './missing.ts';
import { type Rsyslog, type RsyslogMessage, startRsyslog } from './rsyslog.ts';

const never = new AbortController().signal;
const log = { debug() {}, info() {}, warn() {}, error() {} };
const missing = whyMissing('rsyslog');

const awkward = 'é ü 漢字 🛡️ \u202eright to left\u202c \u0085 \u2028 \t tab \\n =|"';

describe.skipIf(missing)(`syslog sink and a real rsyslog${missing ? `: ${missing}` : ''}`, () => {
  let rsyslog: Rsyslog;
  let sink: Sink;
  beforeEach(async () => {
    rsyslog = await startRsyslog();
  });
  afterEach(async () => {
    await sink.close();
    await rsyslog.stop();
  });

  const aSink = (framing: string, timeoutMs = 10_000) => {
    const settings = {
      type: 'syslog',
      host: '127.0.0.1',
      port: rsyslog.port,
      framing,
      hostName: 'relay.test',
    };
    return syslog.create(syslog.schema.parse(settings), { name: 'siem', log, timeoutMs });
  };

  describe.each(framings)('%s', (framing) => {
    beforeEach(async () => {
      sink = aSink(framing);
      await sink.open(never);
    });

    it('gets each event once, whole and in order, with its numbers, by the time it has confirmed', async () => {
      const MAX_EVENT_BYTES = 8000;
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
      await sink.confirm(never);
      for (const { confirmed } of receipts) expect(await confirmed).toEqual({ refused: [] });
      const messages = await rsyslog.arrived(400);
      expect(messages).toHaveLength(400);
      expect(messages.findIndex(({ msg }, index) => msg !== String(all[index]?.events[0]))).toBe(-1);
      expect(messages.map(({ msg: _, raw: __, ...header }) => header)).toEqual(
        all.map(({ sequence }) => ({
          pri: '131',
          time: '2025-03-04T10:20:01.326Z',
          host: 'relay.test',
          app: 'defender-relay',
          procid: '12345',
          msgid: 'alert',
          sd: `[meta sequenceId="${sequence}"]`,
        })),
      );
    });

    it('S4: cannot be made to see a forged event', async () => {
      const forged = '<131>1 - - - - - - CEF:0|forged';
      await sink.send(
        rendered(3, 1, (number) => `CEF:0|${number}|a\n${forged}\r\n${forged}\0${forged}`),
        never,
      );
      await sink.confirm(never);
      const messages = await rsyslog.arrived(3);
      expect(messages.map(({ msg }) => msg.slice(0, 40))).toEqual(
        [1, 2, 3].map((number) => `CEF:0|${number}|a ${forged}`.slice(0, 40)),
      );
    });

    it('confirms nothing while it is frozen, and all when it goes on', async () => {
      await rsyslog.freeze();
      const { confirmed } = await sink.send(rendered(100), never);
      let settled = false;
      void confirmed.then(() => {
        settled = true;
      });
      const confirming = sink.confirm(never);
      // Longer than a confirmation ever took; it cannot come whatever the time.
      await sleep(300);
      expect(settled).toBe(false);
      await rsyslog.thaw();
      await confirming;
      expect(await confirmed).toEqual({ refused: [] });
      expect(await rsyslog.arrived(100)).toHaveLength(100);
    });

    it('S1: killed with unread events, all that was unconfirmed rejects, and arrives when sent again', async () => {
      await rsyslog.freeze();
      const receipts = [await sink.send(rendered(100), never), await sink.send(rendered(100, 101), never)];
      const confirming = sink.confirm(never).catch((error: unknown) => error);
      await rsyslog.kill();
      expect(await confirming).toBeInstanceOf(UnavailableError);
      for (const { confirmed } of receipts) await expect(confirmed).rejects.toThrow(UnavailableError);
      await expect(sink.open(never)).rejects.toThrow('nothing listens there');
      await rsyslog.restart();
      await sink.open(never);
      const again = await sink.send(rendered(200), never);
      await sink.confirm(never);
      await again.confirmed;
      const numbers = new Set((await rsyslog.arrived(200)).map(({ sd }) => sd));
      expect(numbers.size).toBe(200);
    });
  });

  it('S1: stopped and started while events flow, it has everything that was confirmed', async () => {
    sink = aSink('lf');
    const confirmed: string[] = [];
    let restarting: Promise<void> | undefined;
    let from = 1;
    while (from <= 3000) {
      if (from > 1000) restarting ??= rsyslog.restart();
      try {
        await sink.open(never);
        const batch = rendered(200, from);
        const { confirmed: receipt } = await sink.send(batch, never);
        await sink.confirm(never);
        await receipt;
        confirmed.push(...batch.map(({ sequence }) => `[meta sequenceId="${sequence}"]`));
        from += 200;
      } catch (error) {
        expect(error).toBeInstanceOf(UnavailableError);
        await sleep(10);
      }
    }
    await restarting;
    const lost = (messages: readonly RsyslogMessage[]) => {
      const read = new Set(messages.map(({ sd }) => sd));
      return confirmed.filter((number) => !read.has(number));
    };
    expect(confirmed).toHaveLength(3000);
    expect(lost(await rsyslog.arrived((messages) => lost(messages).length === 0))).toEqual([]);
  });
});

describe.skipIf(missing)('a real rsyslog with liblognorm', () => {
  it('gives CEF back field by field', async () => {
    const rsyslog = await startRsyslog({ cef: true });
    const settings = syslog.schema.parse({ type: 'syslog', host: '127.0.0.1', port: rsyslog.port });
    const sink = syslog.create(settings, { name: 'siem', log, timeoutMs: 10_000 });
    try {
      await sink.open(never);
      const texts = [
        'CEF:0|Microsoft|Defender|1|id|a\\|b é|5|rt=1 msg=x \\= "y"\\nz C:\\\\new end=2',
        'CEF:0|broken',
      ];
      await sink.send(
        rendered(2, 1, (number) => texts[number - 1]!),
        never,
      );
      await sink.confirm(never);
      const messages = await rsyslog.arrived(2);
      expect(messages.map(({ cef }) => cef)).toEqual([
        {
          DeviceVendor: 'Microsoft',
          DeviceProduct: 'Defender',
          DeviceVersion: '1',
          SignatureID: 'id',
          Name: 'a|b é',
          Severity: '5',
          Extensions: { t: '1', msg: 'x = "y"\nz C:\\new', end: '2' },
        },
        undefined,
      ]);
    } finally {
      await sink.close();
      await rsyslog.stop();
    }
  });
});
