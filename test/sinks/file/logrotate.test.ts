import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startSimulator, writeSimulatorFiles } from '../../../src/simulator/index.ts';
import { rendered } from '../../contracts/sink.contract.ts';
import { whyMissing } from '../../peers/missing.ts';
import { testFolder } from '../../support/folder.ts';
import { judge } from '../../support/oracle.ts';
import { RelayProcess } from '../../support/relay-process.ts';
import { aFileSink, deliver, linesOf, never, numbers, textOf } from './files.ts';

/** The real logrotate; each call rotates. */
function aLogrotate(path: string, folder: string, directives: readonly string[]) {
  const config = join(folder, 'logrotate.conf');
  const all = ['rotate 1000', 'nomail', 'ifempty', ...directives];
  writeFileSync(config, `${path} {\n${all.join('\n')}\n}\n`, { mode: 0o600 });
  const args = ['--force', '--state', join(folder, 'logrotate.state'), config];
  return async () => {
    const child = spawn('/usr/sbin/logrotate', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let complaints = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaints += text;
    });
    await once(child, 'close');
    expect(complaints).toBe('');
    expect(child.exitCode).toBe(0);
  };
}

/** All whole lines in the files of a folder, oldest first, as logrotate numbers them: `a.log.2.gz`, `a.log.1`, `a.log`. */
function allLines(folder: string): string[] {
  const numberOf = (name: string) => Number(/\.log\.(\d+)/.exec(name)?.[1] ?? 0);
  return readdirSync(folder)
    .toSorted((a, b) => numberOf(b) - numberOf(a))
    .flatMap((name) => linesOf(textOf(join(folder, name))));
}

describe.skipIf(whyMissing('logrotate'))('with the real logrotate', () => {
  it.each([
    ['create, compressed at once', ['create 0640', 'compress']],
    ['create, compressed later', ['create 0640', 'compress', 'delaycompress']],
    ['nocreate', ['nocreate']],
  ])('no event is lost or torn while it runs: %s', async (_, directives) => {
    const folder = testFolder();
    const logs = testFolder();
    const path = join(logs, 'alerts.log');
    const rotate = aLogrotate(path, folder, directives);
    const sink = aFileSink(path);
    await sink.open(never);
    let sent = 0;
    let isOver = false;
    const sending = (async () => {
      while (!isOver || sent === 0) {
        await deliver(sink, rendered(20, sent + 1));
        sent += 20;
      }
    })();
    for (let times = 0; times < 20; times++) {
      const before = sent;
      await rotate();
      await expect.poll(() => sent > before && existsSync(path)).toBe(true);
    }
    isOver = true;
    await sending;
    await sink.close();
    // Nothing under a name that nobody looks for (`alerts.log-2026….backup`).
    expect(readdirSync(logs).filter((name) => !/^alerts\.log(\.\d+(\.gz)?)?$/.test(name))).toEqual([]);
    expect(readdirSync(logs).length).toBeGreaterThan(15);
    const lines = allLines(logs);
    expect([...new Set(lines)]).toEqual(numbers(1, sent));
    // Twice are at most the batches that were being written while the file was moved.
    expect(lines.length - sent).toBeLessThanOrEqual(20 * 20);
  });

  it('no event is lost, torn or behind a hole with copytruncate, between two batches', async () => {
    const folder = testFolder();
    const logs = testFolder();
    const path = join(logs, 'alerts.log');
    const rotate = aLogrotate(path, folder, ['copytruncate', 'compress']);
    const sink = aFileSink(path);
    await sink.open(never);
    for (let from = 1; from <= 101; from += 20) {
      await deliver(sink, rendered(20, from));
      await rotate();
    }
    await sink.close();
    expect(allLines(logs)).toEqual(numbers(1, 120));
  });

  it('a whole relay that is sent SIGHUP by it loses no alert', async () => {
    const folder = testFolder();
    const logs = testFolder();
    const path = join(logs, 'alerts.log');
    const simulator = await startSimulator({ alerts: 400, rate: 100, quota: false, seed: 1 });
    onTestFinished(() => simulator.close());
    const rest = `    overlap: 20s
    settle: 1s
sinks: [{ name: shipper, type: file, path: ${path}, startFrom: journal, selfEvents: false }]
server: { listen: 'off' }
`;
    const { config } = await writeSimulatorFiles(folder, simulator, rest);
    const relay = new RelayProcess(config);
    relay.start();
    onTestFinished(async () => void (await relay.end('SIGKILL')));
    // The oracle expects a syslog header before each event.
    const verdict = () =>
      judge(
        simulator.account,
        allLines(logs).map((line) => ` ${line}`),
      );
    const told = () => verdict().delivered;
    await expect.poll(told, { timeout: 20_000 }).toBeGreaterThan(0);
    const postrotate = ['postrotate', `kill -HUP ${relay.pid}`, 'endscript'];
    const rotate = aLogrotate(path, folder, ['create 0640', 'compress', ...postrotate]);
    const isAllTold = () => simulator.account.pending === 0 && verdict().lost.length === 0;
    let rotations = 0;
    while (!isAllTold()) {
      const before = told();
      await rotate();
      rotations++;
      await expect.poll(() => told() > before || isAllTold(), { timeout: 20_000 }).toBe(true);
    }
    expect(rotations).toBeGreaterThan(0);
    expect(await relay.end('SIGTERM')).toBe(0);
    const { owed, lost, unknown, outOfOrder } = verdict();
    expect(owed).toBeGreaterThanOrEqual(400);
    expect([lost, unknown, outOfOrder]).toEqual([[], [], []]);
    expect(relay.log).toContain('the config has been loaded again');
    expect(relay.log).not.toContain('"level":"error"');
  }, 60_000);
});
