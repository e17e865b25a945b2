import { chmodSync, cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { loadConfig } from '../src/config/load.ts';
import type { RelayRecord } from '../src/core/record.ts';
import { openLogger } from '../src/observe/logger.ts';
import { runRelay } from '../src/relay.ts';
import { startSimulator, writeSimulatorFiles } from '../src/simulator/index.ts';

const HOUR_MS = 3_600_000;

/** Twelve alerts of the last six hours at a simulated Graph, and a relay that writes to a file. */
async function scene() {
  const directory = mkdtempSync(join(tmpdir(), 'relay-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  let ahead = 0;
  const clock = () => Date.now() + ahead;
  const simulator = await startSimulator({ alerts: 0, backlog: 12, backlogSpanMs: 6 * HOUR_MS, clock });
  onTestFinished(() => simulator.close());
  const rest = `sinks:
  - { name: siem, type: file, path: ${join(directory, 'out.cef')}, fsync: never }
server: { listen: 'off' }
`;
  const { config } = loadConfig((await writeSimulatorFiles(directory, simulator, rest)).config);

  /** Runs the relay until it has delivered so many revisions; gives these, and what it said. */
  const run = async (count: number) => {
    const lines: string[] = [];
    const delivered: string[] = [];
    const soft = new AbortController();
    const log = openLogger('info', {
      write: (line) => void lines.push((JSON.parse(line) as { msg: string }).msg),
    });
    const watch = {
      delivered: (_: string, records: readonly RelayRecord[]) => {
        const alerts = records.filter(({ kind }) => kind === 'alert');
        delivered.push(...alerts.map(({ id, revision }) => `${id} ${revision}`));
      },
    };
    const until = { soft: soft.signal, hard: new AbortController().signal };
    const ended = runRelay(config, { version: '0.0.0', log, now: clock, random: Math.random, watch }, until);
    ended.catch(() => {});
    await expect.poll(() => delivered.length, { timeout: 20_000 }).toBeGreaterThanOrEqual(count);
    soft.abort();
    await ended;
    return { delivered, lines };
  };
  const later = (hours: number) => {
    ahead += hours * HOUR_MS;
  };
  return { run, later, simulator, state: config.state.directory, copy: join(directory, 'copy') };
}

describe('the state directory', () => {
  it('restored from a copy of the day before ends in duplicates only', async () => {
    const { run, later, simulator, state, copy } = await scene();
    const before = await run(12);
    cpSync(state, copy, { recursive: true });
    later(25);
    simulator.raise(4);
    simulator.update(before.delivered.slice(0, 2).map((each) => each.split(' ')[0]!));
    const since = await run(6);
    expect(since.delivered).toHaveLength(6);

    rmSync(state, { recursive: true });
    cpSync(copy, state, { recursive: true });
    chmodSync(state, 0o700);
    simulator.raise(1);
    const again = await run(7);
    // All that came since the copy, and what is new; of what came before, nothing.
    expect(again.delivered).toHaveLength(7);
    expect(again.delivered).toEqual(expect.arrayContaining(since.delivered));
    expect(again.lines[0]).toMatch(/^journal opened: \d+ records/);
  }, 60_000);

  it('deleted loses nothing that Graph still shows, and a first start is what is told first', async () => {
    const { run, simulator, state } = await scene();
    const before = await run(12);
    rmSync(state, { recursive: true });
    simulator.raise(2);
    const after = await run(14);
    expect(after.lines[0]).toMatch(/^no journal is here: a first start is assumed, with a new one/);
    expect(after.delivered).toEqual(expect.arrayContaining(before.delivered));
    expect(after.delivered).toHaveLength(14);
  }, 60_000);
});
