import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { startSimulator, writeSimulatorFiles } from '../../src/simulator/index.ts';
import { whyMissing } from '../peers/missing.ts';
import { readAll, startCollector } from '../support/collectors.ts';
import { testFolder } from '../support/folder.ts';
import { judge } from '../support/oracle.ts';
import { RelayProcess } from '../support/relay-process.ts';

const SOON = { timeout: 30_000 };
const missing = whyMissing('file systems of their own');

/** Takes all the room that there is. */
function fill(file: string): void {
  try {
    for (;;) writeFileSync(file, Buffer.alloc(16_384, 1), { flag: 'a' });
  } catch {
    // Full.
  }
}

it.skipIf(missing)(
  `Q9: a full disk is told in the log and by /readyz, and all goes on by itself once there is room${missing ? `: ${missing}` : ''}`,
  async () => {
    const folder = testFolder();
    const state = join(folder, 'state');
    mkdirSync(state, { mode: 0o700 });
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m,mode=0700', 'tmpfs', state]);
    onTestFinished(() => void execFileSync('umount', ['-l', state]));
    const simulator = await startSimulator({ rate: 30, quota: false, seed: 3 });
    onTestFinished(() => simulator.close());
    const receiver = await startCollector('lf', { script: readAll });
    onTestFinished(() => receiver.close());
    const rest = `    overlap: 20s
    settle: 1s
sinks: [{ name: siem, type: syslog, host: 127.0.0.1, port: ${receiver.port}, startFrom: journal, selfEvents: false, confirm: { every: 100ms } }]
server: { listen: '127.0.0.1:0' }
`;
    const { config } = await writeSimulatorFiles(folder, simulator, rest);
    const relay = new RelayProcess(config);
    relay.start();
    onTestFinished(async () => void (await relay.end('SIGKILL')));
    await expect.poll(() => receiver.events.length, SOON).toBeGreaterThan(20);
    const [, origin] = /metrics at (http:[^"]+)\/metrics/.exec(relay.log)!;
    const ready = async () => {
      const answer = await fetch(`${origin}/readyz`);
      return `${answer.status} ${await answer.text()}`;
    };
    await expect.poll(ready, SOON).toMatch(/^200/);

    const filler = join(state, 'filler');
    fill(filler);
    await expect.poll(() => relay.log, SOON).toMatch(/"level":"error"[^\n]*(is full|cannot be used)/);
    // What was given up for the sinks is taken, too: nothing at all can be written now.
    fill(`${filler}-2`);
    await expect.poll(ready, SOON).toMatch(/^503 .*journal/s);
    expect((await fetch(`${origin}/healthz`)).status).toBe(200);

    for (const file of [filler, `${filler}-2`]) rmSync(file, { force: true });
    await expect.poll(ready, SOON).toMatch(/^200/);
    expect(relay.log).toContain('is well again');
    expect(relay.running).toBe(true);
    simulator.stopRaising();
    await expect.poll(() => judge(simulator.account, receiver.events).lost, SOON).toEqual([]);
    expect(await relay.end('SIGTERM')).toBe(0);
    expect(judge(simulator.account, receiver.events)).toMatchObject({
      lost: [],
      unknown: [],
      outOfOrder: [],
    });
  },
  90_000,
);
