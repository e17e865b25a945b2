import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { loadConfig } from '../src/config/load.ts';
import { askRelay } from '../src/control/client.ts';
import { JournalError, RelayError } from '../src/core/errors.ts';
import type { Journal } from '../src/core/journal.ts';
import { openJournal } from '../src/journal/journal.ts';
import { openLogger } from '../src/observe/logger.ts';
import type { Status } from '../src/observe/status.ts';
import { runRelay } from '../src/relay.ts';
import { startSimulator, writeSimulatorFiles } from '../src/simulator/index.ts';
import { aPage, quiet } from './journal/harness.ts';
import { neverClose, readAll, type Script, startCollector } from './support/collectors.ts';
import { aSourceRecord } from './support/records.ts';

/** What a test does to the journal that the relay opens. */
let tamper: (journal: Journal) => Journal;
vi.mock(import('../src/journal/journal.ts'), async (importOriginal) => {
  const original = await importOriginal();
  return { ...original, openJournal: async (options) => tamper(await original.openJournal(options)) };
});
beforeEach(() => {
  tamper = (journal) => journal;
});

/** A journal that does all that the real one does but for `changes`. */
function changed(journal: Journal, changes: Partial<Journal>): Journal {
  return new Proxy(journal, {
    get(target, key) {
      const value = Reflect.get(key in changes ? changes : target, key);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

interface Line {
  readonly level: string;
  readonly msg: string;
  readonly source?: string;
  readonly sink?: string;
  readonly directory?: string;
}

/**
 * Five alerts at a simulated Graph, and a receiver that behaves as `script` says.
 *
 * @param edit what is other in the config
 */
async function scene(
  script: Script,
  listen: (taken: number) => string = () => 'off',
  edit = (config: string) => config,
) {
  const directory = mkdtempSync(join(tmpdir(), 'relay-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const simulator = await startSimulator({ alerts: 5, rate: 1_000 });
  onTestFinished(() => simulator.close());
  const receiver = await startCollector('lf', { script });
  onTestFinished(() => receiver.close());
  const rest = `sinks:
  - name: siem
    type: syslog
    host: 127.0.0.1
    port: ${receiver.port}
    startFrom: journal
    confirm: { every: 100ms }
    delivery: { timeout: 1h }
server: { listen: '${listen(receiver.port)}' }
`;
  const files = await writeSimulatorFiles(directory, simulator, rest);
  writeFileSync(files.config, edit(readFileSync(files.config, 'utf8')));
  const { config } = loadConfig(files.config);

  /** Runs the relay until it ends, or `stop` is called. */
  const run = () => {
    const lines: Line[] = [];
    const log = openLogger('info', { write: (line) => void lines.push(JSON.parse(line)) });
    const soft = new AbortController();
    const delivered: string[] = [];
    let listening: number | undefined;
    const ended = runRelay(
      config,
      {
        version: '0.0.0',
        log,
        now: Date.now,
        random: Math.random,
        watch: {
          delivered: (_, records) => delivered.push(...records.map(({ id }) => id)),
          listening: (port) => {
            listening = port;
          },
        },
      },
      { soft: soft.signal, hard: new AbortController().signal },
    );
    // Looked at by each test, in its own time.
    ended.catch(() => {});
    return {
      ended,
      delivered,
      stop: () => soft.abort(),
      lines,
      port: () => listening,
      told: () => lines.map(({ level, msg, source, sink }) => `${level} ${source ?? sink ?? ''}: ${msg}`),
    };
  };
  return { run, receiver, simulator, state: config.state.directory };
}

describe('runRelay()', () => {
  it('says what it found, where each part goes on, and what is left', async () => {
    const { run } = await scene(readAll);
    const first = run();
    // Five alerts, and that the relay has started.
    await expect.poll(() => first.delivered, { timeout: 20_000 }).toHaveLength(6);
    expect(first.delivered).toContain('relay');
    first.stop();
    await first.ended;
    // The parts begin side by side.
    expect(first.told().toSorted()).toEqual([
      'info : no journal is here: a first start is assumed, with a new one',
      'info : nothing is waiting: all that was read has been delivered',
      expect.stringMatching(/^info alerts: reads for the first time/),
      'info siem: new: starts at the end of the journal',
    ]);

    const second = run();
    await expect.poll(() => second.delivered, { timeout: 20_000 }).toEqual(['relay']);
    second.stop();
    await second.ended;
    expect(second.told().toSorted()).toEqual([
      expect.stringMatching(/^info : journal opened: \d+ records, \d+% of its room taken$/),
      'info : nothing is waiting: all that was read has been delivered',
      expect.stringMatching(/^info alerts: goes on from/),
      'info siem: goes on at the end of the journal; nothing waits for it',
    ]);
  });

  it('keeps a journal in memory when told so, of which nothing is left', async () => {
    const { run } = await scene(readAll, undefined, (text) =>
      text.replace('directory: ./state', "directory: ':memory:'"),
    );
    const { delivered, ended, lines, stop } = run();
    await expect.poll(() => delivered, { timeout: 20_000 }).toHaveLength(6);
    const { directory = '' } = lines.find((line) => line.directory !== undefined) ?? {};
    expect(existsSync(join(directory, 'journal.db'))).toBe(true);
    stop();
    await ended;
    expect(existsSync(directory)).toBe(false);
  });

  it('K3, K9: sends a dead letter again when a command says so, to its sink alone', async () => {
    const { run, receiver, state } = await scene(readAll);
    const before = await openJournal({ directory: state, maxBytes: 2 ** 30, retentionMs: 1e9, log: quiet });
    const sink = (name: string) => ({ name, startFrom: 'now', shape: 'x' }) as const;
    const { cursor } = (await before.register([sink('siem')])).get('siem')!;
    await before.append(aPage([aSourceRecord({ id: 'refused-once' })], { source: 'other' }));
    const { records, ends } = await before.take(cursor, 1, AbortSignal.timeout(9_000));
    const refused = [{ record: records[0]!, reason: 'rejected', detail: 'no' }] as const;
    before.advance({ sink: 'siem', cursor: ends[0]!, sequence: 1, refused });
    await before.close();

    const relay = run();
    await expect.poll(() => relay.delivered, { timeout: 20_000 }).toHaveLength(6);
    expect(await askRelay(state, 'retry', { sink: 'siem' })).toEqual({ value: { done: [1], left: [] } });
    await expect.poll(() => relay.delivered, { timeout: 20_000 }).toHaveLength(7);
    relay.stop();
    await relay.ended;
    const events = receiver.events.map(String);
    const again = events.filter((event) => event.includes('externalId=refused-once'));
    expect(again).toHaveLength(1);
    expect(again[0]).toContain('outcome=retry');
    // A stream of its own, from one on (S6).
    expect(again[0]).toMatch(/cn3=1 .*dvcpid=\d+|dvcpid=\d+ .*cn3=1 /);
    const streamOf = (event: string | undefined) => /dvcpid=(\d+)/.exec(event ?? '')?.[1];
    const others = events.filter((event) => !event.includes('refused-once')).map(streamOf);
    expect(others).not.toContain(streamOf(again[0]));
    expect(await askRelay(state, 'retry', { sink: 'siem' })).toBeUndefined();
  });

  it('says where its metrics are', async () => {
    const { run } = await scene(readAll, () => '127.0.0.1:0');
    const relay = run();
    await expect.poll(() => relay.port(), { timeout: 20_000 }).toBeDefined();
    const address = `http://127.0.0.1:${relay.port()}/metrics`;
    expect(relay.told()).toContain(`info : metrics at ${address}`);
    expect((await fetch(address)).status).toBe(200);
    relay.stop();
    await relay.ended;
  });

  it('says that it is ready, and how it is', async () => {
    const { run } = await scene(readAll, () => '127.0.0.1:0');
    const relay = run();
    await expect.poll(() => relay.delivered, { timeout: 20_000 }).toHaveLength(6);
    const ask = (path: string) => fetch(`http://127.0.0.1:${relay.port()}${path}`);
    expect(await (await ask('/readyz')).text()).toBe('ready\n');
    // A reading has come to its end, and the cursor is on disk.
    const look = async () => (await (await ask('/status')).json()) as Status;
    const settled = async () => {
      const { sources, sinks } = await look();
      return sources[0]?.lastRead !== null && sinks[0]?.pending === 0;
    };
    await expect.poll(settled, { timeout: 20_000 }).toBe(true);
    const status = await look();
    expect(status).toMatchObject({
      version: '0.0.0',
      running: true,
      ready: true,
      problems: [],
      sources: [{ name: 'alerts', lastFailure: null, setAside: 0 }],
      journal: { records: 6, paused: false },
      sinks: [
        { name: 'siem', connected: true, pending: 0, unconfirmed: 0, failingSince: null, confirms: 'close' },
      ],
      deadLetters: [],
    });
    const products = status.sources[0]!.products;
    expect(products.reduce((sum, { records }) => sum + records, 0)).toBe(5);
    relay.stop();
    await relay.ended;
  });

  it('G12: is not ready before its source has been read, and says why that is so', async () => {
    const { run, simulator } = await scene(readAll, () => '127.0.0.1:0');
    await simulator.close();
    const relay = run();
    await expect.poll(() => relay.port(), { timeout: 20_000 }).toBeDefined();
    const ready = () => fetch(`http://127.0.0.1:${relay.port()}/readyz`);
    await expect
      .poll(async () => await (await ready()).text(), { timeout: 20_000 })
      .toMatch(
        /^source alerts \(tenant simulator\): nothing read since the start \S+ ago: .* cannot be reached: /,
      );
    expect((await ready()).status).toBe(503);
    relay.stop();
    await relay.ended;
  });

  it('ends at once when the journal is lost, whatever a sink is waiting for', async () => {
    const lost = Promise.withResolvers<never>();
    lost.promise.catch(() => {});
    tamper = (journal) => changed(journal, { failed: lost.promise });
    const { run, receiver } = await scene(neverClose);
    const relay = run();
    await expect.poll(() => receiver.events.length, { timeout: 20_000 }).toBeGreaterThan(0);
    const error = new JournalError('the disk is gone');
    lost.reject(error);
    // The sink would wait an hour; the test would not.
    await expect(relay.ended).rejects.toBe(error);
    expect(relay.lines.filter(({ level }) => level === 'fatal')).toMatchObject([
      { reason: 'the disk is gone', msg: 'the journal is lost: the relay ends' },
    ]);
    expect(relay.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('throws what went wrong first, and tells what then could not be closed', async () => {
    const lost = Promise.withResolvers<never>();
    lost.promise.catch(() => {});
    tamper = (journal) =>
      changed(journal, {
        failed: lost.promise,
        close: async () => {
          await journal.close();
          throw new Error('the thread does not end');
        },
      });
    const { run } = await scene(readAll);
    const relay = run();
    const error = new JournalError('the disk is gone');
    lost.reject(error);
    await expect(relay.ended).rejects.toBe(error);
    const last = relay.lines.at(-1);
    expect(last).toMatchObject({ level: 'error', msg: 'not all could be closed in good order' });
    expect(JSON.stringify(last)).toContain('the thread does not end');
  });

  it('throws what went wrong in closing when nothing else did', async () => {
    tamper = (journal) =>
      changed(journal, {
        close: async () => {
          await journal.close();
          throw new Error('the thread does not end');
        },
      });
    const { run } = await scene(readAll);
    const relay = run();
    await expect.poll(() => relay.lines).toHaveLength(3);
    relay.stop();
    await expect(relay.ended).rejects.toThrow('not everything could be closed');
  });

  it('says which setting to change when the address of its server is taken', async () => {
    const { run } = await scene(readAll, (taken) => `127.0.0.1:${taken}`);
    const { ended } = run();
    await expect(ended).rejects.toThrow(RelayError);
    await expect(ended).rejects.toThrow(
      /^server\.listen 127\.0\.0\.1:\d+: the address is in use.*Choose another with server\.listen, or "off"\.$/,
    );
  });
});
