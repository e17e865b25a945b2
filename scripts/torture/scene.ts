import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Faults,
  type Simulator,
  startSimulator,
  writeSimulatorFiles,
} from '../../src/simulator/index.ts';
import { Random } from '../../src/simulator/random.ts';
import { whyMissing } from '../../test/peers/missing.ts';
import { testCertificates } from '../../test/support/certificates.ts';
import { makeNamespace, type Namespace } from '../../test/support/namespace.ts';
import { isAllTold, judge, type Verdict } from '../../test/support/oracle.ts';
import { cefId, type Received, receivedOf, ticks } from '../../test/support/received.ts';
import { type Receiver, startReceiver } from '../../test/support/receiver.ts';
import { RelayProcess } from '../../test/support/relay-process.ts';
import { openSides, type Side } from './sides.ts';

/** Alerts a second. */
const RATE = 20;
/** What is on all the time: alerts change, and some become visible late. */
const ALWAYS: Faults = { update: 0.2, late: 0.05 };
/** The journal's own limit is the least there may be, and its disk holds as much again. */
const DISK = '128m';
/** Longest time until a fresh alert must have arrived after a harm has ended. */
export const RECOVERY_MS = 120_000;

/** Events among which a fresh one is looked for: more than come between two looks. */
const LATEST = 500;

export const transports = ['tcp', 'tls'] as const;
export type Transport = (typeof transports)[number];

/** Simulator, relay and receiver, with what can be done to them. */
export interface Scene {
  readonly random: Random;
  /** When the disk of the journal was at fault; milliseconds since 1970. */
  readonly diskFaults: { readonly from: number; readonly to: number }[];
  readonly simulator: Simulator;
  /** Of the sink that bad things are done to most of the time. */
  readonly receiver: Receiver;
  readonly sides: readonly Side[];
  readonly transport: Transport;
  readonly relay: RelayProcess;
  /** How many versions of the schema its program knows beyond those of the one that was built. */
  upgrades: number;
  /** Of config and whatever else the scene needs. */
  readonly folder: string;
  /** The folder of the journal; by itself on a small disk where that can be made. */
  readonly state: string;
  readonly hasOwnDisk: boolean;
  readonly namespace: Namespace | undefined;
  /** Faults of the simulator that may be on together with those that are on all the time. */
  setFaults(faults: Faults): void;
  /** Writes another config; the relay is not told. */
  reconfigure(): void;
  start(before?: readonly string[]): void;
  /** Ends the relay by a signal, and notes when. */
  end(signal: NodeJS.Signals): Promise<void>;
  /** The relay has ended by itself or by a signal that somebody else sent; notes when. */
  ended(): Promise<void>;
  /** Waits for an alert that was raised from now on to arrive; milliseconds, `undefined` when none came in time. */
  recovered(): Promise<number | undefined>;
  /** Ends raising and the relay, once all that is owed has arrived or too much time has passed. */
  finish(): Promise<SceneVerdict>;
  /** Writes down what is needed to find out what went wrong; gives the folder. */
  keep(): string;
  close(): Promise<void>;
}

export interface SinkVerdict extends Verdict {
  /** What is not one event: glued or forged. */
  readonly merged: readonly string[];
}

export interface SceneVerdict {
  /** By the name of the sink. */
  readonly sinks: ReadonlyMap<string, SinkVerdict>;
  /** Rests of events at the end of a connection: when the relay is killed in the middle of a write, its kernel ends it so. */
  readonly torn: readonly string[];
  readonly exitCode: number | null;
}

const settings = (transport: Transport, { host, port }: Receiver, sides: readonly Side[]) => `    overlap: 20s
    settle: 3s
    sweep: { every: 1m, window: 5m }
sinks:
  - name: siem
    type: syslog
    transport: ${transport}
    host: ${host}
    port: ${port}${transport === 'tls' ? '\n    tls: { ca: receiver-ca.pem }' : ''}
    startFrom: journal
    confirm: { every: 200ms }
    delivery: { timeout: 5s, retry: { initial: 100ms, max: 1s } }
${sides.map((side) => side.settings).join('')}server: { listen: 'off' }
heartbeat: { every: 10s }
`;

