import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startSimulator, writeSimulatorFiles } from '../../src/simulator/index.ts';
import { type Collector, readAll, startCollector } from '../support/collectors.ts';
import { testFolder } from '../support/folder.ts';
import { judge } from '../support/oracle.ts';
import { RelayProcess } from '../support/relay-process.ts';

const SOON = { timeout: 20_000 };

/** A relay at work, and what its config may be changed to. */
async function scene(...flags: string[]) {
  const folder = testFolder();
  const simulator = await startSimulator({ rate: 40, faults: { update: 0.2 }, quota: false, seed: 7 });
  onTestFinished(() => simulator.close());
  const collector = async () => {
    const made = await startCollector('lf', { script: readAll });
    onTestFinished(() => made.close());
    return made;
  };
  const [first, second] = [await collector(), await collector()];
  const { config } = await writeSimulatorFiles(folder, simulator, '');
  const before = readFileSync(config, 'utf8');
  const configure = (sinks: string, more = '    overlap: 20s\n    settle: 1s\n', top = '') =>
    writeFileSync(config, `${before}${more}sinks:\n${sinks}server: { listen: '127.0.0.1:0' }\n${top}`);
  const sink = (name: string, { port }: Collector, more = '') =>
    `  - { name: ${name}, type: syslog, host: 127.0.0.1, port: ${port}, startFrom: journal, confirm: { every: 100ms }${more} }\n`;
  configure(sink('a', first));
  const relay = new RelayProcess(config, ...flags);
  relay.start();
  onTestFinished(async () => void (await relay.end('SIGKILL')));
  const lines = () =>
    relay.log
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as { level: string; msg: string; sink?: string; source?: string });
  const said = (text: string) => lines().filter(({ msg }) => msg.includes(text)).length;
  /** Lines that a sink or source logs when it begins. */
  const begins = (name: string) =>
    lines().filter(
      ({ sink: one, source, msg }) => (one ?? source) === name && /^(new:|goes on|reads)/.test(msg),
    ).length;
  const more = async (collector: Collector, count = 20) => {
    const least = collector.events.length + count;
    await expect.poll(() => collector.events.length, SOON).toBeGreaterThan(least);
  };
  await more(first);
  return {
    relay,
    simulator,
    config,
    first,
    second,
    sink,
    configure,
    said,
    begins,
    more,
    async hangUp() {
      const all = said('has been loaded again') + said('the new config is not used');
      process.kill(relay.pid!, 'SIGHUP');
      await expect
        .poll(() => said('has been loaded again') + said('the new config is not used'), SOON)
        .toBe(all + 1);
    },
    async status() {
      const [, origin] = /metrics at (http:[^"]+)\/metrics/.exec(relay.log)!;
      const [status, metrics] = [await fetch(`${origin}/status`), await fetch(`${origin}/metrics`)];
      return {
        status: (await status.json()) as {
          configRefused: { message: string } | null;
          sinks: { name: string }[];
        },
        metrics: await metrics.text(),
      };
    },
    /** Ends it once all is told; what each receiver was not told, or twice. */
    async verdicts() {
      simulator.stopRaising();
      await expect.poll(() => simulator.account.pending, SOON).toBe(0);
      simulator.heal();
      const of = ({ events }: Collector) =>
        judge(
          simulator.account,
          events.filter((line) => !line.includes('|Heartbeat|')),
        );
      await expect.poll(() => of(second).lost.length + of(first).lost.length, SOON).toBe(0);
      expect(await relay.end('SIGTERM')).toBe(0);
      return [first, second].map(of);
    },
  };
}

describe('a relay that is sent SIGHUP', () => {
  it('K8: starts and stops what has changed, and loses and repeats nothing', async () => {
    const { first, second, sink, configure, hangUp, more, begins, status, verdicts } = await scene();

    // Another one beside the first, which is not touched.
    configure(sink('a', first) + sink('b', second));
    await hangUp();
    await more(second);
    await more(first);
    expect([begins('a'), begins('b'), begins('alerts')]).toEqual([1, 1, 1]);

    // One is changed, one has another name, and the source another rhythm.
    configure(
      sink('c', first, ', formerly: a') + sink('b', second, ', facility: local1'),
      '    overlap: 30s\n    settle: 1s\n',
    );
    await hangUp();
    await more(second);
    await more(first);
    expect([begins('a'), begins('b'), begins('c'), begins('alerts')]).toEqual([1, 2, 1, 2]);
    const { status: shown, metrics } = await status();
    expect(shown.sinks.map(({ name }) => name).toSorted()).toEqual(['b', 'c']);
    // Of what has gone nothing is told that would never change again.
    expect(metrics).toContain('defender_relay_sink_connected{sink="c"} 1');
    expect(metrics).not.toContain('sink="a"');
    expect(metrics).toContain('defender_relay_config_reloads_total{result="used"} 2');

    for (const verdict of await verdicts()) {
      expect(verdict).toMatchObject({ lost: [], duplicated: 0, outOfOrder: [], unknown: [] });
    }
  }, 60_000);

  it('keeps the old config when the new one is bad, says why, and goes on by a better one', async () => {
    const { relay, config, first, second, sink, configure, hangUp, more, begins, said, status, verdicts } =
      await scene();

    configure(sink('a', first, ', faclity: local1'));
    await hangUp();
    expect(relay.log).toMatch(/relay\.yaml:\d+:\d+.*faclity/);
    await more(first);
    const refused = await status();
    expect(refused.status.configRefused?.message).toContain('faclity');
    expect(refused.metrics).toContain('defender_relay_config_last_reload_successful 0');

    configure(sink('a', first));
    writeFileSync(config, readFileSync(config, 'utf8').replace('./state', './elsewhere'));
    await hangUp();
    expect(said('"state" cannot change while the relay runs')).toBe(1);
    await more(first);

    // Asked twice on end: once more after the first time at most.
    configure(sink('a', first) + sink('b', second));
    process.kill(relay.pid!, 'SIGHUP');
    await hangUp();
    await more(second);
    expect([begins('a'), begins('b')]).toEqual([1, 1]);
    expect((await status()).status.configRefused).toBeNull();

    for (const verdict of await verdicts()) {
      expect(verdict).toMatchObject({ lost: [], duplicated: 0, outOfOrder: [], unknown: [] });
    }
  }, 60_000);
});

describe('run --watch', () => {
  it('loads the config again when its file says something else', async () => {
    const { first, second, sink, configure, more, begins } = await scene('--watch');
    configure(sink('a', first) + sink('b', second));
    await more(second);
    expect([begins('a'), begins('b')]).toEqual([1, 1]);
  }, 60_000);
});
