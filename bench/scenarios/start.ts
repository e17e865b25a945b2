import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { among, end, program } from '../../scripts/processes.ts';
import { cpuOf, memoryOf } from '../../scripts/watch.ts';
import { freePort } from '../../test/peers/peer-process.ts';
import { startGraph } from '../graph.ts';
import { fill } from '../journals.ts';
import { Receiver } from '../receivers.ts';
import type { Scenario } from '../scenario.ts';
import { median } from '../statistics.ts';

const STARTS = 5;
const ASK_MS = 5;
const PATIENCE_MS = 60_000;

export const START = 'exec → /readyz';

/** How long a start takes that finds a full journal. */
export const start: Scenario = {
  name: 'start',
  once: true,
  measures: `${STARTS} starts of the relay with a full journal, all of it delivered`,
  run: ({ quick, say }) =>
    among(async (processes) => {
      say('the journal is made');
      const records = quick ? 100_000 : 1_000_000;
      await fill(join(processes.folder, 'state'), 0, records);
      await startGraph(processes, 0);
      const receiver = await Receiver.start(processes, []);
      const port = await freePort();
      const config = processes.configure(
        { siem: receiver.port },
        '',
        (before) => before.replace(/ {4}startFrom: .*\n/, ''),
        port,
      );
      const times: number[] = [];
      let [bytes, cpuMs] = [0, 0];
      for (let turn = 0; turn < STARTS; turn++) {
        say(`start ${turn + 1}`);
        const begun = performance.now();
        const child = processes.start([program, 'run', '--config', config]);
        for (const stream of [child.stdout!, child.stderr!]) stream.resume();
        while (!(await isReady(port))) {
          if (performance.now() - begun > PATIENCE_MS) throw new Error('the relay does not become ready');
          await sleep(ASK_MS);
        }
        times.push(performance.now() - begun);
        [bytes, cpuMs] = [Math.max(bytes, memoryOf(child.pid!, 'VmHWM')), cpuMs + cpuOf(child.pid!)];
        await end(child);
      }
      const note = `${records.toLocaleString('en')} records; CPU ${Math.round(cpuMs / STARTS)} ms each`;
      return [{ what: START, figures: { ms: median(times), maxMs: Math.max(...times), bytes }, note }];
    }),
};

async function isReady(port: number): Promise<boolean> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`);
    await answer.body?.cancel();
    return answer.ok;
  } catch {
    return false;
  }
}
