import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectory } from '../lib/directory.ts';
import type { Account } from './account.ts';
import { type Ca, isUsable } from './certificate.ts';

/** What a config has to know of a simulator. */
interface Address {
  readonly url: string;
  readonly caPem: string;
  readonly caKeyPem: string;
  readonly tenantId: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly quota: boolean;
  readonly account: { readonly raised: readonly Pick<Account['raised'][number], 'raisedAt'>[] };
}

/** What {@link writeSimulatorFiles} has written. */
export interface SimulatorFiles {
  readonly config: string;
  readonly ca: string;
  readonly secret: string;
}

const CA = 'ca.pem';
const CA_KEY = 'ca-key.pem';

/**
 * The CA of a simulator that wrote its files into `directory` before: a relay that runs trusts the next one, too.
 * `undefined` when there is none, or it cannot be used any more.
 */
export async function readSimulatorCa(directory: string, nowMs: number): Promise<Ca | undefined> {
  try {
    const read = (name: string) => readFile(join(directory, name), 'utf8');
    const ca = { cert: await read(CA), key: await read(CA_KEY) };
    return isUsable(ca, nowMs) ? ca : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Writes `ca.pem` and its key, `secret` and a `relay.yaml` that reads from the simulator, into `directory` (made when missing).
 *
 * @param rest the end of the config, from `sinks:` on; default: to standard output
 */
export async function writeSimulatorFiles(
  directory: string,
  simulator: Address,
  rest: string = toStdout,
): Promise<SimulatorFiles> {
  makeDirectory(directory);
  const files = {
    config: join(directory, 'relay.yaml'),
    ca: join(directory, CA),
    secret: join(directory, 'secret'),
  };
  await writePrivate(join(directory, CA_KEY), simulator.caKeyPem);
  await writeFile(files.ca, simulator.caPem);
  await writePrivate(files.secret, simulator.clientSecret);
  await writeFile(files.config, configOf(simulator) + rest);
  return files;
}

/** In a new file: one that is there would keep its mode. */
async function writePrivate(file: string, text: string): Promise<void> {
  await rm(file, { force: true });
  await writeFile(file, text, { mode: 0o600, flag: 'wx' });
}

function configOf(simulator: Address): string {
  return `# A relay that reads from the simulator. Try it: defender-relay run --config THIS_FILE
state:
  directory: ./state
tenants:
  - name: simulator
    tenantId: ${simulator.tenantId}
    graphEndpoint: ${simulator.url}
    authorityHost: ${simulator.url}
    ca: ca.pem
    credential:
      type: client-secret
      clientId: ${simulator.clientId}
      clientSecret: \${file:secret}
${simulator.quota ? '' : '    requestsPerMinute: 100000   # this simulator has no limit\n'}sources:
  - name: alerts
    type: graph-alerts
    tenant: simulator
    every: 1s
${startFrom(simulator)}`;
}

const toStdout = `sinks:
  - name: console
    type: stdout
    format: { type: cef }
  # - name: siem
  #   type: syslog
  #   transport: tcp
  #   host: 127.0.0.1
  #   port: 5514
  #   format: { type: cef }
`;

const DAY_MS = 86_400_000;

/** Given alerts may be older than the day that a source goes back by default. */
function startFrom({ account }: Address): string {
  const oldestMs = account.raised.reduce((oldest, { raisedAt }) => Math.min(oldest, raisedAt), Infinity);
  if (oldestMs > Date.now() - DAY_MS) return '';
  return `    startFrom: '${new Date(oldestMs - DAY_MS).toISOString()}'   # before the oldest given alert\n`;
}
