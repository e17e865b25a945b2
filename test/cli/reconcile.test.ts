import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Io } from '../../src/cli/io.ts';
import { colorsFor } from '../../src/cli/io.ts';
import { type ReconcileFlags, reconcileCommand } from '../../src/cli/reconcile.ts';
import { reconcileText, stepText } from '../../src/cli/reconcile-text.ts';
import { loadConfig } from '../../src/config/load.ts';
import { UsageError } from '../../src/core/errors.ts';
import type { Reconciled } from '../../src/core/reconciled.ts';
import { openLogger } from '../../src/observe/logger.ts';
import { runRelay } from '../../src/relay.ts';
import { startSimulator, writeSimulatorFiles } from '../../src/simulator/index.ts';
import { readAll, startCollector } from '../support/collectors.ts';
import { cefId } from '../support/received.ts';

const patience = { timeout: 20_000 };
/** More than the overlap and less than from one sweep to the next. */
const LATE_MS = 600_000;

/** What a command prints, and its exit code. */
async function run(config: string, flags: Partial<ReconcileFlags> = {}) {
  const out: string[] = [];
  const keep = (write: string[]) =>
    new Writable({
      write(chunk, _, done) {
        write.push(String(chunk));
        done();
      },
    });
  const err: string[] = [];
  const io: Io = { stdin: Readable.from([]), stdout: keep(out), stderr: keep(err), env: {}, exit() {} };
  const code = await reconcileCommand({ config, from: '1h', to: 'now', ...flags }, io);
  return { code, out: out.join(''), err: err.join('') };
}