/** @param lane scenes run side by side; each has other sinks */
export async function openScene(seed: number, lane: number): Promise<Scene> {
  const transport = transports[lane % transports.length]!;
  const folder = mkdtempSync(join(tmpdir(), 'relay-torture-'));
  const random = new Random(seed);
  const mayMount = whyMissing('file systems of their own') === undefined;
  // Its certificate is for this machine's own address, not for that of a namespace.
  const mayVanish = transport === 'tcp' && whyMissing('network namespaces') === undefined;
  const namespace = mayVanish ? makeNamespace() : undefined;
  const certificates = await testCertificates();
  const framing = transport === 'tls' ? 'octet-counting' : 'lf';
  const receiver = await startReceiver({
    framing,
    ...(namespace && { namespace }),
    ...(transport === 'tls' && { tls: { pair: certificates.server.good } }),
  });
  const sides = await openSides(folder, lane);
  const simulator = await startSimulator({
    rate: RATE,
    faults: ALWAYS,
    lateMs: [500, 5_000],
    updateMs: [500, 5_000],
    outageMs: [1_000, 4_000],
    quota: false,
    seed,
  });
  writeFileSync(join(folder, 'receiver-ca.pem'), certificates.ca);
  const { config } = await writeSimulatorFiles(folder, simulator, settings(transport, receiver, sides));
  const written = readFileSync(config, 'utf8');
  writeFileSync(config, written.replace('directory: ./state', 'directory: ./state\n  maxBytes: 64MiB'));
  const state = join(folder, 'state');
  mkdirSync(state, { mode: 0o700 });
  if (mayMount) execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK},mode=0700`, 'tmpfs', state]);
  const relay = new RelayProcess(config);
  const lines = new Lines();
  const processEnds: number[] = [];
  const diskFaults: Scene['diskFaults'] = [];

  const end = async (signal: NodeJS.Signals) => {
    await relay.end(signal);
    processEnds.push(Date.now());
  };
  /** All sinks, and what each has told. */
  const told = (): Map<string, { received: readonly Received[]; merged: readonly string[] }> =>
    new Map([
      ['siem', lines.wholeOf(receiver.events())],
      ...sides.map((side) => [side.name, { received: side.received(), merged: side.merged }] as const),
    ]);
  const judged = (): ReadonlyMap<string, SinkVerdict> =>
    new Map(
      [...told()].map(([name, { received, merged }]) => [
        name,
        { ...judge(simulator.account, received, processEnds, diskFaults), merged },
      ]),
    );
  return {
    random,
    diskFaults,
    simulator,
    receiver,
    sides,
    transport,
    relay,
    upgrades: 0,
    folder,
    state,
    hasOwnDisk: mayMount,
    namespace,
    setFaults: (faults) => simulator.setFaults({ ...ALWAYS, ...faults }),
    reconfigure() {
      const everyMs = random.int(100, 1_000);
      const text = readFileSync(config, 'utf8').replace(
        /confirm: \{ every: \d+ms \}/,
        `confirm: { every: ${everyMs}ms }`,
      );
      writeFileSync(config, text);
    },
    start: (before = []) => relay.start(before),
    end,
    async ended() {
      await relay.ended();
      processEnds.push(Date.now());
    },
    async recovered() {
      const from = Date.now();
      const raisedBefore = simulator.account.raised.length;
      const waiting = new Map(sides.map((side) => [side.name, side.received().length]));
      let isTold = false;
      for (;;) {
        if (Date.now() - from > RECOVERY_MS || !relay.running) return undefined;
        const raised = simulator.account.raised.slice(raisedBefore);
        const fresh = new Set(raised.map(({ id, revision }) => `${cefId(id)} ${ticks(revision)}`));
        const isFresh = ({ id, revision }: Received) => fresh.has(`${id} ${revision}`);
        isTold ||= lines.wholeOf(receiver.events().slice(-LATEST)).received.some(isFresh);
        for (const side of sides) {
          const at = waiting.get(side.name);
          if (at !== undefined && side.received().slice(at).some(isFresh)) waiting.delete(side.name);
        }
        if (isTold && waiting.size === 0) return Date.now() - from;
        await sleep(100);
      }
    },
    async finish() {
      simulator.stopRaising();
      while (simulator.account.pending > 0) await sleep(200);
      simulator.heal();
      const count = () => [...told().values()].reduce((sum, { received }) => sum + received.length, 0);
      const isOver = () =>
        [...told().values()].every(({ received }) =>
          isAllTold(simulator.account, received, processEnds, diskFaults),
        );
      // On a busy machine it may be long until all has come; but as long as it comes it is not lost.
      let before = -1;
      for (let idleMs = 0; relay.running && idleMs < RECOVERY_MS; idleMs += 1_000) {
        await sleep(1_000);
        const now = count();
        if (now === before && isOver()) break;
        if (now !== before) idleMs = 0;
        before = now;
      }
      const exitCode = await relay.end('SIGTERM');
      return { sinks: judged(), torn: receiver.torn(), exitCode };
    },
    keep() {
      const kept = mkdtempSync(join(tmpdir(), 'relay-torture-kept-'));
      const { raised, answers, requests } = simulator.account;
      writeFileSync(join(kept, 'relay.log'), relay.log);
      writeFileSync(join(kept, 'received'), receiver.events().join('\n'));
      writeFileSync(
        join(kept, 'account.json'),
        JSON.stringify({ raised, answers, requests, processEnds, diskFaults }),
      );
      return kept;
    },
    async close() {
      await relay.end('SIGKILL');
      await simulator.close();
      await receiver.close();
      for (const side of sides) await side.close();
      namespace?.close();
      if (mayMount) execFileSync('umount', ['-l', state]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Reads lines, each once: they are looked at again and again. */
class Lines {
  readonly #known = new Map<string, Received | undefined>();

  /** Heartbeats are no alerts. */
  wholeOf(lines: readonly string[]): { received: Received[]; merged: string[] } {
    const received: Received[] = [];
    const merged: string[] = [];
    for (const line of lines) {
      if (line.includes('|defender-relay|defender-relay|')) continue;
      const event = this.#read(line);
      if (event) received.push(event);
      else merged.push(line);
    }
    return { received, merged };
  }

  #read(line: string): Received | undefined {
    if (this.#known.has(line)) return this.#known.get(line);
    let event: Received | undefined;
    try {
      event = receivedOf(line);
    } catch {
      // Glued, forged or torn.
    }
    this.#known.set(line, event);
    return event;
  }
}
