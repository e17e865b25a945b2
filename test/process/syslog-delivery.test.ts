import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Format } from '../../src/core/format.ts';
import { Closers } from '../../src/lib/closers.ts';
import { withTimeout } from '../../src/pipeline/policies/timeout.ts';
import { startSimulator, writeSimulatorFiles } from '../../src/simulator/index.ts';
import { Acknowledged } from '../../src/sinks/syslog/acknowledged.ts';
import { Hosts, hostOf } from '../../src/sinks/syslog/hosts.ts';
import { rfc5424 } from '../../src/sinks/syslog/rfc5424.ts';
import { SyslogSink } from '../../src/sinks/syslog/syslog-sink.ts';
import { overTcp } from '../../src/sinks/syslog/transports/tcp.ts';
import { whyMissing } from '../peers/missing.ts';
import { startSyslogNg } from '../peers/syslog-ng.ts';
import type { SyslogMessage } from '../peers/syslog-peer.ts';
import { collectLog } from '../support/log.ts';
import { MemoryJournal } from '../support/memory-journal.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { RelayProcess } from '../support/relay-process.ts';
import { judge, numbered, positionOf, type Run, run, sinkTo, sized } from './delivering-to.ts';

const MINUTE_MS = 60_000;
const format = sized(300);
const often = { confirm: { every: '100ms' } };

let closers: Closers;
beforeEach(() => {
  closers = new Closers();
});
afterEach(() => closers.close());

async function receive(name = 'receiver'): Promise<Receiver> {
  return closers.add(name, await startReceiver());
}

function deliver(...args: Parameters<typeof run>): Run {
  const running = run(...args);
  closers.add('delivery', { close: () => running.stop('at once') });
  return running;
}

describe('delivery to a real receiver', () => {
  it('S4 S9 S14 S15: finds the record that breaks every connection, sets it aside, and gives it all others', async () => {
    const receiver = await receive();
    await receiver.behave({ does: 'choke', on: '|178|' });
    const records = numbered(400, 100);
    const journal = new MemoryJournal(records);
    const running = deliver(journal, await sinkTo(receiver, { settings: often }), { format });
    await running.done();
    await running.stop('in good order');
    expect(running.refusals).toMatchObject([{ record: { revision: 178n }, reason: 'poison' }]);
    const good = records.filter(({ revision }) => revision !== 178n);
    const others = receiver.events().filter((event) => !event.includes('|178|'));
    const found = judge(others, good);
    console.log(`one record that breaks connections: ${running.failures.length} breaks,`, found);
    // It keeps its number: that is the hole by which a SIEM sees that one is missing.
    expect(found).toMatchObject({ lost: 0, outOfOrder: 0, renumbered: 0 });
    // Three to begin with, two or three to narrow down, and ten tries of the one record.
    expect(running.failures.length).toBeLessThanOrEqual(20);
    // One that proves that the receiver is well for each try, and what was narrowed down.
    expect(found.repeated).toBeLessThanOrEqual(10 * 10 + 4 * running.mostUnconfirmed());
  });

  it('keeps to so many events a second, as the receiver sees them', async () => {
    const PER_SECOND = 200;
    const BURST = PER_SECOND / 10;
    const receiver = await receive();
    const journal = new MemoryJournal(numbered(400));
    const sink = await sinkTo(receiver, { settings: often });
    const begunMs = performance.now();
    const running = deliver(journal, sink, { format, maxPerSecond: PER_SECOND });
    const all = running.done();
    let isOver = false;
    void all.then(() => {
      isOver = true;
    });
    // What is seen later than it came makes it no stricter.
    while (!isOver) {
      const { length } = receiver.events();
      const seconds = (performance.now() - begunMs) / 1000;
      expect(length).toBeLessThanOrEqual(2 * BURST + PER_SECOND * seconds);
      await sleep(20);
    }
    await all;
    expect(judge(receiver.events(), journal.records)).toMatchObject({ lost: 0, repeated: 0, outOfOrder: 0 });
  });

  it('gives an event that is sent again its number again, over a restart of sink, receiver and process', async () => {
    const receiver = await receive();
    const records = numbered(6000, 50);
    const journal = new MemoryJournal(records);
    for (let part = 1; part <= 5; part++) {
      // As a new process: all that it knows is what the journal has.
      const from = positionOf(journal);
      const sink = await sinkTo(receiver, { settings: often });
      // Slow enough to be interrupted.
      const running = deliver(journal, sink, { format, from, maxPerSecond: 20_000 });
      await receiver.until(({ length }) => length > part * 1000);
      if (part % 2 === 0) await receiver.restart();
      await running.stop(part === 3 ? 'in good order' : 'at once');
    }
    const from = positionOf(journal);
    const running = deliver(journal, await sinkTo(receiver, { settings: often }), { format, from });
    await running.done();
    await running.stop('in good order');
    const found = judge(receiver.events(), records);
    console.log('six processes and two restarts of the receiver:', found);
    expect(found).toMatchObject({ lost: 0, outOfOrder: 0, renumbered: 0 });
    expect(found.repeated).toBeGreaterThan(0);
    expect(positionOf(journal).sequence).toBe(records.length);
  });

  it('goes on with the next host when one fails and back when that is there again, and loses nothing', async () => {
    const [first, second] = [await receive('first'), await receive('second')];
    const log = collectLog();
    let laterMs = 0;
    const clock = () => performance.now() + laterMs;
    const hosts = [first, second].map(({ host, port }) => hostOf(host, port));
    const sink = new SyslogSink({
      hosts: new Hosts(hosts, overTcp('lf', 1000), log, clock),
      header: (fields) =>
        rfc5424({ facility: 'local0', hostName: 'relay', appName: 'defender-relay' }, fields),
      confirm: { by: 'close', everyMs: 100, afterMs: 1000 },
      maxMessageBytes: Number.MAX_SAFE_INTEGER,
      timeoutMs: 1000,
      acknowledged: new Acknowledged(() => {}),
      clock,
      log,
    });
    const records = numbered(9000, 50);
    const journal = new MemoryJournal(records.slice(0, 3000));
    const running = deliver(journal, withTimeout(sink, 1000), { format });
    await first.until(({ length }) => length > 500);
    // It hangs, with unread data, and is killed before it comes to itself.
    first.freeze();
    journal.append(...records.slice(3000, 6000));
    await second.until(({ length }) => length > 0);
    await first.kill();
    await running.done();
    const there = first.events().length;
    await first.restart();
    // It is looked at after a while, while something is sent to the other one.
    laterMs += MINUTE_MS;
    for (const record of records.slice(6000)) {
      journal.append(record);
      if (first.events().length === there) await running.done();
    }
    await running.done();
    await running.stop('in good order');
    expect(first.events().length).toBeGreaterThan(there);
    const names = hosts.map(({ name }) => name);
    const moves = log.lines.filter(({ message }) => message.startsWith('goes on with'));
    expect(moves.map(({ fields }) => fields)).toEqual([
      { from: names[0], to: names[1] },
      { from: names[1], to: names[0] },
    ]);
    const before = first.events().slice(0, there);
    const found = judge([...before, ...second.events(), ...first.events().slice(there)], records);
    console.log(`two hosts: ${before.length} to the first, ${second.events().length} to the second,`, found);
    expect(found).toMatchObject({ lost: 0, outOfOrder: 0, renumbered: 0 });
    expect(found.longestRun).toBeLessThanOrEqual(running.mostUnconfirmed());
  });
});

