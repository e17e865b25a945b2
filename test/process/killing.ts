import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished } from 'vitest';
import { type FaultName, startSimulator, writeSimulatorFiles } from '../../src/simulator/index.ts';
import { judge, wrongIn } from '../support/oracle.ts';
import { RelayProcess } from '../support/relay-process.ts';

/** A receiver that outlives the relay: it keeps each line it has read. */
async function startReceiver(): Promise<{ port: number; lines: string[] }> {
  const lines: string[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => {});
    createInterface({ input: socket }).on('line', (line) => lines.push(line));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  if (typeof address !== 'object' || !address) throw new Error('no port');
  return { port: address.port, lines };
}

const rest = (port: number) => `    overlap: 20s
    settle: 3s
sinks:
  - name: siem
    type: syslog
    host: 127.0.0.1
    port: ${port}
    startFrom: journal
    confirm: { every: 100ms }
    delivery: { retry: { initial: 100ms, max: 1s } }
server: { listen: 'off' }
`;

const eightFaults: readonly FaultName[] = [
  'throttle',
  'unavailable',
  'reset',
  'truncate',
  'html',
  'expire-token',
  'late',
  'update',
];

/**
 * A relay between a simulator, which raises and changes alerts until all is to be judged, and a receiver: so each
 * start of the relay has something to do, however long the kills before it took.
 *
 * @param rate alerts a second
 */
export async function scene(rate: number, faults: readonly FaultName[]) {
  const directory = mkdtempSync(join(tmpdir(), 'relay-kill-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const simulator = await startSimulator({
    rate,
    faults: { ...Object.fromEntries(faults.map((name) => [name, 0.05])), update: 0.2 },
    lateMs: [500, 5_000],
    updateMs: [500, 5_000],
    quota: false,
    seed: 20261123,
  });
  onTestFinished(() => simulator.close());
  const receiver = await startReceiver();
  const { config } = await writeSimulatorFiles(directory, simulator, rest(receiver.port));
  const relay = new RelayProcess(config);
  onTestFinished(async () => void (await relay.end('SIGKILL')));

  /** @param kills when it was killed, milliseconds since 1970 */
  const isConserved = async (kills: readonly number[]) => {
    simulator.stopRaising();
    while (simulator.account.pending > 0) await sleep(200);
    simulator.heal();
    let verdict = judge(simulator.account, receiver.lines, kills);
    // What became visible late is read with the next overlap; the test's own time-out is the limit.
    while (verdict.lost.length > 0 && relay.running) {
      await sleep(500);
      verdict = judge(simulator.account, receiver.lines, kills);
    }
    expect(await relay.end('SIGTERM'), relay.log.slice(-2_000)).toBe(0);
    verdict = judge(simulator.account, receiver.lines, kills);

    const { owed, lost, duplicated, delivered } = verdict;
    console.log(
      `killed ${kills.length} times: owed ${owed}, lost ${lost.length}, duplicated ${duplicated}, delivered ${delivered}`,
    );
    expect(owed).toBeGreaterThan(kills.length);
    // Each kill repeats at most a window, and what was confirmed since the cursors were last committed.
    expect(wrongIn(verdict, kills.length * 1_000)).toEqual(new Map());
  };
  return { relay, isConserved };
}

/** Kills a relay so often, at any moment, while alerts are raised and changed and eight faults are on. */
export async function killAtRandom(times: number): Promise<void> {
  const { relay, isConserved } = await scene(120, eightFaults);
  const kills: number[] = [];
  relay.start();
  while (kills.length < times) {
    // While starting, reading, between commit and send, while a confirmation is out.
    await sleep(200 + Math.random() * 1_600);
    await relay.end('SIGKILL');
    kills.push(Date.now());
    relay.start();
  }
  await isConserved(kills);
}
