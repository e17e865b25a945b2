import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { loadConfig } from '../src/config/load.ts';
import { openLogger } from '../src/observe/logger.ts';
import type { Status } from '../src/observe/status.ts';
import { runRelay } from '../src/relay.ts';
import { startSimulator, writeSimulatorFiles } from '../src/simulator/index.ts';
import { type Collector, neverClose, readAll, startCollector } from './support/collectors.ts';

const ALERTS = 1_600;
const patience = { timeout: 20_000 };

interface Line {
  readonly level: string;
  readonly msg: string;
  readonly sink?: string;
}

const idsOf = (events: readonly string[]) =>
  new Set(events.map((event) => /externalId=(\S+)/.exec(event)?.[1]));

/** A relay with little room, and three receivers of which the last never answers. @param dead what is set for its sink */
async function scene(dead: string) {
  const directory = mkdtempSync(join(tmpdir(), 'relay-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const simulator = await startSimulator({
    alerts: ALERTS,
    rate: 800,
    maxTop: 250,
    seed: 7,
    quota: false,
  });
  onTestFinished(() => simulator.close());
  const names = ['siem', 'archive', 'lake'] as const;
  const receivers = new Map<string, Collector>();
  for (const name of names) {
    const receiver = await startCollector('lf', { script: name === 'lake' ? neverClose : readAll });
    onTestFinished(() => receiver.close());
    receivers.set(name, receiver);
  }
  const sinks = names.map(
    (name) => `  - name: ${name}
    type: syslog
    host: 127.0.0.1
    port: ${receivers.get(name)!.port}
    startFrom: journal
    selfEvents: false
    confirm: { every: 100ms }
    delivery: { timeout: 1h, retry: { initial: 10ms } }
${name === 'lake' ? dead : ''}`,
  );
  const rest = `sinks:\n${sinks.join('')}server: { listen: '127.0.0.1:0' }\n`;
  const { config } = loadConfig((await writeSimulatorFiles(directory, simulator, rest)).config);
  const lines: Line[] = [];
  const soft = new AbortController();
  let port = 0;
  const ended = runRelay(
    // Less than anybody may set.
    { ...config, state: { ...config.state, maxBytes: 560 * 1024 } },
    {
      version: '0.0.0',
      log: openLogger('info', { write: (line) => void lines.push(JSON.parse(line)) }),
      now: Date.now,
      random: Math.random,
      watch: {
        listening(taken) {
          port = taken;
        },
      },
    },
    { soft: soft.signal, hard: new AbortController().signal },
  );
  ended.catch(() => {});
  return {
    told: (text: RegExp) => lines.filter(({ msg }) => text.test(msg)),
    /** Ids of alerts that a receiver has read. */
    idsAt: (name: string) => idsOf(receivers.get(name)!.events),
    eventsAt: (name: string) => receivers.get(name)!.events,
    status: async () => (await (await fetch(`http://127.0.0.1:${port}/status`)).json()) as Status,
    ready: async () => await (await fetch(`http://127.0.0.1:${port}/readyz`)).text(),
    /** The last receiver answers from now on. */
    mend() {
      receivers.get('lake')!.play(readAll);
      receivers.get('lake')!.resetAll();
    },
    async stop() {
      soft.abort();
      await ended;
    },
  };
}

it('Q5: with a dead sink all others are served until the journal is full; the pause is told, and all goes on by itself', async () => {
  const relay = await scene('');
  await expect.poll(() => relay.told(/all sources pause/), patience).toHaveLength(1);
  // All that is in the journal they are given meanwhile.
  const pending = async (name: string) =>
    (await relay.status()).sinks.find((sink) => sink.name === name)?.pending;
  for (const name of ['siem', 'archive']) await expect.poll(() => pending(name), patience).toBe(0);
  const status = await relay.status();
  await expect
    .poll(() => relay.ready(), patience)
    .toMatch(/^journal: full .*, all sources pause; most of it waits for sink lake$/m);
  expect(status.journal!.records).toBeLessThan(ALERTS);
  relay.mend();
  for (const name of ['siem', 'archive', 'lake'])
    await expect.poll(() => relay.idsAt(name).size, patience).toBe(ALERTS);
  expect(relay.told(/has room again/)).not.toEqual([]);
  expect(relay.told(/gap/)).toEqual([]);
  await relay.stop();
});

it('Q5: with a dead sink that is not required the others are given all; what it misses is written down and told', async () => {
  const relay = await scene('    required: false\n');
  for (const name of ['siem', 'archive'])
    await expect.poll(() => relay.idsAt(name).size, patience).toBe(ALERTS);
  // On a slow machine for the others, but never for this one.
  expect(JSON.stringify(relay.told(/all sources pause/))).not.toContain('lake');
  expect(relay.told(/written down as a gap/)).toMatchObject([{ level: 'warn' }]);
  const lake = async () => (await relay.status()).sinks.find(({ name }) => name === 'lake')!;
  const waiting = await lake();
  expect(waiting.gaps).toMatchObject({ open: true });
  // With what the relay may have told of itself.
  expect(waiting.gaps!.records + waiting.pending).toBeGreaterThanOrEqual(ALERTS);
  expect(waiting.gaps!.records + waiting.pending).toBeLessThan(ALERTS + 20);
  await expect.poll(() => relay.ready(), patience).toBe('ready\n');
  const streamOf = (event: string) => /dvcpid=(\d+)/.exec(event)?.[1];
  const before = new Set(relay.eventsAt('lake').map(streamOf));
  const seen = relay.eventsAt('lake').length;
  relay.mend();
  await expect.poll(() => relay.told(/has come on, behind a gap/), patience).toHaveLength(1);
  await expect.poll(async () => (await lake()).pending, patience).toBe(0);
  const { gaps } = await lake();
  expect(gaps).toMatchObject({ open: false });
  const after = relay.eventsAt('lake').slice(seen);
  // Of nothing that is missing nobody knows.
  expect(idsOf(after).size + gaps!.records).toBeGreaterThanOrEqual(ALERTS);
  expect(idsOf(after).size).toBeLessThan(ALERTS);
  expect(after.map(streamOf).filter((stream) => before.has(stream))).toEqual([]);
  expect(after[0]).toContain('cn3=1 ');
  await relay.stop();
});
