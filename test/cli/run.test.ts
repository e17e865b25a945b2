import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startSimulator, writeSimulatorFiles } from '../../src/simulator/index.ts';
import { start } from './child.ts';

const TIMEOUT = { timeout: 20_000 };

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'defender-relay-test-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

interface Settings {
  readonly state?: string;
  readonly ca?: string;
  readonly listen?: string;
}

/** A config of which nothing but its start is wanted: its Graph is not there. */
function aConfig({ state, ca, listen = "'off'" }: Settings): string {
  const directory = folder();
  const file = join(directory, 'relay.yaml');
  const id = '00000000-0000-0000-0000-000000000000';
  writeFileSync(join(directory, 'secret'), 'x', { mode: 0o600 });
  writeFileSync(
    file,
    `state: { directory: ${state ?? join(directory, 'state')} }
tenants:
  - name: contoso
    tenantId: ${id}
    graphEndpoint: https://127.0.0.1:1
    authorityHost: https://127.0.0.1:1
${ca === undefined ? '' : `    ca: ${ca}\n`}\
    credential: { type: client-secret, clientId: ${id}, clientSecret: '\${file:secret}' }
sources: [{ name: alerts, type: graph-alerts, tenant: contoso }]
sinks: [{ name: console, type: stdout }]
server: { listen: ${listen} }
`,
  );
  return file;
}

/** Runs a relay that cannot start: its exit code and the one fatal line. */
async function failing(settings: Settings) {
  const program = start(['run', '--config', aConfig(settings)]);
  const [exitCode] = await program.ended;
  const lines = program.stderr
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const fatal = lines.filter(({ level }) => level === 'fatal');
  expect(fatal).toHaveLength(1);
  // For people: the line has a message and nothing of the program's inside.
  expect(Object.keys(fatal[0]!).toSorted()).toEqual(['level', 'msg', 'time']);
  return { exitCode, message: String(fatal[0]!.msg) };
}

describe('run says in one line why it cannot start, and what to do', () => {
  it('when another relay has the state directory', async () => {
    const state = join(folder(), 'state');
    const first = start(['run', '--config', aConfig({ state })]);
    await expect.poll(() => first.stderr, TIMEOUT).toContain('a first start is assumed');
    const { exitCode, message } = await failing({ state });
    expect(exitCode).toBe(1);
    expect(message).toContain(`another defender-relay uses the state directory ${state}. Stop it, or `);
  });

  it('when the port is taken', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await expect.poll(() => server.listening).toBe(true);
    const { port } = server.address() as AddressInfo;
    const { exitCode, message } = await failing({ listen: `127.0.0.1:${port}` });
    expect(exitCode).toBe(1);
    expect(message).toMatch(/^server\.listen 127\.0\.0\.1:\d+: the address is in use: .* Choose another/);
  });

  it('when the CA file has no certificate: that is the config', async () => {
    const ca = join(folder(), 'ca.pem');
    writeFileSync(ca, 'nothing');
    const program = start(['run', '--config', aConfig({ ca })]);
    expect(await program.ended).toEqual([2, null]);
    expect(program.stderr).toContain(ca);
    expect(program.stderr).not.toMatch(/^\s+at /m);
  });

  it.skipIf(!existsSync('/proc/self')).each([
    ['/dev/null/x', 'ENOTDIR'],
    ['/proc/nothing/here', 'ENOENT'],
  ])('when the state directory is %s', async (state, code) => {
    const { exitCode, message } = await failing({ state });
    expect(exitCode).toBe(1);
    expect(message).toMatch(
      new RegExp(
        `^the state directory ${state} cannot be made: ${code}: .*set state\\.directory to another place$`,
      ),
    );
  });

  it('when the state directory is a file', async () => {
    const state = join(folder(), 'file');
    writeFileSync(state, '');
    const { exitCode, message } = await failing({ state });
    expect(exitCode).toBe(1);
    expect(message).toMatch(/^the state directory .*file cannot be made: EEXIST/);
  });

  it('when the journal is none', async () => {
    const state = join(folder(), 'state');
    mkdirSync(state, { mode: 0o700 });
    writeFileSync(join(state, 'journal.db'), 'no database, but long enough to be taken for one '.repeat(100));
    const { exitCode, message } = await failing({ state });
    expect(exitCode).toBe(1);
    expect(message).toMatch(
      /^the journal in .* failed: file is not a database\. "defender-relay journal check" tells .* Or restore /,
    );
  });
});

describe('run with a sink of type stdout', () => {
  it('ends when it is asked to, also when nobody reads what it writes', async () => {
    const directory = folder();
    const simulator = await startSimulator({ rate: 0, alerts: 300, quota: false });
    onTestFinished(() => simulator.close());
    const { config } = await writeSimulatorFiles(directory, simulator);
    writeFileSync(
      config,
      `${readFileSync(config, 'utf8')}    startFrom: journal\nserver: { listen: 'off' }\nstop: { grace: 1s }\n`,
    );
    const program = start(['run', '--config', config]);
    // A pipe that is full: what is in it is read by nobody.
    program.child.stdout!.pause();
    const sent = () => simulator.account.answers.length;
    await expect.poll(sent, TIMEOUT).toBeGreaterThan(2);
    const exited = new Promise((resolve) => program.child.once('exit', (...how) => resolve(how)));
    program.child.kill('SIGTERM');
    expect(await exited).toEqual([0, null]);
    program.child.stdout!.resume();
    await program.ended;
    expect(program.stderr).toContain('"msg":"stopped"');
  });
});
