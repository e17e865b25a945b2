import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import { statusCommand } from '../../src/cli/status.ts';
import { openJournal } from '../../src/journal/journal.ts';
import type { Status } from '../../src/observe/status.ts';
import { testFolder } from '../support/folder.ts';
import { aSourceRecord } from '../support/records.ts';

const ESC = '\u001b';
const HOUR = 3_600_000;
const ago = (ms: number) => new Date(Date.now() - ms).toISOString();

const checkpoint = JSON.stringify({
  version: 2,
  start: '638000000000000000',
  watermark: '638767000000000000',
  readAt: { overlap: 0, sweep: 0 },
  open: [],
  unreadable: [],
});

const lastFailure = {
  at: ago(3_000),
  reason: 'network',
  message: `nobody listens${ESC}[2J\nsink siem: fine`,
};

const aStatus = (directory: string): Status => ({
  version: '1.2.3',
  directory,
  running: true,
  since: ago(HOUR),
  ready: false,
  configRefused: null,
  problems: [{ part: 'sink', name: 'siem', message: `sink siem: down for 6m: ${lastFailure.message}` }],
  sources: [
    {
      name: 'alerts',
      tenant: 'contoso',
      watermark: '2025-03-04T11:58:30.123Z',
      lagSeconds: 1.5,
      lastRead: ago(1_500),
      lastFailure: null,
      open: [{ reading: 'sweep', begun: ago(60_000), from: ago(3 * HOUR), to: ago(HOUR) }],
      setAside: 1,
      notes: ['overlap is too short'],
      compared: {
        at: ago(3 * HOUR),
        from: ago(51 * HOUR),
        to: ago(3 * HOUR),
        listed: 4_711,
        missing: 3,
        repaired: 2,
        unread: 1,
      },
      products: [
        {
          product: 'microsoftSentinel',
          firstSeen: ago(2 * HOUR),
          lastSeen: ago(HOUR),
          records: 7,
          lateness: { medianSeconds: 30, p95Seconds: null },
          rhythm: { usualSeconds: 7_200, longestSeconds: 18_000 },
        },
      ],
    },
  ],
  journal: { bytes: 2 ** 20, limitBytes: 2 ** 30, records: 4_711, paused: false },
  sinks: [
    {
      name: 'siem',
      required: false,
      connected: true,
      pending: 12,
      oldestPending: ago(2 * HOUR),
      gaps: {
        count: 2,
        records: 130,
        oldest: '2025-03-02T10:00:00.000Z',
        newest: '2025-03-04T07:00:00.000Z',
        grown: ago(HOUR),
        open: true,
      },
      fullInSeconds: 5_400,
      unconfirmed: 3,
      lastDelivered: null,
      lastFailure,
      failingSince: ago(HOUR),
      confirms: 'delay',
      notes: ['the receiver never answers'],
    },
  ],
  deadLetters: [{ kind: 'sink', name: 'siem', count: 2 }],
});

/** A config whose relay may answer, and its state directory. */
function aConfig(listen: string) {
  const folder = testFolder();
  const state = join(folder, 'state');
  const file = join(folder, 'relay.yaml');
  const id = '00000000-0000-0000-0000-000000000000';
  writeFileSync(
    file,
    `tenants:
  - name: contoso
    tenantId: ${id}
    credential: { type: client-secret, clientId: ${id}, clientSecret: '\${file:not-ours-to-read}' }
sources: [{ name: alerts, type: graph-alerts, tenant: contoso }]
sinks: [{ name: siem, type: syslog, host: 127.0.0.1 }]
server: { listen: '${listen}' }
`,
  );
  return { file, state };
}

async function serve(answer: RequestListener): Promise<number> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** Some records that wait for a sink. */
async function aJournal(directory: string) {
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const journal = await openJournal({ directory, maxBytes: 2 ** 30, retentionMs: HOUR, log });
  onTestFinished(() => journal.close());
  await journal.register([{ name: 'siem', startFrom: 'now', shape: 'x' }]);
  const records = [aSourceRecord({ id: 'a' }), aSourceRecord({ id: 'b' })];
  const dateMs = Date.parse('2025-03-04T10:13:40Z');
  const key = { source: 'alerts', tenant: 'contoso' };
  await journal.append({ ...key, reading: 'poll', records, dateMs, checkpoint, floor: 0n, updates: 'all' });
  return journal;
}

/** @returns what is printed, line by line, and the exit code */
async function ask(file: string, options: { json?: boolean; terminal?: boolean } = {}) {
  const stdout = Object.assign(new PassThrough(), { isTTY: options.terminal === true });
  const code = await statusCommand({ config: file, json: options.json === true }, { stdout, env: {} });
  const text = String(stdout.read());
  return { code, text, lines: text.trimEnd().split('\n') };
}

