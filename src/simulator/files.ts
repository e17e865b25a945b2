import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Account } from './account.ts';

/** What a config has to know of a simulator. */
interface Address {
  readonly url: string;
  readonly caPem: string;
  readonly tenantId: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly account: Account;
}

/** What {@link writeSimulatorFiles} has written. */
export interface SimulatorFiles {
  readonly config: string;
  readonly ca: string;
  readonly secret: string;
}

/**
 * Writes `ca.pem`, `secret` and a `relay.yaml` that reads from the simulator, into `directory` (made when missing).
 *
 * @param rest the end of the config, from `sinks:` on; default: to standard output
 */
export async function writeSimulatorFiles(
  directory: string,
  simulator: Address,
  rest: string = toStdout,
): Promise<SimulatorFiles> {
  await mkdir(directory, { recursive: true });
  const files = {
    config: join(directory, 'relay.yaml'),
    ca: join(directory, 'ca.pem'),
    secret: join(directory, 'secret'),
  };
  await writeFile(files.ca, simulator.caPem);
  await writeFile(files.secret, simulator.clientSecret, { mode: 0o600 });
  await writeFile(files.config, configOf(simulator) + rest);
  return files;
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
sources:
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
