import { among, end } from '../../scripts/processes.ts';
import { freePort } from '../../test/peers/peer-process.ts';
import { startGraph } from '../graph.ts';
import { marksOf, rateOf } from '../rate.ts';
import { Receiver } from '../receivers.ts';
import type { Scenario } from '../scenario.ts';
import { alertsOf } from './e2e.ts';

/** What the slow one reads, a second. */
const SLOW_BYTES = 100_000;

export const HEALTHY = 'the healthy one of three';

/** Whether a sink that is dead, and one that is slow, hold up another one. */
export const fanout: Scenario = {
  name: 'fanout',
  measures:
    'end to end with three sinks: nobody listens at the first, the second reads 100 KB/s, the third is measured',
  run: ({ quick }) =>
    among(async (processes) => {
      const alerts = alertsOf(quick);
      await startGraph(processes, alerts);
      const slow = await Receiver.start(processes, [], ['--slow', String(SLOW_BYTES)]);
      const receiver = await Receiver.start(processes, marksOf(alerts));
      const ports = { dead: await freePort(), slow: slow.port, healthy: receiver.port };
      const config = processes.configure(ports, '', (before) =>
        before.replace('    every: 1s', '    every: 1s\n    sweep: { every: 24h }'),
      );
      const { child } = await processes.relay(config);
      const figures = await rateOf(receiver, child.pid!);
      await end(child);
      return [{ what: HEALTHY, figures }];
    }),
};
