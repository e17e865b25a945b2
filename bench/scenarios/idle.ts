import { setTimeout as sleep } from 'node:timers/promises';
import { among, end } from '../../scripts/processes.ts';
import { cpuOf, memoryOf } from '../../scripts/watch.ts';
import { startGraph } from '../graph.ts';
import { Receiver } from '../receivers.ts';
import type { Scenario } from '../scenario.ts';

const SECONDS = { warmUp: 10, measured: 60, quick: 10 };

export const IDLE = 'a silent source';

/** What a relay takes that has nothing to do. */
export const idle: Scenario = {
  name: 'idle',
  once: true,
  measures: 'the relay with its default intervals, and nothing to read',
  run: ({ quick }) =>
    among(async (processes) => {
      await startGraph(processes, 0);
      const receiver = await Receiver.start(processes, []);
      const config = processes.configure({ siem: receiver.port }, '', (before) =>
        before.replace('    every: 1s\n', '').replace(/ {4}startFrom: .*\n/, ''),
      );
      const { child } = await processes.relay(config);
      await sleep(SECONDS.warmUp * 1000);
      const [begun, cpuMs] = [performance.now(), cpuOf(child.pid!)];
      await sleep((quick ? SECONDS.quick : SECONDS.measured) * 1000);
      const cpuShare = (cpuOf(child.pid!) - cpuMs) / (performance.now() - begun);
      const bytes = memoryOf(child.pid!, 'VmRSS');
      await end(child);
      return [{ what: IDLE, figures: { cpuShare, bytes } }];
    }),
};
