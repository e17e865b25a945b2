import { setTimeout as sleep } from 'node:timers/promises';
import { describe, it, type TestContext } from 'vitest';
import { Closers } from '../../src/lib/closers.ts';
import { roomOf, START as START_PACE } from '../../src/sinks/syslog/pace.ts';
import { whyMissing } from '../peers/missing.ts';
import { testCertificates } from '../support/certificates.ts';
import { collectLog } from '../support/log.ts';
import { MemoryJournal } from '../support/memory-journal.ts';
import { makeNamespace } from '../support/namespace.ts';
import { type Behaviour, type ReceiverOptions, startReceiver } from '../support/receiver.ts';
import { judge, numbered, run, sinkTo, sized } from './delivering-to.ts';

const EVENT_BYTES = 1000;

/** Begins to deliver so many records to a receiver that behaves like that. */
async function start(
  { onTestFinished }: TestContext,
  count: number,
  behaviour: Behaviour | 'frozen',
  options: ReceiverOptions & { timeoutMs: number; confirm?: object; isTls?: boolean },
) {
  const closers = new Closers();
  onTestFinished(() => closers.close());
  const { timeoutMs, confirm, isTls = false } = options;
  const tls = { pair: (await testCertificates()).server.good };
  const receiver = closers.add('receiver', await startReceiver({ ...options, ...(isTls && { tls }) }));
  if (behaviour === 'frozen') receiver.freeze();
  else await receiver.behave(behaviour);
  const log = collectLog();
  const settings = { confirm: { every: '100ms', after: '1s', ...confirm } };
  const sink = await sinkTo(receiver, { settings, isTls, timeoutMs, log });
  const records = numbered(count);
  const journal = new MemoryJournal(records);
  const running = run(journal, sink, { format: sized(EVENT_BYTES) });
  closers.add('delivery', { close: () => running.stop('at once') });
  const said = (what: string) => log.lines.filter(({ message }) => message.includes(what));
  return { receiver, sink, journal, records, running, said };
}

/** What halving a window again and again can repeat: twice the window. */
const HALVED_BYTES = 2 * roomOf(START_PACE).bytes;
/** Halvings from the first window down to one event. */
const HALVINGS = Math.ceil(Math.log2(roomOf(START_PACE).bytes / EVENT_BYTES));
/** Time-outs with one record that make a receiver unconfirmable. */
const ENOUGH = 3;

/** For two of them; the third takes the longest. */
const over = [
  ['tcp', false],
  ['tls', true],
] as const;

