/** A relay with a deliberate fault, and a sound one, each in a scene of its own; and what the oracle says of both. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { Closers } from '../../src/lib/closers.ts';
import {
  type Simulator,
  type SimulatorOptions,
  startSimulator,
  writeSimulatorFiles,
} from '../../src/simulator/index.ts';
import { type Collector, type Script, startCollector } from '../support/collectors.ts';
import { type Edit, editedProgram } from '../support/edited-program.ts';
import { judge, type Verdict, type Wrong, wrongIn } from '../support/oracle.ts';
import { cefId, type Received, receivedOf, receivedOfJson, ticks } from '../support/received.ts';
import { RelayProcess } from '../support/relay-process.ts';

/** A fault, and a scene that shows it. */
export interface FaultCase {
  readonly fault: string;
  readonly edits: readonly Edit[];
  /** What it is to be called. */
  readonly finds: readonly (Wrong | 'not live')[];
  readonly simulator: SimulatorOptions;
  /** What the receiver does at first; default: it reads. */
  readonly receiver?: () => Script;
  readonly format?: 'cef' | 'json';
  /** Events that may come more than once; default none. */
  readonly mayRepeat?: number;
  /** Called once the relay has been started. */
  play?(scene: FaultScene): Promise<void>;
}

export interface FaultScene {
  readonly simulator: Simulator;
  readonly receiver: Collector;
  readonly relay: RelayProcess;
  /** Waits until something holds; not for ever, for of a relay with a fault it may never hold. */
  until(holds: () => boolean): Promise<void>;
  /** So many events have come. */
  told(events: number): Promise<void>;
  /** Graph has given that revision of an alert. */
  given(): Promise<void>;
  /** Ends the relay and starts it again. */
  restart(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

/** Longest time for what a sound relay does in a second or two; and so long one with a fault never does it. */
const PATIENCE_MS = 60_000;
/** What comes twice may come with the next readings. */
const GRACE_MS = 2_000;

const rest = (port: number, format: string) => `    overlap: 20s
    settle: 1s
sinks:
  - name: siem
    type: syslog
    host: 127.0.0.1
    port: ${port}
    format: { type: ${format} }
    maxEventBytes: 60000
    startFrom: journal
    selfEvents: false
    confirm: { every: 100ms }
    delivery: { retry: { initial: 100ms, max: 500ms } }
server: { listen: 'off' }
`;

/** Plays the same scene with a sound relay and, at the same time, with one that has the fault. */
export async function withAndWithout(
  one: FaultCase,
): Promise<{ sound: readonly string[]; faulty: readonly string[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'relay-faulty-'));
  const closers = new Closers();
  onTestFinished(async () => {
    await closers.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const program = await editedProgram(join(folder, 'program'), one.edits);
  const [sound, faulty] = await Promise.all([openScene(one, closers), openScene(one, closers, program)]);
  await Promise.all([sound, faulty].map(({ scene }) => one.play?.(scene)));
  for (const { raiseFresh } of [sound, faulty]) raiseFresh();
  await sound.scene.until(() => sound.isAllTold());
  // Of one that has a fault nothing more can be waited for; in a copy that was never compiled it is slower, too.
  if (!one.finds.includes('not live')) await faulty.scene.until(() => faulty.isLive());
  await sleep(GRACE_MS);
  const [ofSound, ofFaulty] = await Promise.all([sound.verdict(), faulty.verdict()]);
  return { sound: ofSound, faulty: ofFaulty };
}

async function openScene(one: FaultCase, closers: Closers, program?: string) {
  const { format = 'cef', mayRepeat = 0 } = one;
  const folder = mkdtempSync(join(tmpdir(), 'relay-scene-'));
  closers.add('folder', { close: async () => rmSync(folder, { recursive: true, force: true }) });
  const simulator = await startSimulator({ quota: false, seed: 20261128, ...one.simulator });
  closers.add('simulator', simulator);
  const receiver = await startCollector('lf', one.receiver && { script: one.receiver() });
  closers.add('receiver', receiver);
  const { config } = await writeSimulatorFiles(folder, simulator, rest(receiver.port, format));
  const relay = new RelayProcess(config);
  if (program !== undefined) relay.program = program;
  closers.add('relay', { close: async () => void (await relay.end('SIGKILL')) });
  const ends: number[] = [];
  relay.start();

  const read = (line: string): Received =>
    format === 'cef' ? receivedOf(line) : receivedOfJson(line.slice(line.indexOf('{')));
  const received = () => receiver.events.map(read);
  const judged = (): Verdict => judge(simulator.account, received(), ends);
  let fresh: string | undefined;
  const isLive = () => received().some(({ id, revision }) => `${id} ${revision}` === fresh);
  const until = async (holds: () => boolean) => {
    const latest = performance.now() + PATIENCE_MS;
    while (!holds() && performance.now() < latest && relay.running) await sleep(50);
  };
  const isGiven = () => {
    const given = simulator.account.answers.flatMap(({ alerts }) => alerts);
    const known = new Set(given.map(({ id, revision }) => `${id} ${revision}`));
    return [...simulator.account.newest()].every(([id, revision]) => known.has(`${id} ${revision}`));
  };
  const scene: FaultScene = {
    simulator,
    receiver,
    relay,
    until,
    told: (events) => until(() => receiver.events.length >= events),
    given: () => until(isGiven),
    async restart(signal) {
      await relay.end(signal);
      ends.push(Date.now());
      relay.start();
    },
  };
  return {
    scene,
    raiseFresh() {
      simulator.raise(1, { tied: true });
      const { id, revision } = simulator.account.raised.at(-1)!;
      fresh = `${cefId(id)} ${ticks(revision)}`;
    },
    isLive,
    isAllTold: () => isLive() && judged().lost.length === 0,
    async verdict() {
      const wasLive = isLive();
      const exitCode = await relay.end('SIGTERM');
      const wrong = [...wrongIn(judged(), mayRepeat).keys()];
      return [
        ...wrong,
        ...(wasLive ? [] : ['not live']),
        ...(exitCode === 0 ? [] : [`ended by ${exitCode}`]),
      ];
    },
  };
}
