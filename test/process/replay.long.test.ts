import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { ReplayResult } from '../../src/core/replay.ts';
import { startSimulator, writeSimulatorFiles } from '../../src/simulator/index.ts';
import { start } from '../cli/child.ts';
import { type Collector, readAll, startCollector } from '../support/collectors.ts';
import { testFolder } from '../support/folder.ts';
import { RelayProcess } from '../support/relay-process.ts';

const SOON = { timeout: 20_000 };
/** It starts programs, up to five one after the other. */
const PATIENCE = 90_000;
const ALERTS = 30;
const main = join(import.meta.dirname, '../../dist/main.js');

/** A relay at work, with two receivers, and alerts of the last 50 minutes. */
async function scene(more = '') {
  const folder = testFolder();
  const simulator = await startSimulator({ alerts: ALERTS, rate: 0, historyMs: 3_000_000, quota: false });
  onTestFinished(() => simulator.close());
  const [first, second] = await Promise.all([1, 2].map(() => startCollector('lf', { script: readAll })));
  for (const made of [first!, second!]) onTestFinished(() => made.close());
  const sink = (name: string, { port }: Collector) =>
    `  - { name: ${name}, type: syslog, host: 127.0.0.1, port: ${port}, startFrom: journal, selfEvents: false, confirm: { every: 100ms } }\n`;
  const { config } = await writeSimulatorFiles(
    folder,
    simulator,
    `${more}sinks:\n${sink('one', first!)}${sink('two', second!)}server: { listen: 'off' }\n`,
  );
  const relay = new RelayProcess(config);
  relay.start();
  onTestFinished(async () => void (await relay.end('SIGKILL')));
  return {
    relay,
    first: first!,
    second: second!,
    replay(...flags: string[]) {
      const range = ['--config', config, '--sink', 'one', '--from', '1h', '--to', 'now', '--json'];
      return start(['replay', ...range, ...flags], { main });
    },
  };
}

const fieldOf = (line: string, key: string) => new RegExp(`[ |]${key}=(\\S+)`).exec(line)?.[1] ?? '';
const replayed = ({ events }: Collector) => events.filter((line) => fieldOf(line, 'outcome') === 'replay');
const idsOf = (lines: readonly string[]) =>
  lines.map((line) => `${fieldOf(line, 'externalId')} ${fieldOf(line, 'devicePayloadId')}`).toSorted();
/** Some take two events. */
const alertsIn = (lines: readonly string[]) => new Set(lines.map((line) => fieldOf(line, 'externalId'))).size;
/** All alerts have come. */
const settled = ({ events }: Collector) => expect.poll(() => alertsIn(events), SOON).toBe(ALERTS);
const streamsOf = (lines: readonly string[]) => new Set(lines.map((line) => fieldOf(line, 'dvcpid')));

describe('replay', () => {
  it(
    'tells one sink the last hour once more, in numbers of its own, and the others nothing',
    async () => {
      const { relay, first, second, replay } = await scene();
      for (const each of [first, second]) await settled(each);
      const live = [...first.events];

      const command = replay('--max-per-second', '1000');
      expect(await command.ended).toEqual([0, null]);
      expect(JSON.parse(command.stdout)).toMatchObject({
        ended: 'done',
        records: ALERTS,
        // Older than the first that came, and asked for; but the journal has them.
        listed: 0,
        notListed: null,
      });
      await expect.poll(() => replayed(first).length, SOON).toBe(live.length);
      expect(idsOf(replayed(first))).toEqual(idsOf(live));
      // Oldest first.
      const times = replayed(first).map((line) => Number(fieldOf(line, 'rt')));
      expect(times).toEqual(times.toSorted((a, b) => a - b));
      expect(replayed(first).map((line) => Number(fieldOf(line, 'cn3')))).toEqual(
        live.map((_, index) => index + 1),
      );
      expect(streamsOf(replayed(first)).size).toBe(1);
      expect(streamsOf(first.events).size).toBe(2);
      expect(await relay.end('SIGTERM')).toBe(0);
      expect([first.events.length, second.events.length]).toEqual([2 * live.length, live.length]);
    },
    PATIENCE,
  );

  it(
    'loses nothing of what it has appended when the relay is killed, and is gone on with',
    async () => {
      const { relay, first, second, replay } = await scene();
      for (const each of [first, second]) await settled(each);

      const command = replay('--max-per-second', '2');
      await expect.poll(() => replayed(first).length, SOON).toBeGreaterThan(2);
      await relay.end('SIGKILL');
      expect(await command.ended).toEqual([1, null]);
      const cut = JSON.parse(command.stdout) as ReplayResult;
      expect(cut).toMatchObject({ ended: 'failed', problem: expect.stringMatching(/before it was done$/) });
      expect(cut.records).toBeLessThan(ALERTS);

      // No relay runs: it is put in the journal, all at once.
      const rest = replay('--from', cut.upTo);
      expect(await rest.ended).toEqual([0, null]);
      expect(JSON.parse(rest.stdout)).toMatchObject({ running: false, ended: 'done' });
      relay.start();
      await expect.poll(() => alertsIn(replayed(first)), SOON).toBe(ALERTS);
      expect(await relay.end('SIGTERM')).toBe(0);
      expect(replayed(second)).toEqual([]);
    },
    PATIENCE,
  );

  it(
    'has from Graph what the journal does not have, and ends in good order at Ctrl-C',
    async () => {
      const { relay, first, second, replay } = await scene(`    startFrom: ${new Date().toISOString()}\n`);
      await expect.poll(() => relay.log, SOON).toContain('reads for the first time');

      const command = replay('--max-per-second', '2');
      await expect.poll(() => replayed(first).length, SOON).toBeGreaterThan(2);
      command.child.kill('SIGINT');
      expect(await command.ended).toEqual([1, null]);
      expect(JSON.parse(command.stdout)).toMatchObject({ ended: 'stopped', running: true });
      await expect.poll(() => relay.log, SOON).toMatch(/"ended":"stopped".*a command was carried out/);
      const some = replayed(first).length;
      expect(some).toBeLessThan(ALERTS);

      const whole = replay('--max-per-second', '1000');
      expect(await whole.ended).toEqual([0, null]);
      expect(JSON.parse(whole.stdout)).toMatchObject({ ended: 'done', records: ALERTS, listed: ALERTS });
      await expect.poll(() => alertsIn(first.events), SOON).toBe(ALERTS);
      expect(await relay.end('SIGTERM')).toBe(0);
      expect(second.events).toEqual([]);
    },
    PATIENCE,
  );
});
