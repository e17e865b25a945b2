import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { loadConfig } from '../src/config/load.ts';
import { openLogger } from '../src/observe/logger.ts';
import { runRelay } from '../src/relay.ts';
import { startSimulator, writeSimulatorFiles } from '../src/simulator/index.ts';
import { testCertificates } from './support/certificates.ts';
import { type Collector, neverRead, type Script, slow, startCollector } from './support/collectors.ts';
import { type EventHubs, SERVER_BUSY, startEventHubs } from './support/event-hubs/index.ts';
import { testFolder } from './support/folder.ts';
import { aReceiver } from './support/http-receiver.ts';
import { lateAndReversed, type RelpScript, startRelpServer } from './support/relp-server.ts';

const ALERTS = 200;
const WINDOW = 30;
const SLOWLY_MS = 300;
const patience = { timeout: 60_000 };

/** A receiver, the settings of the sink that sends to it, and what has arrived. */
interface Neighbour {
  readonly settings: string;
  events(): readonly string[];
}

interface Kind {
  readonly healthy: () => Promise<Neighbour>;
  /** It takes what comes, or the connection alone, and never says that it has it. */
  readonly dead: () => Promise<Neighbour>;
  /** Left out: there is no such thing. */
  readonly slow?: () => Promise<Neighbour>;
}

const closing = <T extends { close(): unknown }>(opened: T): T => {
  onTestFinished(async () => void (await opened.close()));
  return opened;
};

async function overTcp(script?: Script): Promise<Neighbour> {
  const collector: Collector = closing(await startCollector('lf', script && { script }));
  const settings = `type: syslog, host: 127.0.0.1, port: ${collector.port}`;
  return { settings, events: () => collector.events };
}

async function overTls(script?: Script, isPlain = false): Promise<Neighbour> {
  const { ca, server } = await testCertificates();
  const file = join(testFolder(), 'ca.pem');
  writeFileSync(file, ca);
  const tls = isPlain ? {} : { tls: server.good };
  const collector = closing(await startCollector('octet-counting', { ...tls, ...(script && { script }) }));
  const settings = `type: syslog, transport: tls, host: 127.0.0.1, port: ${collector.port}, tls: { ca: ${file} }`;
  return { settings, events: () => collector.events };
}

async function overRelp(script?: RelpScript): Promise<Neighbour> {
  const server = closing(await startRelpServer());
  if (script) server.play(script);
  const settings = `type: syslog, transport: relp, host: 127.0.0.1, port: ${server.port}`;
  return { settings, events: () => server.accepted };
}

async function overHttp(after?: () => Promise<unknown>): Promise<Neighbour> {
  const receiver = await aReceiver(after && (() => ({ after: after() })));
  const settings = `type: http, url: '${receiver.origin}/'`;
  return { settings, events: () => receiver.taken };
}

async function overAmqp(always?: EventHubs['always']): Promise<Neighbour> {
  const hubs = closing(await startEventHubs());
  hubs.always = always;
  const secret = join(testFolder(), 'connection-string');
  writeFileSync(secret, hubs.connectionString('alerts'));
  const settings = `type: event-hubs, connectionString: '\${file:${secret}}'`;
  return { settings, events: () => hubs.texts() };
}

/** In a folder that turns out to be a file, or not. */
async function toFile(isThere = true): Promise<Neighbour> {
  const folder = join(testFolder(), 'folder');
  if (isThere) mkdirSync(folder);
  else writeFileSync(folder, '');
  const file = join(folder, 'events.log');
  const events = () => (isThere ? readFileSync(file, 'utf8').split('\n') : []);
  return { settings: `type: file, path: ${file}`, events };
}

const later = () => new Promise((resolve) => setTimeout(resolve, SLOWLY_MS));

const kinds: Readonly<Record<string, Kind>> = {
  tcp: { healthy: () => overTcp(), dead: () => overTcp(neverRead), slow: () => overTcp(slow(SLOWLY_MS)) },
  tls: {
    healthy: () => overTls(),
    dead: () => overTls(neverRead, true),
    slow: () => overTls(slow(SLOWLY_MS)),
  },
  relp: {
    healthy: () => overRelp(),
    dead: () => overRelp(({ name }) => name === 'syslog'),
    slow: () => overRelp(lateAndReversed(SLOWLY_MS)),
  },
  http: {
    healthy: () => overHttp(),
    dead: () => overHttp(() => new Promise(() => {})),
    slow: () => overHttp(later),
  },
  'event-hubs': {
    healthy: () => overAmqp(),
    dead: () => overAmqp('silence'),
    slow: () => overAmqp(SERVER_BUSY),
  },
  file: { healthy: () => toFile(), dead: () => toFile(false) },
};

it('of each kind of sink one is dead and one is slow: the others are given everything, and what waits is not in memory', async () => {
  const neighbours = new Map<string, Neighbour>();
  for (const [kind, states] of Object.entries(kinds))
    for (const [state, start] of Object.entries(states) as [keyof Kind, Kind['healthy']][])
      neighbours.set(`${kind}-${state}`, await start());
  const sinks = [...neighbours].map(
    ([name, { settings }]) =>
      `  - { name: ${name}, ${settings}, format: { type: cef }, startFrom: journal, selfEvents: false,
      delivery: { window: ${WINDOW}, batchSize: 20, retry: { initial: 100ms } } }\n`,
  );
  const simulator = closing(await startSimulator({ alerts: ALERTS, rate: 0, seed: 5, quota: false }));
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
        .get(name)!
        .events()
        .flatMap((event) => /externalId=(\S+)/.exec(event)?.[1] ?? []),
    );
  const allArrive = async () => {
    for (const kind of Object.keys(kinds))
      await expect.poll(() => [kind, idsAt(`${kind}-healthy`).size], patience).toEqual([kind, ALERTS]);
  };
  // A relay that ends before that has failed, and says why.
  await Promise.race([allArrive(), ended]);

  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const gauge = (metric: string, sink: string) =>
    Number(new RegExp(`^defender_relay_${metric}\\{sink="${sink}"\\} (\\S+)$`, 'm').exec(metrics)?.[1]);
  for (const kind of Object.keys(kinds)) {
    expect(gauge('sink_pending_records', `${kind}-dead`), kind).toBeGreaterThanOrEqual(ALERTS);
    for (const name of [...neighbours.keys()].filter((each) => each.startsWith(kind)))
      expect(gauge('sink_unconfirmed_records', name), name).toBeLessThanOrEqual(WINDOW);
  }
  soft.abort();
  hard.abort();
  await ended;
}, 90_000);
