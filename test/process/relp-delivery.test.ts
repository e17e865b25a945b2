import { expect, it } from 'vitest';
import { Closers } from '../../src/lib/closers.ts';
import { MemoryJournal } from '../support/memory-journal.ts';
import { type Command, type RelpPeer, startRelpServer } from '../support/relp-server.ts';
import { judge, numbered, run, sinkTo, sized } from './delivering-to.ts';

const records = numbered(6000, 1200);
const EVERY = 400;

const misdeeds: readonly ((command: Command, peer: RelpPeer) => void)[] = [
  (_, peer) => peer.end(),
  (_, peer) => peer.reset(),
  (_, peer) => peer.say('0 serverclose 0\n'),
  (_, peer) => peer.answer(1, '200 OK'),
  ({ txnr }, peer) => peer.answer(txnr + 100_000, '200 OK'),
  ({ txnr }, peer) => peer.answer(txnr, '421 later'),
  (_, peer) => peer.say('\0\n\n 12 rsp'),
  (_, peer) => peer.say('7 rsp 123456789 2'),
  // Mute for this one, and well otherwise.
  () => {},
];

it('S1: to a RELP receiver that misbehaves in every way by turns: none is lost, and no more than a window is repeated', async ({
  onTestFinished,
}) => {
  const closers = new Closers();
  onTestFinished(() => closers.close());
  let events = 0;
  let done = 0;
  const server = closers.add(
    'server',
    await startRelpServer({
      script(command, peer) {
        if (command.name !== 'syslog') return false;
        events += 1;
        if (events % EVERY !== 0) return false;
        misdeeds[done++ % misdeeds.length]?.(command, peer);
        return true;
      },
    }),
  );
  const sink = await sinkTo(
    { host: '127.0.0.1', port: server.port },
    { settings: { transport: 'relp' }, timeoutMs: 1000 },
  );
  const delivering = run(new MemoryJournal(records), sink, { format: sized(250) });
  closers.add('delivery', { close: () => delivering.stop('at once') });
  await delivering.done();
  await delivering.stop('in good order');
  const found = judge(server.accepted, records);
  expect(found).toMatchObject({ lost: 0, outOfOrder: 0, renumbered: 0 });
  expect(delivering.refusals).toEqual([]);
  expect(done).toBeGreaterThanOrEqual(misdeeds.length);
  expect(delivering.failures.length).toBeGreaterThanOrEqual(misdeeds.length);
  expect(found.repeated).toBeLessThanOrEqual(delivering.failures.length * delivering.mostUnconfirmed());
});
