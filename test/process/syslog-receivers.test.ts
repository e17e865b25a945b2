import { describe, it } from 'vitest';
import { Closers } from '../../src/lib/closers.ts';
import { testCertificates } from '../support/certificates.ts';
import { MemoryJournal } from '../support/memory-journal.ts';
import { startReceiver } from '../support/receiver.ts';
import { judge, numbered, run, sinkTo, sized } from './delivering-to.ts';

const EVENT_BYTES = 250;
const RESETS = 5;
const records = numbered(25_000, 5_000);

// Most of the time they wait for the receiver.
describe.concurrent.each(['tcp', 'tls'] as const)('25,000 records over %s', (transport) => {
  it.for([
    ['reset five times with unread data', 0],
    ['frozen for three seconds before each of five resets', 3000],
  ] as const)(
    'S1: to a receiver that is %s: none is lost, and no more than a window is repeated',
    async ([what, frozenMs], { expect, onTestFinished }) => {
      const closers = new Closers();
      onTestFinished(() => closers.close());
      const isTls = transport === 'tls';
      const { server } = await testCertificates();
      const tls = isTls && { tls: { pair: server.good } };
      const receiver = closers.add('receiver', await startReceiver({ ...tls }));
      await receiver.behave({ does: 'reset', everyBytes: 1_200_000, times: RESETS, frozenMs });
      const sink = await sinkTo(receiver, { isTls, settings: { confirm: { every: '1s' } } });
      const journal = new MemoryJournal(records);
      const running = run(journal, sink, { format: sized(EVENT_BYTES) });
      closers.add('delivery', { close: () => running.stop('at once') });
      await running.done();
      await running.stop('in good order');

      const found = judge(receiver.events(), records);
      const { lost, repeated, longestRun } = found;
      const window = running.mostUnconfirmed();
      console.log(
        `${transport}, ${what}: ${running.failures.length} failures, lost ${lost}, repeated ${repeated}, ` +
          `at most ${longestRun} on end, of a window of ${window}`,
      );
      expect(found).toMatchObject({ lost: 0, outOfOrder: 0, renumbered: 0 });
      expect(running.failures.length).toBeGreaterThanOrEqual(RESETS);
      expect(longestRun).toBeLessThanOrEqual(window);
      expect(repeated).toBeLessThanOrEqual(running.failures.length * window);
      expect(receiver.torn()).toEqual([]);
    },
  );
});
