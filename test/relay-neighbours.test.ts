import { expect, it, onTestFinished } from 'vitest';
import { loadConfig } from '../src/config/load.ts';
import { Closers } from '../src/lib/closers.ts';
import { openLogger } from '../src/observe/logger.ts';
import { runRelay } from '../src/relay.ts';
import { startSimulator, writeSimulatorFiles } from '../src/simulator/index.ts';
import { testFolder } from './support/folder.ts';
import { Neighbourhood } from './support/neighbours.ts';

const ALERTS = 200;
const WINDOW = 30;
const patience = { timeout: 60_000 };

it('of each kind of sink one is dead and one is slow: the others are given everything, and what waits is not in memory', async () => {
  const closers = new Closers();
  onTestFinished(() => closers.close());
  const neighbourhood = new Neighbourhood(testFolder(), closers);
  const neighbours = await neighbourhood.start();
  const sinks = neighbours.map(
    ({ name, settings }) =>
      `  - { name: ${name}, ${settings}, format: { type: cef }, startFrom: journal, selfEvents: false,
      delivery: { window: ${WINDOW}, batchSize: 20, retry: { initial: 100ms } } }\n`,
  );
  const simulator = closers.add(
    'simulator',
    await startSimulator({ alerts: ALERTS, rate: 0, seed: 5, quota: false }),
  );
  const rest = `sinks:\n${sinks.join('')}server: { listen: '127.0.0.1:0' }\n`;
  const { config } = loadConfig((await writeSimulatorFiles(testFolder(), simulator, rest)).config);
  const soft = new AbortController();
  const hard = new AbortController();
  let port = 0;
  const listening = (taken: number) => {
    port = taken;
  };
  const log = openLogger('info', { write() {} });
  const context = { version: '0.0.0', log, now: Date.now, random: Math.random };
  const signals = { soft: soft.signal, hard: hard.signal };
  const ended = runRelay(config, { ...context, watch: { listening } }, signals);

  const idsAt = (name: string) =>
    new Set(
      neighbours
        .find((each) => each.name === name)!
        .events()
        .flatMap((event) => /externalId=(\S+)/.exec(event)?.[1] ?? []),
    );
  const allArrive = async () => {
    for (const kind of neighbourhood.kinds)
      await expect.poll(() => [kind, idsAt(`${kind}-healthy`).size], patience).toEqual([kind, ALERTS]);
  };
  // A relay that ends before that has failed, and says why.
  await Promise.race([allArrive(), ended]);

  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const gauge = (metric: string, sink: string) =>
    Number(new RegExp(`^defender_relay_${metric}\\{sink="${sink}"\\} (\\S+)$`, 'm').exec(metrics)?.[1]);
  for (const kind of neighbourhood.kinds) {
    expect(gauge('sink_pending_records', `${kind}-dead`), kind).toBeGreaterThanOrEqual(ALERTS);
    for (const { name } of neighbours.filter((each) => each.name.startsWith(kind)))
      expect(gauge('sink_unconfirmed_records', name), name).toBeLessThanOrEqual(WINDOW);
  }
  soft.abort();
  hard.abort();
  await ended;
}, 90_000);
