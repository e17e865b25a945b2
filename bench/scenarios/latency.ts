import { once } from 'node:events';
import { join } from 'node:path';
import { among, end, type Processes } from '../../scripts/processes.ts';
import { cpuOf } from '../../scripts/watch.ts';
import { startGraph } from '../graph.ts';
import { Receiver } from '../receivers.ts';
import type { Measured, Scenario } from '../scenario.ts';
import { readStamps } from '../stamps.ts';
import { quantile } from '../statistics.ts';

const RATES = [100, 1_000, 5_000];
/** Seconds until the relay has started and is warm, and seconds that count. */
const SECONDS = { warmUp: 6, measured: 10, quick: 5 };
/** Who is further behind than this does not keep up. */
const PATIENCE_MS = 10_000;

export const fromPage = (rate: number): string => `page → event, ${rate.toLocaleString('en')}/s`;
export const fromAlert = (rate: number): string => `alert → event, ${rate.toLocaleString('en')}/s`;

/** How long it takes, where the relay is not behind. */
export const latency: Scenario = {
  name: 'latency',
  measures:
    'alerts that rise steadily, polled each second: from the last byte of the page that has one, and from its rise, to its event',
  async run({ quick, say }) {
    const rows: Measured[] = [];
    for (const rate of RATES) {
      say(`${rate}/s`);
      rows.push(...(await among((processes) => measure(processes, rate, quick))));
    }
    return rows;
  },
};

async function measure(processes: Processes, rate: number, quick: boolean): Promise<Measured[]> {
  const seconds = quick ? SECONDS.quick : SECONDS.measured;
  const [from, alerts] = [SECONDS.warmUp * rate, (SECONDS.warmUp + seconds) * rate];
  const [sent, received] = ['sent', 'received'].map((name) => join(processes.folder, name)) as [
    string,
    string,
  ];
  const graph = await startGraph(processes, alerts, { rate, stamps: sent });
  const receiver = await Receiver.start(processes, [from, alerts], ['--stamps', received]);
  // With the usual ten seconds most of what is polled each second would be known: here nothing becomes visible late.
  const config = processes.configure({ siem: receiver.port }, '', (before) =>
    before.replace('    every: 1s', '    every: 1s\n    settle: 1s\n    sweep: { every: 24h }'),
  );
  const { child } = await processes.relay(config);
  const warm = await receiver.mark(SECONDS.warmUp * 1000 + PATIENCE_MS).catch(() => undefined);
  const cpuMs = cpuOf(child.pid!);
  const last = warm && (await receiver.mark(seconds * 1000 + PATIENCE_MS).catch(() => undefined));
  const cpuMicros = (1000 * (cpuOf(child.pid!) - cpuMs)) / (alerts - from);
  await end(child);
  for (const { child: writer } of [graph, receiver]) {
    const ended = once(writer, 'exit');
    writer.kill('SIGTERM');
    await ended;
  }
  const [sentAt, receivedAt] = [readStamps(sent), readStamps(received)];
  const roseAt = (number: number) => graph.sinceMs + (number * 1000) / rate;
  const figuresSince = (begun: (number: number) => number) => {
    const all = receivedAt
      .map((at, number) => (at || Infinity) - begun(number))
      .subarray(from)
      .sort();
    return { p50Ms: quantile(all, 0.5), p99Ms: quantile(all, 0.99), maxMs: all.at(-1)! };
  };
  const page = figuresSince((number) => sentAt[number]!);
  return [
    last
      ? { what: fromPage(rate), figures: { ...page, cpuMicros } }
      : { what: fromPage(rate), figures: page, note: 'it does not keep up' },
    { what: fromAlert(rate), figures: figuresSince(roseAt) },
  ];
}
