import { among, end, type Processes } from '../../scripts/processes.ts';
import { startGraph } from '../graph.ts';
import { marksOf, rateOf } from '../rate.ts';
import { ceilingOf } from '../reader.ts';
import { Receiver } from '../receivers.ts';
import type { Measured, Scenario } from '../scenario.ts';

/** Alerts of a run: of the relay, and of the peers. */
export const alertsOf = (quick: boolean): number => (quick ? 20_000 : 60_000);

export const RELAY = 'relay, durable journal';
export const IN_MEMORY = 'relay, journal in memory';
export const CEILING = 'ceiling of the generator';

/** Generator, relay and receiver are processes of their own, and share the cores. */
export const e2e: Scenario = {
  name: 'e2e',
  measures:
    'Graph over HTTPS → relay → CEF over TCP, 8 KB alerts with six pieces of evidence, all there from the start',
  run: ({ quick, say }) =>
    among(async (processes) => {
      const alerts = alertsOf(quick);
      const graph = await startGraph(processes, alerts);
      say('ceiling');
      const ceiling = await ceilingOf(graph, processes.folder, alerts);
      say(RELAY);
      const durable = await relayed(processes, alerts, './state');
      say(IN_MEMORY);
      const inMemory = await relayed(processes, alerts, "':memory:'");
      return [
        { what: CEILING, figures: ceiling },
        { what: RELAY, figures: durable },
        { what: IN_MEMORY, figures: inMemory },
      ];
    }),
};

/** @param directory of the journal, in YAML */
async function relayed(
  processes: Processes,
  alerts: number,
  directory: string,
): Promise<Measured['figures']> {
  const receiver = await Receiver.start(processes, marksOf(alerts));
  const config = processes.configure({ siem: receiver.port }, '', (before) =>
    before
      .replace('directory: ./state', `directory: ${directory}`)
      // A sweep would read all of it again.
      .replace('    every: 1s', '    every: 1s\n    sweep: { every: 24h }'),
  );
  const { child } = await processes.relay(config);
  const figures = await rateOf(receiver, child.pid!);
  await end(child);
  return figures;
}
