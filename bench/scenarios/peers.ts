import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { among, type Processes } from '../../scripts/processes.ts';
import { SYSLOG_NG, whyMissing } from '../../test/peers/missing.ts';
import { freePort, isBound } from '../../test/peers/peer-process.ts';
import { marksOf, rateOf } from '../rate.ts';
import { Receiver } from '../receivers.ts';
import type { Context, Measured, Scenario } from '../scenario.ts';
import { alertsOf } from './e2e.ts';

const WRITER = join(import.meta.dirname, '../writer.ts');
const CONFIGS = join(import.meta.dirname, '../peers');

/** Another program that does the same, and how it is started at its best. */
interface Peer {
  readonly name: 'rsyslog' | 'syslog-ng';
  readonly command: string;
  readonly args: (folder: string, config: string) => readonly string[];
  readonly lines: Lines;
}

/** What brings a peer its lines. */
interface Lines {
  readonly connections: number;
  /** It does not read lists of objects: it is given objects, with a number for each key. */
  readonly keyed: boolean;
}

const peerTable: readonly Peer[] = [
  {
    name: 'rsyslog',
    command: '/usr/sbin/rsyslogd',
    args: (folder, config) => ['-n', '-f', config, '-i', join(folder, 'pid')],
    lines: { connections: 2, keyed: false },
  },
  {
    name: 'syslog-ng',
    command: SYSLOG_NG,
    args: (folder, config) => [
      ...['--foreground', '--no-caps', '--cfgfile', config, '--pidfile', join(folder, 'pid')],
      ...['--persist-file', join(folder, 'persist'), '--control', join(folder, 'control')],
    ],
    lines: { connections: 4, keyed: true },
  },
];

export const PEERS = peerTable.map(({ name }) => name);
export const WRITER_CEILING = 'ceiling of the writer';

/** The same JSON to the same CEF, by what people use for it today. */
export const peers: Scenario = {
  name: 'peers',
  measures: 'the same alerts as JSON lines over TCP → rsyslog, syslog-ng (queue in memory) → CEF over TCP',
  async run(context) {
    const alerts = alertsOf(context.quick);
    const rows: Measured[] = [
      { what: WRITER_CEILING, figures: await among((processes) => ceiling(processes, alerts)) },
    ];
    for (const peer of peerTable) rows.push(await measured(peer, alerts, context));
    return rows;
  },
};

async function measured(peer: Peer, alerts: number, { say }: Context): Promise<Measured> {
  const { name: what } = peer;
  const missing = whyMissing(what);
  if (missing !== undefined) return { what, figures: {}, note: `not measured: ${missing}` };
  say(what);
  return { what, figures: await among((processes) => converted(processes, peer, alerts)) };
}

async function converted(
  processes: Processes,
  { name, command, args, lines }: Peer,
  alerts: number,
): Promise<Measured['figures']> {
  const receiver = await Receiver.start(processes, marksOf(alerts));
  const port = await freePort();
  const config = join(processes.folder, `${name}.conf`);
  const places = { port, receiver: receiver.port, folder: processes.folder };
  writeFileSync(config, filled(readFileSync(join(CONFIGS, `${name}.conf`), 'utf8'), places));
  const child = processes.start(args(processes.folder, config), command);
  child.stdout!.resume();
  child.stderr!.pipe(process.stderr);
  while (!isBound('tcp', port)) await sleep(50);
  write(processes, port, alerts, lines);
  return await rateOf(receiver, child.pid!);
}

async function ceiling(processes: Processes, alerts: number): Promise<Measured['figures']> {
  const receiver = await Receiver.start(processes, marksOf(alerts));
  const { pid } = write(processes, receiver.port, alerts, { connections: 2, keyed: false });
  const { perSecond, cpuMicros } = await rateOf(receiver, pid!);
  return { perSecond: perSecond!, cpuMicros: cpuMicros! };
}

function write(processes: Processes, port: number, alerts: number, { connections, keyed }: Lines) {
  const flags = ['--port', port, '--alerts', alerts, '--connections', connections].map(String);
  const child = processes.start([WRITER, ...flags, ...(keyed ? ['--keyed'] : [])]);
  child.stderr!.pipe(process.stderr);
  return child;
}

/** The config with `{{name}}` filled in. */
function filled(config: string, places: Readonly<Record<string, string | number>>): string {
  return Object.entries(places).reduce(
    (text, [name, value]) => text.replaceAll(`{{${name}}}`, String(value)),
    config,
  );
}
