import { once } from 'node:events';
import { UsageError } from '../core/errors.ts';
import { stopOnSignals } from '../lib/stop.ts';
import {
  parseFaults,
  parseRefusal,
  readSimulatorCa,
  startSimulator,
  writeSimulatorFiles,
} from '../simulator/index.ts';
import { readAlerts } from './input.ts';
import { colorsFor, endSoon, type Io } from './io.ts';

export interface SimulateFlags {
  readonly dir?: string;
  readonly host: string;
  readonly name?: string;
  readonly port: number;
  readonly alerts?: number;
  readonly rate: number;
  readonly input?: string;
  readonly faults?: string;
  readonly refuse?: string;
  readonly roles: string;
  readonly quota: 'on' | 'off';
  readonly seed: number;
}

/** Runs a Graph and token endpoint until SIGTERM or SIGINT. */
export async function simulateCommand(flags: SimulateFlags, io: Io): Promise<number> {
  const { host, name, port, alerts, rate, seed } = flags;
  const faults = parsed('--faults', flags.faults, parseFaults) ?? {};
  const refuse = parsed('--refuse', flags.refuse, parseRefusal);
  const roles = flags.roles === 'none' ? [] : flags.roles.split(',').map((role) => role.trim());
  const given = flags.input === undefined ? undefined : await readAlerts(flags.input, io);
  const input = given?.map(({ alert }) => alert);
  const simulator = await startSimulator({
    host,
    name,
    port,
    alerts,
    rate,
    seed,
    input,
    faults,
    refuse,
    roles,
    ca: flags.dir === undefined ? undefined : await readSimulatorCa(flags.dir, Date.now()),
    quota: flags.quota === 'on',
  }).catch((cause: Error) => {
    throw new UsageError(`simulate: ${cause.message}`, { cause });
  });
  const stop = stopOnSignals(process, { graceMs: () => 1_000, force: io.exit });
  try {
    const colors = colorsFor(io.stdout, io.env);
    const say = (line: string) => io.stdout.write(`${line}\n`);
    say(`${colors.bold('Graph and token authority')}  ${simulator.url}`);
    if (flags.dir !== undefined) {
      const files = await writeSimulatorFiles(flags.dir, simulator).catch((cause: Error) => {
        throw new UsageError(`--dir ${flags.dir}: ${cause.message}`, { cause });
      });
      say(`${colors.bold('CA to trust')}                ${files.ca}`);
      say(`${colors.bold('a relay that reads from it')} defender-relay run --config ${files.config}`);
    }
    if (!stop.soft.aborted) await once(stop.soft, 'abort');
    return 0;
  } finally {
    stop.dispose();
    await simulator.close();
    endSoon(io);
  }
}

function parsed<T>(flag: string, text: string | undefined, parse: (text: string) => T): T | undefined {
  if (text === undefined) return undefined;
  try {
    return parse(text);
  } catch (cause) {
    throw new UsageError(`${flag}: ${(cause as Error).message}`, { cause });
  }
}
