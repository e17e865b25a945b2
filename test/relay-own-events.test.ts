import { expect, it, onTestFinished, vi } from 'vitest';
import { loadConfig } from '../src/config/load.ts';
import { openLogger } from '../src/observe/logger.ts';
import { runRelay } from '../src/relay.ts';
import { startSimulator, writeSimulatorFiles } from '../src/simulator/index.ts';
import { type Collector, readAll, startCollector } from './support/collectors.ts';
import { testFolder } from './support/folder.ts';

const patience = { timeout: 20_000 };

/** Ids of the events of the relay itself, with the sink that they are about. */
const own = ({ events }: Collector) =>
  events.flatMap((event) => {
    const [, id] = /CEF:0\|defender-relay\|defender-relay\|1\|([a-z-]+)\|/.exec(event.toString()) ?? [];
    const [, sink] = /cs2Label=sink cs2=(\S+)/.exec(event.toString()) ?? [];
    return id === undefined ? [] : [sink === undefined ? id : `${id} ${sink}`];
  });

it('D16: a sink that is down and back is told to the others, and to itself once it is back', async () => {
  const simulator = await startSimulator({ alerts: 5, rate: 1_000, seed: 1 });
  onTestFinished(() => simulator.close());
  const siem = await startCollector('lf', { script: readAll });
  onTestFinished(() => siem.close());
  const gone = await startCollector('lf', { script: readAll });
  await gone.close();
  const sink = (name: string, port: number, more = '') =>
    `  - { name: ${name}, type: syslog, host: 127.0.0.1, port: ${port}, startFrom: journal, confirm: { every: 100ms }, delivery: { retry: { initial: 50ms, max: 100ms } }${more} }\n`;
  const quiet = await startCollector('lf', { script: readAll });
  onTestFinished(() => quiet.close());
  const sinks = `${sink('siem', siem.port, ', match: { serviceSource: [microsoftSecurityForAI] }')}${sink('archive', gone.port)}${sink('quiet', quiet.port, ', selfEvents: false')}`;
  const rest = `sinks:\n${sinks}server: { listen: 'off' }\n`;
  const { config } = loadConfig((await writeSimulatorFiles(testFolder(), simulator, rest)).config);

  // The clock that nobody sets, and what looks at it every ten seconds, are in our hands.
  const real = performance.now.bind(performance);
  let aheadMs = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => real() + aheadMs);
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => {
    vi.useRealTimers();
    vi.restoreAllMocks();
  });
  const look = () => vi.advanceTimersByTime(10_000);

  const soft = new AbortController();
  const ended = runRelay(
    config,
    { version: '0.0.0', log: openLogger('error', { write() {} }), now: Date.now, random: Math.random },
    { soft: soft.signal, hard: new AbortController().signal },
  );
  await expect.poll(() => own(siem), patience).toEqual(['relay-started']);
  await expect.poll(() => quiet.events.length, patience).toBe(5);
  aheadMs += 61_000;
  look();
  await expect.poll(() => own(siem), patience).toEqual(['relay-started', 'sink-failing archive']);

  const archive = await startCollector('lf', { script: readAll, port: gone.port });
  onTestFinished(() => archive.close());
  await expect.poll(() => own(archive), patience).toEqual(['relay-started', 'sink-failing archive']);
  const isHealed = () => {
    look();
    return own(siem).at(-1);
  };
  await expect.poll(isHealed, { ...patience, interval: 200 }).toBe('sink-healed archive');
  await expect.poll(() => own(archive).at(-1), patience).toBe('sink-healed archive');
  soft.abort();
  await ended;

  expect(own(siem)).toHaveLength(3);
  // Only what passes every match: it wants no alert.
  expect(siem.events).toHaveLength(3);
  expect(own(quiet)).toEqual([]);
  const numbers = archive.events.map((event) => Number(/cn3=(\d+)/.exec(event.toString())?.[1]));
  expect(new Set(numbers)).toEqual(new Set([1, 2, 3, 4, 5, 6, 7, 8]));
}, 60_000);