// Most of the time they wait for the receiver.
describe.concurrent('a receiver', () => {
  it.for(over)(
    'S2: that reads 50 kB/s over %s gets everything, and repeats end when its pace is found',
    async ([transport, isTls], context) => {
      const { expect } = context;
      const slow = { does: 'read-slowly', bytesPerSecond: 50_000 } as const;
      const { receiver, records, running } = await start(context, 450, slow, { timeoutMs: 2000, isTls });
      await running.done();
      await running.stop('in good order');
      const found = judge(receiver.events(), records);
      console.log(`50 kB/s over ${transport}:`, found, `${running.failures.length} time-outs`);
      expect(found).toMatchObject({ lost: 0, outOfOrder: 0, renumbered: 0 });
      expect(new Set(running.failures.map(({ reason }) => reason))).toEqual(new Set(['timeout']));
      expect(running.failures.length).toBeLessThanOrEqual(HALVINGS);
      expect(found.repeated * EVENT_BYTES).toBeLessThanOrEqual(HALVED_BYTES);
    },
  );

  it.for(over)(
    'S2: that never closes over %s gets everything, is called unconfirmable, and repeats end there',
    async ([transport, isTls], context) => {
      const { expect } = context;
      const deaf = { does: 'keep-open' } as const;
      const { receiver, records, running, said } = await start(context, 400, deaf, { timeoutMs: 300, isTls });
      await running.done();
      await running.stop('in good order');
      const found = judge(receiver.events(), records);
      console.log(`never closes over ${transport}:`, found, `${running.failures.length} time-outs`);
      expect(found).toMatchObject({ lost: 0, outOfOrder: 0, renumbered: 0 });
      expect(said('unconfirmable')).toHaveLength(1);
      expect(running.failures.length).toBeLessThanOrEqual(HALVINGS + ENOUGH);
      expect(found.repeated * EVENT_BYTES).toBeLessThanOrEqual(HALVED_BYTES);
    },
  );

  it.for(over)(
    'S2: that never reads over %s is called unconfirmable; what it has not taken waits for it, and arrives',
    async ([transport, isTls], context) => {
      const { expect } = context;
      const hung = { does: 'ignore' } as const;
      const { receiver, journal, records, running, said } = await start(context, 400, hung, {
        timeoutMs: 300,
        isTls,
      });
      while (said('unconfirmable').length === 0) {
        expect(journal.advances).toEqual([]);
        await sleep(5);
      }
      while (said('has stopped reading').length === 0) await sleep(5);
      // One time-out after the other would take ten times as long; nothing is repeated meanwhile.
      const { length } = running.failures;
      const connections = receiver.connections();
      await sleep(1000);
      expect([running.failures.length, receiver.connections()]).toEqual([length, connections]);
      expect(length).toBeLessThanOrEqual(HALVINGS + ENOUGH);
      const taken = journal.cursor.index + 1;
      expect(taken).toBeLessThan(records.length);
      await receiver.restart();
      await running.done();
      await running.stop('in good order');
      const found = judge(receiver.events(), records.slice(taken));
      console.log(`never reads over ${transport}:`, { ...found, taken }, `${length} time-outs`);
      expect(found).toMatchObject({ lost: 0, outOfOrder: 0, renumbered: 0 });
      expect(said('has stopped reading')).toHaveLength(1);
    },
  );

  it('S3: that never shakes hands is given nothing, is told of, and gets everything once when it does', async (context) => {
    const { expect } = context;
    const options = { timeoutMs: 300, isTls: true };
    const { receiver, journal, records, running } = await start(context, 100, 'frozen', options);
    while (running.failures.length < 3) await sleep(5);
    for (const { message } of running.failures) expect(message).toContain('no end of the TLS handshake');
    expect(journal.advances).toEqual([]);
    expect(running.mostUnconfirmed()).toBe(0);
    receiver.thaw();
    await running.done();
    await running.stop('in good order');
    expect(judge(receiver.events(), records)).toMatchObject({ lost: 0, repeated: 0, outOfOrder: 0 });
  });
});

const missing = whyMissing('network namespaces');

describe.skipIf(missing)(`a receiver that vanishes${missing ? `: ${missing}` : ''}`, () => {
  it.for(['close', 'delay'] as const)(
    'S2: is told of, confirms nothing, and gets everything when it is back (%s)',
    async (by, context) => {
      const { expect } = context;
      const namespace = makeNamespace();
      context.onTestFinished(() => namespace.close());
      const options = { namespace, timeoutMs: 500, confirm: { by } };
      const { receiver, journal, running } = await start(context, 300, { does: 'read' }, options);
      await receiver.until(({ length }) => length === 300);
      namespace.vanish();
      const records = numbered(3000);
      journal.append(...records.slice(300));
      // The connection that was there, and new ones.
      while (running.failures.length < 3) await sleep(5);
      expect(new Set(running.failures.map(({ reason }) => reason))).toEqual(new Set(['timeout']));
      expect(journal.cursor.index).toBeLessThan(300);
      namespace.heal();
      await running.done();
      await running.stop('in good order');
      const found = judge(receiver.events(), records);
      console.log(`vanished, by ${by}:`, found, `of a window of ${running.mostUnconfirmed()}`);
      expect(found).toMatchObject({ lost: 0, outOfOrder: 0, renumbered: 0 });
      expect(found.repeated).toBeLessThanOrEqual(running.mostUnconfirmed());
    },
  );
});