describe('status of a relay that answers', () => {
  async function answering(change: Partial<Status> = {}) {
    let status: Partial<Status> = {};
    const asked: (string | undefined)[] = [];
    const port = await serve(({ url }, response) => {
      asked.push(url);
      response.end(JSON.stringify(status));
    });
    const { file, state } = aConfig(`127.0.0.1:${port}`);
    status = { ...aStatus(state), ...change };
    return { file, state, status, asked };
  }

  it('is what it says, as JSON', async () => {
    const { file, status, asked } = await answering();
    const { code, text } = await ask(file, { json: true });
    expect(JSON.parse(text)).toEqual(status);
    expect(code).toBe(1);
    expect(asked).toEqual(['/status']);
  });

  it('is aligned and plain in a pipe', async () => {
    const { file, state } = await answering();
    const { lines } = await ask(file);
    expect(lines).toEqual([
      expect.stringMatching(/^defender-relay 1\.2\.3: not ready, running since \S+Z \(1h\)$/),
      '  sink siem: down for 6m: nobody listens [2J sink siem: fine',
      '',
      'Sources',
      '  SOURCE  TENANT   READ UP TO            LAG',
      '  alerts  contoso  2025-03-04T11:58:30Z  2s',
      expect.stringMatching(/^ {4}alerts: sweep begun 1m ago: 2h to go, from \S+Z$/),
      '    alerts: 1 time set aside as unreadable',
      '    alerts: compared 3h ago, 4711 records: 3 were missing, 2 repaired; 1 time could not be read',
      '    alerts: overlap is too short',
      '',
      'Products',
      '  SOURCE  TENANT   PRODUCT            LAST SEEN  RECORDS  HALF WITHIN  95% WITHIN  EVERY  LONGEST',
      '  alerts  contoso  microsoftSentinel  1h ago     7        30s          over 1d     2h     5h',
      '',
      'Journal',
      `  ${state}: 1 MiB of 1 GiB (0%), 4711 records`,
      '',
      'Sinks',
      '  SINK  STATE    PENDING  OLDEST  FULL IN  UNCONFIRMED  DELIVERED  CONFIRMED BY',
      '  siem  failing  12       2h      1h 30m   3            -          delay',
      '    siem: was not given at most 130 records of 2025-03-02T10:00:00Z to 2025-03-04T07:00:00Z, in 2 gaps; ' +
        'the last were let go of 1h ago, and it has taken nothing since',
      '    siem: the receiver never answers',
      expect.stringMatching(/^ {4}siem: failed \ds ago: nobody listens \[2J sink siem: fine$/),
      '',
      'Dead letters',
      '  KIND  NAME  COUNT',
      '  sink  siem  2',
    ]);
  });

  it('S6: is coloured on a terminal, and nothing of a far end reaches it as it came', async () => {
    const { file } = await answering();
    const { text } = await ask(file, { terminal: true });
    expect(text).toContain(`${ESC}[31mnot ready${ESC}[39m`);
    expect(text).not.toContain(`${ESC}[2J`);
    expect(text).not.toContain('\nsink siem: fine');
  });

  it('is fine when it is ready', async () => {
    const { file } = await answering({ ready: true, problems: [] });
    const { code, lines } = await ask(file);
    expect(code).toBe(0);
    expect(lines[0]).toMatch(/: ready, running since/);
  });
});

describe('status of a relay that does not answer', () => {
  it('is what the journal of one that has stopped says', async () => {
    const { file, state } = aConfig('127.0.0.1:1');
    await (await aJournal(state)).close();
    const { code, lines } = await ask(file);
    expect(code).toBe(1);
    expect(lines.slice(0, 2)).toEqual([
      expect.stringMatching(/: not running$/),
      `  no relay runs on ${state}`,
    ]);
    expect(lines).toContainEqual(expect.stringMatching(/^ {2}alerts {2}contoso {2}2025-03-0\dT\S+Z {2}\d+d/));
    expect(lines).toContainEqual(
      expect.stringMatching(/^ {2}alerts {2}contoso {2}microsoftDefenderForEndpoint .* 2 +30s +30s/),
    );
    expect(lines).toContainEqual(expect.stringMatching(/^ {2}siem +- +2 +\S+ +- +- +- +-$/));
  });

  it('is what the journal of one with its server off says', async () => {
    const { file, state } = aConfig('off');
    await aJournal(state);
    const { code, lines } = await ask(file);
    expect(code).toBe(0);
    expect(lines[0]).toMatch(/: ready$/);
    expect(lines[1]).toBe('  the relay itself was not asked: this is what its journal says');
  });

  it('G25: says when one runs that should answer', async () => {
    const { file, state } = aConfig('127.0.0.1:1');
    await aJournal(state);
    const { code, text } = await ask(file, { json: true });
    expect(code).toBe(1);
    expect(JSON.parse(text)).toMatchObject({
      running: true,
      ready: false,
      problems: [
        { part: 'relay', message: expect.stringContaining('does not answer at http://127.0.0.1:1/status') },
      ],
      sinks: [{ name: 'siem', connected: null, pending: 2, unconfirmed: null }],
    });
  });

  it.each<[string, RequestListener]>([
    ['another relay', (_, response) => response.end(JSON.stringify(aStatus('/elsewhere')))],
    ['something else', (_, response) => response.end('<html>')],
    ['nobody’s friend', (_, response) => response.end('null')],
  ])('is not taken from %s that has the port', async (_, answer) => {
    const { file, state } = aConfig(`127.0.0.1:${await serve(answer)}`);
    const { lines } = await ask(file);
    expect(lines[1]).toBe(`  there is no journal in ${state}: no relay has been started there`);
  });

  it('tells of a journal that cannot be read', async () => {
    const { file, state } = aConfig('off');
    mkdirSync(state);
    writeFileSync(join(state, 'journal.db'), 'x'.repeat(5_000));
    await expect(ask(file)).rejects.toThrow(/^the journal in .* cannot be read: file is not a database/);
  });
});