const missing = whyMissing('syslog-ng');

describe.skipIf(missing)(`delivery to a real syslog-ng${missing ? `: ${missing}` : ''}`, () => {
  it('S14 S15: sets aside what is above its limit, for which it closes the connection, and gives it all others', async () => {
    const route = { transport: 'tcp', framing: 'octet-counting', header: 'rfc5424' } as const;
    const peer = await startSyslogNg({});
    closers.add('syslog-ng', { close: () => peer.stop() });
    const { framing } = route;
    const sink = await sinkTo(
      { host: '127.0.0.1', port: peer.portFor(route) },
      { settings: { ...often, framing } },
    );
    const records = numbered(300);
    const journal = new MemoryJournal(records);
    const tooLarge: Format = (record, stamp) =>
      sized(record.revision === 123n ? 250_000 : 300)(record, stamp);
    const running = deliver(journal, sink, { format: tooLarge, maxEventBytes: 1_000_000 });
    await running.done();
    await running.stop('in good order');
    expect(running.refusals).toMatchObject([{ record: { revision: 123n }, reason: 'poison' }]);
    const revisionOf = (msg: string) => Number(msg.split('|')[1]);
    const isLast = ({ msg }: SyslogMessage) => revisionOf(msg) === 300;
    const messages = await peer.arrived((all) => all.some(isLast));
    const arrived = new Set(messages.map(({ msg }) => revisionOf(msg)));
    console.log(
      `above the limit of syslog-ng: ${running.failures.length} breaks, repeated ${messages.length - arrived.size}`,
    );
    expect(records.filter(({ revision }) => !arrived.has(Number(revision)))).toMatchObject([
      { revision: 123n },
    ]);
    expect(running.failures.length).toBeLessThanOrEqual(20);
  });
});

it('gives an event that is sent again its number again, whenever the relay is killed', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'syslog-delivery-'));
  closers.add('folder', { close: () => rmSync(directory, { recursive: true, force: true }) });
  const simulator = closers.add('simulator', await startSimulator({ alerts: 900, rate: 150, quota: false }));
  const receiver = await receive();
  const { config } = await writeSimulatorFiles(
    directory,
    simulator,
    `    overlap: 20s
    settle: 3s
sinks:
  - name: siem
    type: syslog
    host: 127.0.0.1
    port: ${receiver.port}
    startFrom: journal
    confirm: { every: 200ms }
server: { listen: 'off' }
`,
  );
  const relay = new RelayProcess(config);
  closers.add('relay', { close: async () => void (await relay.end('SIGKILL')) });
  const isAlert = (event: string) => event.includes(' alert [meta ');
  const idsIn = (events: readonly string[]) =>
    new Set(events.filter(isAlert).map((event) => /[ |]externalId=(\S+)/.exec(event)?.[1]));
  for (let part = 1; part <= 4; part++) {
    relay.start();
    await receiver.until((events) => idsIn(events).size > part * 150);
    await relay.end('SIGKILL');
  }
  relay.start();
  await receiver.until((events) => idsIn(events).size === 900);
  expect(await relay.end('SIGTERM'), relay.log.slice(-2000)).toBe(0);

  // Alerts, and that the relay has started.
  const events = receiver.events().filter((event) => event.includes(' [meta sequenceId='));
  const different = new Set(events);
  const numbers = [...different].map((event) => {
    const [, stream, number] = / defender-relay (\d+) \w+ \[meta sequenceId="(\d+)"\] /.exec(event) ?? [];
    return { stream, number: Number(number) };
  });
  console.log(`killed four times: ${events.length} events, ${different.size} different ones`);
  expect(events.length).toBeGreaterThan(different.size);
  expect(new Set(numbers.map(({ stream }) => stream)).size).toBe(1);
  // Without a hole, and no number twice.
  expect(numbers.map(({ number }) => number).toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: different.size }, (_, index) => index + 1),
  );
}, 60_000);
