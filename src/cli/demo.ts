import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../config/load.ts';
import { ticksOf } from '../core/ticks.ts';
import { Closers } from '../lib/closers.ts';
import { stopOnSignals } from '../lib/stop.ts';
import { version } from '../lib/version.ts';
import { isAbort, wait } from '../lib/wait.ts';
import { openLogger } from '../observe/logger.ts';
import { runRelay } from '../relay.ts';
import { type Simulator, startSimulator, writeSimulatorFiles } from '../simulator/index.ts';
import { ConsoleReceiver } from './console-receiver.ts';
import { cutTo } from './cut.ts';
import { type Colors, colorsFor, endSoon, type Io, isTerminal } from './io.ts';

export interface DemoFlags {
  /** How long alerts are raised, milliseconds. */
  readonly for: number;
  readonly alerts?: number;
}

/** Alerts raised a second, unless `--alerts` asks for more in the time. */
const RATE = 3;
/** After the last alert: time for it to be read, sent and confirmed. */
const DRAIN_MS = 30_000;

/** Simulator, relay and receiver in one process: the whole way of an alert, without an account. */
export async function demoCommand(flags: DemoFlags, io: Io): Promise<number> {
  const colors = colorsFor(io.stdout, io.env);
  const closers = new Closers();
  const stop = stopOnSignals(process, { graceMs: () => 5_000, force: io.exit });
  const ended = new AbortController();
  try {
    const directory = await mkdtemp(join(tmpdir(), 'defender-relay-demo-'));
    closers.add('folder', { close: () => rm(directory, { recursive: true, force: true }) });
    const receiver = new ConsoleReceiver((event) =>
      io.stdout.write(`${painted(event, cutTo(columnsOf(io.stdout), event), colors)}\n`),
    );
    const port = await receiver.open();
    closers.add('receiver', receiver);
    const rate = Math.max(RATE, ((flags.alerts ?? 0) * 2_000) / flags.for);
    const simulator = await startSimulator({
      rate,
      alerts: flags.alerts,
      faults: { update: 0.2 },
      quota: false,
    });
    closers.add('simulator', simulator);
    const files = await writeSimulatorFiles(directory, simulator, receiverSink(port));
    const { config } = loadConfig(files.config);
    const log = openLogger('warn', io.stderr);

    const seen = new Sightings();
    const relay = runRelay(
      config,
      { version, log, now: Date.now, random: Math.random, watch: seen },
      { soft: ended.signal, hard: stop.hard },
    );
    io.stdout.write(
      colors.dim(
        `# Microsoft Graph, simulated at ${simulator.url}, to a syslog receiver at 127.0.0.1:${port}\n`,
      ),
    );
    if (isTerminal(io.stdout)) {
      io.stdout.write(
        colors.dim('# Lines are cut to the terminal; in a pipe or a file (demo > FILE) they are whole\n'),
      );
    }
    relay.catch(() => ended.abort());
    // Asked to stop, the demo raises no more; what is raised still arrives, if it does within the grace time.
    const raising = AbortSignal.any([stop.soft, ended.signal]);
    const draining = AbortSignal.any([stop.hard, ended.signal]);
    await until(() => simulator.account.pending === 0, flags.for, raising);
    simulator.stopRaising();
    await until(() => seen.missing(simulator) === 0 && simulator.account.pending === 0, DRAIN_MS, draining);
    ended.abort();
    await relay;
    const missing = seen.missing(simulator);
    io.stdout.write(summary(simulator, seen, receiver, { early: stop.soft.aborted, colors }));
    return missing === 0 && receiver.duplicates === 0 ? 0 : 1;
  } finally {
    stop.dispose();
    await closers.close();
    if (stop.soft.aborted) endSoon(io);
  }
}

/** Columns of a terminal; elsewhere there is no end to a line. */
function columnsOf(stream: NodeJS.WritableStream): number {
  const columns = isTerminal(stream) && 'columns' in stream ? Number(stream.columns) : 0;
  return columns > 0 ? columns : Number.POSITIVE_INFINITY;
}

