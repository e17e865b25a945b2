import { spawnSync } from 'node:child_process';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startSimulator, writeSimulatorFiles } from '../../src/simulator/index.ts';
import { start } from '../cli/child.ts';
import { whyMissing } from '../peers/missing.ts';
import { startPrometheus } from '../peers/prometheus.ts';
import { closeAfter, readAll, startCollector } from '../support/collectors.ts';
import { testFolder } from '../support/folder.ts';

const TIMEOUT = { timeout: 25_000, interval: 200 };
const ALERTS = 20;
/** … and that the relay has started. */
const RECORDS = ALERTS + 1;

/** A relay with a sink that works, one that breaks off, and one that nobody listens to; and where its metrics are. */
async function aRelay(): Promise<URL> {
  const simulator = await startSimulator({ alerts: ALERTS, rate: 0, faults: { unavailable: 0.2 } });
  onTestFinished(() => simulator.close());
  const good = await startCollector('lf', { script: readAll });
  onTestFinished(() => good.close());
  const bad = await startCollector('lf', { script: closeAfter(1) });
  onTestFinished(() => bad.close());
  const sink = (name: string, port: number) =>
    `  - { name: ${name}, type: syslog, host: 127.0.0.1, port: ${port}, startFrom: journal, confirm: { every: 100ms } }\n`;
  const rest = `sinks:\n${sink('good', good.port)}${sink('bad', bad.port)}${sink('deaf', 1)}server: { listen: 127.0.0.1:0 }\n`;
  const { config } = await writeSimulatorFiles(testFolder(), simulator, rest);
  const relay = start(['run', '--config', config]);
  const address = () => /http:\S+\/metrics/.exec(relay.stderr)?.[0];
  await expect.poll(address, TIMEOUT).toBeDefined();
  return new URL(address()!);
}

describe.skipIf(whyMissing('prometheus'))('a running relay (skipped without Prometheus)', () => {
  it('G12: is scraped by a real Prometheus, and promtool finds no fault in what it says', async () => {
    const url = await aRelay();
    const prometheus = await startPrometheus(url.host);
    await expect.poll(async () => (await prometheus.targets())[0]?.health, TIMEOUT).toBe('up');
    expect(await prometheus.targets()).toMatchObject([{ lastError: '' }]);

    const value = async (expression: string) =>
      (await prometheus.query(`defender_relay_${expression}`))[0]?.value;
    await expect
      .poll(() => value('sink_records_total{sink="good",result="delivered"}'), TIMEOUT)
      .toBe(RECORDS);
    await expect.poll(() => value('sink_pending_records{sink="good"}'), TIMEOUT).toBe(0);
    expect(await value('sink_pending_records{sink="deaf"}')).toBe(RECORDS);
    expect(await value('sink_failures_total{sink="deaf",reason="network"} > 0')).toBeGreaterThan(0);
    expect(await value('sink_connected{sink="deaf"}')).toBe(0);
    expect(await value('dead_letters{kind="sink",name="bad"}')).toBe(0);
    expect(await value('journal_full_in_seconds{sink="good"}')).toBe(Number.POSITIVE_INFINITY);
    // A histogram as Prometheus takes it.
    expect(
      await prometheus.query('histogram_quantile(1, defender_relay_delivery_seconds_bucket{sink="good"})'),
    ).toHaveLength(1);
    // What it adds to each series itself.
    expect((await prometheus.query('defender_relay_build_info'))[0]?.labels).toMatchObject({
      instance: url.host,
    });

    const metrics = await (await fetch(url)).text();
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
      input: metrics,
      encoding: 'utf8',
    });
    expect(`${stdout}${stderr}`).toBe('');
    expect(status).toBe(0);
  });
});