/** A relay that has no eye for what is seconds late, a simulator, and a receiver. */
async function scene() {
  const directory = mkdtempSync(join(tmpdir(), 'relay-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  let ahead = 0;
  const clock = () => Date.now() + ahead;
  const simulator = await startSimulator({ alerts: 0, rate: 0, veryLateMs: [LATE_MS, LATE_MS], clock });
  onTestFinished(() => simulator.close());
  const receiver = await startCollector('lf', { script: readAll });
  onTestFinished(() => receiver.close());
  const rest = `    settle: 0s
    overlap: 1s
sinks:
  - { name: siem, type: syslog, host: 127.0.0.1, port: ${receiver.port}, selfEvents: false, confirm: { every: 100ms } }
server: { listen: 'off' }
`;
  const { config: file } = await writeSimulatorFiles(directory, simulator, rest);
  const start = async () => {
    const { config } = loadConfig(file);
    const soft = new AbortController();
    const ready = Promise.withResolvers<void>();
    const ended = runRelay(
      config,
      {
        version: '0.0.0',
        log: openLogger('warn', { write() {} }),
        now: Date.now,
        random: Math.random,
        watch: { ready: () => ready.resolve() },
      },
      { soft: soft.signal, hard: new AbortController().signal },
    );
    await Promise.race([ready.promise, ended]);
    return async () => {
      soft.abort();
      await ended;
    };
  };
  /** What is late is there from now on; by then the relay has read past its time, and its sweep is not due yet. */
  const passIt = async () => {
    const since = Date.now() + 2_500;
    const requests = () => simulator.account.requests.filter(({ at }) => at > since);
    await expect.poll(() => requests().length, patience).toBeGreaterThan(3);
    ahead += LATE_MS;
  };
  return { file, simulator, receiver, start, passIt };
}

/** Ids of alerts; a large one comes in several events. */
const idsAt = (events: readonly string[]) => [
  ...new Set(events.map((event) => /externalId=(\S+)/.exec(event)?.[1])),
];

describe('reconcile', () => {
  it('finds, beside a running relay and without one, what became visible too late, and delivers that and nothing else', async () => {
    const { file, simulator, receiver, start, passIt } = await scene();
    const stop = await start();
    simulator.raise(3);
    await expect.poll(() => idsAt(receiver.events), patience).toHaveLength(3);
    expect(await run(file)).toMatchObject({ code: 0, out: expect.stringContaining('nothing is missing') });

    simulator.setFaults({ 'very-late': 1 });
    simulator.raise(100);
    await passIt();
    const found = await run(file, { json: true });
    expect(found.code).toBe(1);
    const { sources } = JSON.parse(found.out) as { sources: Reconciled[] };
    expect(sources).toMatchObject([
      {
        source: 'alerts',
        tenant: 'simulator',
        complete: true,
        listed: 103,
        sinks: [{ sink: 'siem', given: 3, missing: 100 }],
      },
    ]);
    const fixed = await run(file, { fix: true });
    expect(fixed).toMatchObject({
      code: 0,
      out: expect.stringContaining('what is missing is in the journal now, and on its way'),
    });
    await expect.poll(() => idsAt(receiver.events), patience).toHaveLength(103);
    const late = simulator.account.raised.slice(3).map(({ id }) => cefId(id));
    const repaired = receiver.events.filter((event) => event.includes('outcome=repair'));
    expect(idsAt(repaired).sort()).toEqual(late.sort());
    expect(idsAt(receiver.events.filter((event) => !repaired.includes(event)))).toHaveLength(3);
    const { length } = receiver.events;
    await stop();
    expect(await run(file, { fix: true })).toMatchObject({
      code: 0,
      err: '',
      out: expect.stringContaining('nothing is missing'),
    });
    expect(receiver.events).toHaveLength(length);
  });

  it('refuses times that are none, in words', async () => {
    await expect(run('relay.yaml', { from: 'yesterday' })).rejects.toThrow(UsageError);
    await expect(run('relay.yaml', { from: '1h', to: '2h' })).rejects.toThrow(
      '--from 1h is not before --to 2h',
    );
  });
});

describe('reconcileText()', () => {
  const counts = {
    given: 7,
    waiting: 1,
    filtered: 2,
    refused: 0,
    missing: 3,
    unknown: 0,
    replaced: 0,
    repaired: 0,
  };
  const result: Reconciled = {
    source: 'alerts',
    tenant: 'contoso',
    from: '2026-11-26T12:00:00.0000000Z',
    to: '2026-11-28T12:00:00.0000000Z',
    complete: true,
    listed: 13,
    sinks: [{ sink: 'siem', ...counts }],
    deviations: [
      {
        sink: 'siem',
        product: 'evil\u001b[2J',
        hour: '2026-11-27T03:00:00.000Z',
        missing: 3,
        waiting: 1,
        unknown: 0,
      },
    ],
    extra: [{ hour: '2026-11-27T03:00:00.000Z', replaced: 4, gone: 1 }],
    unread: [],
    left: [],
    notes: ['it has never been read'],
  };
  const text = (more: Partial<Reconciled> = {}) =>
    reconcileText({ sources: [{ ...result, ...more }], gaps: [] }, colorsFor(new Writable(), {})).split('\n');

  it('says it in tables', () => {
    expect(text()).toEqual([
      'alerts (tenant contoso), 2026-11-26T12:00:00Z to 2026-11-28T12:00:00Z: 13 records in Graph',
      '  SINK  GIVEN  FILTERED  REFUSED  WAITING  MISSING  NOT KNOWN',
      '  siem  7      2         0        1        3        0',
      '',
      '  SINK  HOUR                  PRODUCT   WAITING  MISSING  NOT KNOWN',
      '  siem  2026-11-27T03:00:00Z  evil [2J  1        3        0',
      '',
      '  told, and not in Graph any more: 4 that a newer revision has replaced, as it should be, and 1 others',
      '  it has never been read',
      '  something is missing at siem',
      '',
    ]);
  });

  it('says what was not compared', () => {
    const unread = [{ from: 'A', to: 'B', count: 2, detail: 'HTTP 500' }];
    const sinks = [{ sink: 'siem', ...counts, missing: 0 }];
    const quiet = { deviations: [], extra: [], notes: [], sinks };
    expect(text({ ...quiet, unread, complete: false }).slice(3)).toEqual([
      '  not compared, it cannot be read: A to B: HTTP 500',
      '  it was ended at 2026-11-28T12:00:00Z: what comes after that is not compared',
      '  nothing is missing',
      '',
    ]);
    expect(reconcileText({ sources: [], gaps: [] }, colorsFor(new Writable(), {}))).toBe(
      'no source of the config can be compared\n',
    );
  });

  it('says how far it is', () => {
    const at = '2026-11-27T12:00:00.0000000Z';
    expect(stepText({ ...result, at, missing: 3 })).toBe(
      'alerts: 50%, up to 2026-11-27T12:00:00Z: 13 records, 3 missing',
    );
  });
});
