import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UnavailableError } from '../../../../src/core/errors.ts';
import { Closers } from '../../../../src/lib/closers.ts';
import { isAbort } from '../../../../src/lib/wait.ts';
import { syslog } from '../../../../src/sinks/syslog/index.ts';
import { MAX_DATAGRAM_BYTES } from '../../../../src/sinks/syslog/transports/udp.ts';
import { rendered } from '../../../contracts/sink.contract.ts';
import { startUdpCollector } from '../../../support/collectors.ts';
import { utf8 } from '../../../support/utf8.ts';

const never = new AbortController().signal;
const log = { debug() {}, info() {}, warn() {}, error() {} };

describe('a syslog sink over UDP', () => {
  let closers: Closers;
  beforeEach(() => {
    closers = new Closers();
  });
  afterEach(() => closers.close());

  async function start(address = '127.0.0.1') {
    const collector = await startUdpCollector(address);
    closers.add('collector', { close: () => collector.stop() });
    return { collector, sink: aSink(address, collector.port) };
  }

  function aSink(host: string, port: number) {
    const settings = syslog.schema.parse({ type: 'syslog', transport: 'udp', host, port });
    return closers.add('sink', syslog.create(settings, { name: 'siem', log, timeoutMs: 1000 }));
  }

  it.each(['127.0.0.1', '::1'])('S4: sends each event in a datagram of its own to %s', async (address) => {
    const { collector, sink } = await start(address);
    await sink.open(never);
    const batch = rendered(500);
    const { confirmed } = await sink.send(batch, never);
    expect(await confirmed).toEqual({ refused: [] });
    await expect.poll(() => collector.events).toEqual(batch.flatMap((one) => sink.messages(one).map(String)));
  });

  it('S7: sends the largest event that a datagram can carry, and refuses a larger one whole', async () => {
    const { collector, sink } = await start();
    await sink.open(never);
    const [header] = sink.messages(rendered(1, 1, () => '')[0]!);
    const text = 'x'.repeat(MAX_DATAGRAM_BYTES - header!.length);
    const batch = [
      ...rendered(1, 1, () => text),
      { ...rendered(1, 2)[0]!, events: utf8('part 1', `${text}x`) },
      ...rendered(1, 4),
    ];
    const { confirmed } = await sink.send(batch, never);
    const { refused } = await confirmed;
    expect(refused).toEqual([
      { index: 1, reason: 'too-large', detail: expect.stringContaining('65508 bytes') },
    ]);
    await expect.poll(() => collector.events.length).toBe(2);
    expect(collector.events[0]).toHaveLength(MAX_DATAGRAM_BYTES);
    expect(collector.events[1]).toContain('event 4');
  });

  it('S13: says that nobody listens there, once it has heard of it', async () => {
    const { collector, sink } = await start();
    await sink.open(never);
    await collector.stop();
    const send = () => sink.send(rendered(1), never).catch((error: unknown) => error);
    await expect.poll(send).toBeInstanceOf(UnavailableError);
    expect(String(await send())).toContain('nothing listens there');
  });

  it('says that a name is not known', async () => {
    await expect(aSink('siem.invalid', 514).open(never)).rejects.toThrow(
      /siem\.invalid:514 failed: .*(DNS|name)/,
    );
    await expect(aSink('siem.invalid', 514).open(AbortSignal.abort())).rejects.toSatisfy(isAbort);
  });
});