/** What the relay says it has kept and delivered. */
class Sightings {
  journaled = 0;
  /** Newest delivered revision (ticks) of each id. */
  readonly #newest = new Map<string, bigint>();
  deliveredCount = 0;

  kept = (appended: { new: number }): void => {
    this.journaled += appended.new;
  };

  delivered = (_sink: string, records: readonly { id: string; revision: bigint }[]): void => {
    this.deliveredCount += records.length;
    for (const { id, revision } of records) {
      if (revision > (this.#newest.get(id) ?? 0n)) this.#newest.set(id, revision);
    }
  };

  /** Alerts whose newest readable revision has not been delivered. */
  missing(simulator: Simulator): number {
    const newest = [...simulator.account.newest()];
    return newest.filter(([id, revision]) => this.#newest.get(id) !== ticksOf(revision)).length;
  }
}

/** Waits for the condition, at most `ms` milliseconds, or until the signal. */
async function until(condition: () => boolean, ms: number, signal: AbortSignal): Promise<void> {
  const end = Date.now() + ms;
  try {
    while (!condition() && Date.now() < end) await wait(100, signal);
  } catch (error) {
    if (!isAbort(error)) throw error;
  }
}

const receiverSink = (port: number): string => `sinks:
  - name: siem
    type: syslog
    transport: tcp
    host: 127.0.0.1
    port: ${port}
    startFrom: journal
    selfEvents: false
    confirm: { by: close, every: 1s }
    format: { type: cef, profile: defender }
server: { listen: 'off' }
`;

/** What is shown of an event, its header in the colour of its severity. */
function painted(event: string, shown: string, colors: Colors): string {
  const header = /^CEF:(?:[^|\\]|\\.)*(?:\|(?:[^|\\]|\\.)*){7}/.exec(event)?.[0] ?? '';
  const severity = Number(/\|(\d+)\|$/.exec(header)?.[1]);
  const paintHeader = severity >= 7 ? colors.red : severity >= 4 ? colors.yellow : colors.cyan;
  return header === '' ? shown : paintHeader(shown.slice(0, header.length)) + shown.slice(header.length);
}

/** The closing account. All is counted in records (an alert as it was at one time), so that it adds up. */
function summary(
  simulator: Simulator,
  seen: Sightings,
  receiver: ConsoleReceiver,
  { early, colors }: { early: boolean; colors: Colors },
): string {
  const { raised } = simulator.account;
  const alerts = new Set(raised.map(({ id }) => id)).size;
  const missing = seen.missing(simulator);
  const late = missing === 0 ? '' : ', or not read before the end';
  const rows: [string, number, string][] = [
    [
      'raised',
      raised.length,
      `records: ${alerts} alerts and ${raised.length - alerts} later changes of them`,
    ],
    ['overtaken', raised.length - seen.journaled, `of them, by a later change before a poll saw them${late}`],
    ['journaled', seen.journaled, 'records, the rest'],
    ['delivered', seen.deliveredCount, 'records, confirmed by the receiver'],
    ['received', receiver.records, `records, in ${receiver.lines.size} events (large ones come in parts)`],
    ['duplicates', receiver.duplicates, 'events that came twice'],
    ['missing', missing, 'alerts that have not arrived in their newest state'],
  ];
  const width = Math.max(...rows.map(([, count]) => String(count).length));
  const lines = rows.map(([name, count, note]) => {
    const bad = count > 0 && (name === 'missing' || name === 'duplicates');
    const figure = String(count).padStart(width);
    return `${name.padEnd(11)} ${bad ? colors.red(figure) : colors.bold(figure)}  ${colors.dim(note)}`;
  });
  const subject = early ? 'Ended early, by a signal. Every alert raised until then' : 'Every alert';
  const verdict =
    missing === 0
      ? colors.green(`${subject} arrived.`)
      : colors.red(`${early ? 'Ended early, by a signal. ' : ''}${missing} alerts did not arrive.`);
  return `\n${lines.join('\n')}\n\n${verdict}\n`;
}
