import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { type FaultName, startSimulator, writeSimulatorFiles } from '../../src/simulator/index.ts';
import { judge } from '../support/oracle.ts';
import { RelayProcess } from '../support/relay-process.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A receiver that outlives the relay: it keeps each line it has read. */
async function startReceiver(): Promise<{ port: number; lines: string[] }> {
  const lines: string[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => {});
    createInterface({ input: socket }).on('line', (line) => lines.push(line));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => server.close());
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
    confirm: { every: 500ms }
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

it('Q1 G10 G14 G17: loses nothing with eight faults on, killed ten times while 3,000 alerts are raised and changed', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'relay-kill-'));
  closers.push(() => rmSync(directory, { recursive: true, force: true }));
  const faults = Object.fromEntries(eightFaults.map((name) => [name, 0.05]));
  const simulator = await startSimulator({
    alerts: 3_000,
    rate: 120,
    faults: { ...faults, update: 0.2 },
    lateMs: [500, 5_000],
    updateMs: [500, 5_000],
    quota: false,
    seed: 20261123,
  });
  closers.push(() => simulator.close());
  const receiver = await startReceiver();
  const { config } = await writeSimulatorFiles(directory, simulator, rest(receiver.port));
  const relay = new RelayProcess(config);
  closers.push(() => relay.end('SIGKILL'));
  const kills: number[] = [];

  relay.start();
  for (let count = 0; count < 10; count++) {
    // At any moment: while reading, between commit and send, while a confirmation is out.
    await sleep(800 + Math.random() * 2_000);
    await relay.end('SIGKILL');
    kills.push(Date.now());
    relay.start();
  }
  const settled = () => simulator.account.pending === 0;
  while (!settled()) await sleep(200);
  simulator.heal();
  let verdict = judge(simulator.account, receiver.lines, kills);
  // What became visible late is read with the next overlap; the test's own time-out is the limit.
  while (verdict.lost.length > 0 && relay.running) {
    await sleep(500);
    verdict = judge(simulator.account, receiver.lines, kills);
  }
  expect(await relay.end('SIGTERM'), relay.log.slice(-2_000)).toBe(0);
  verdict = judge(simulator.account, receiver.lines, kills);

  const { owed, lost, duplicated, delivered, outOfOrder, unknown } = verdict;
  console.log(
    `killed 10 times: owed ${owed}, lost ${lost.length}, duplicated ${duplicated}, delivered ${delivered}`,
  );
  expect(lost).toEqual([]);
  expect(outOfOrder).toEqual([]);
  expect(unknown).toEqual([]);
  expect(simulator.account.newest().size).toBe(3_000);
  // Each kill repeats at most a window, and what was confirmed since the cursors were last committed.
  expect(duplicated).toBeLessThan(10 * 1_000);
}, 150_000);
