import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { onTestFinished } from 'vitest';
import type { Io } from '../../src/cli/io.ts';
import { commandsOn } from '../../src/control/protocol.ts';
import { openControl } from '../../src/control/server.ts';
import type { Journal, SinkRegistration } from '../../src/core/journal.ts';
import type { RelayRecord } from '../../src/core/record.ts';
import { aPage, open, quiet, someRecords } from '../journal/harness.ts';
import { testFolder } from '../support/folder.ts';
import { aReplayResult } from '../support/replayed.ts';

const guid = '00000000-0000-0000-0000-000000000000';

export const sinkNamed = (name: string): SinkRegistration => ({ name, startFrom: 'now', shape: 'x' });

/**
 * A config with sink `siem`, and the state of a relay that has stopped: `a` was refused by siem, `b` waits for it, and
 * for sink `old`, which has left the config, all does.
 */
export async function aKeptState() {
  const folder = testFolder();
  const config = join(folder, 'relay.yaml');
  const state = join(folder, 'state');
  writeFileSync(
    config,
    `tenants:
  - name: contoso
    tenantId: ${guid}
    credential: { type: client-secret, clientId: ${guid}, clientSecret: '\${env:NOBODY_SETS_IT}' }
sources: [{ name: alerts, type: graph-alerts, tenant: contoso }]
sinks: [{ name: siem, type: stdout }]
`,
  );
  if (made) {
    for (const [name, bytes] of made) writeFileSync(join(makeFolder(state), name), bytes, { mode: 0o600 });
  } else {
    await keep(state);
    made = readdirSync(state).map((name) => [name, readFileSync(join(state, name))] as const);
  }
  return { config, state, cursor: { batch: 1, index: 0 } };
}

/** The files of the first one; to make one takes a while. */
let made: (readonly [name: string, bytes: Buffer])[] | undefined;

async function keep(state: string): Promise<void> {
  const journal = await open(state);
  const { cursor } = (await journal.register([sinkNamed('siem'), sinkNamed('old')])).get('siem')!;
  await journal.append(aPage(someRecords(['a', 'b'])));
  const { records, ends } = await journal.take(cursor, 1, AbortSignal.timeout(9_000));
  const refused = [{ record: records[0]!, reason: 'rejected', detail: 'HTTP 400\u001b[2J' }] as const;
  journal.advance({ sink: 'siem', cursor: ends[0]!, sequence: 1, refused });
  await journal.register([sinkNamed('siem')]);
  await journal.append(
    aPage([], {
      unread: [
        {
          at: 638_766_584_030_000_000n,
          to: 638_766_584_040_000_000n,
          count: 3,
          reason: 'unreadable',
          detail: 'HTTP 500',
        },
      ],
    }),
  );
  await journal.close();
}

function makeFolder(path: string): string {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  return path;
}

/** A relay has the state, and listens. */
export async function aRunningRelay(state: string): Promise<Journal> {
  const journal = await open(state);
  const control = await openControl(
    state,
    {
      ...commandsOn(journal),
      reconcile: async () => ({ sources: [], gaps: [] }),
      replay: async () => aReplayResult(),
    },
    quiet,
  );
  onTestFinished(async () => {
    await control.close();
    await journal.close();
  });
  await journal.register([sinkNamed('siem')]);
  return journal;
}

type Command<Flags> = (flags: Flags, io: Pick<Io, 'stdout' | 'stderr' | 'env'>) => Promise<number>;

/** @returns what is printed, and the exit code */
export async function run<Flags>(command: Command<Flags>, flags: Flags) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const code = await command(flags, { stdout, stderr, env: {} });
  const text = String(stdout.read() ?? '');
  return { code, text, lines: text.trimEnd().split('\n') };
}

/** What a sink is told next, as id and outcome. */
export async function toldNext(journal: Journal, sink: string, cursor: Parameters<Journal['take']>[0]) {
  const records: RelayRecord[] = [];
  for (let at = cursor; ; ) {
    const loan = await journal.peek(at, 10, AbortSignal.timeout(9_000), sink);
    if (!loan) return records.map(({ id, outcome }) => [id, outcome]);
    records.push(...loan.records);
    at = loan.ends.at(-1)!;
  }
}
