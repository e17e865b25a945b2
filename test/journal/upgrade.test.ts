import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { expect, it } from 'vitest';
import { pathsIn } from '../../src/journal/database.ts';
import { sources } from '../../src/sources/index.ts';
import { aSourceRecord } from '../support/records.ts';
import { aDirectory, aPage, aStore, DAY_MS, MIB, open, START, someRecords, takeAll } from './harness.ts';

const siem = { name: 'siem', startFrom: 'journal', shape: 'cef' } as const;
const stored = new URL('../fixtures/checkpoints/graph-alerts-2.json', import.meta.url);
const checkpoint = readFileSync(stored, 'utf8').trim();

/** Undoes what each version of the schema has added, from the second on. */
const undoing = [
  'DROP TABLE followed',
  'DROP TABLE coverage',
  'DROP TABLE apart; DROP INDEX batch_target',
  'DROP TABLE extent',
  'DROP TABLE given; DROP TABLE withheld',
  'ALTER TABLE alert_state DROP COLUMN state',
  'DROP TABLE gap; ALTER TABLE sink DROP COLUMN required',
  'DROP TABLE repaired; DROP TABLE reconciled',
  `ALTER TABLE seen DROP COLUMN born;
  ALTER TABLE alert_state RENAME TO by_time;
  DROP INDEX alert_state_revision;
  CREATE TABLE alert_state (
    source INTEGER NOT NULL, id TEXT NOT NULL, revision INTEGER NOT NULL, state TEXT, PRIMARY KEY (source, id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX alert_state_revision ON alert_state (source, revision);
  INSERT INTO alert_state SELECT source, id, revision, state FROM by_time;
  DROP TABLE by_time`,
];

/** Makes the journal one of that version. */
function undo(state: string, schema: number): void {
  const database = new DatabaseSync(pathsIn(state).journal);
  for (const step of undoing.slice(schema - 1).reverse()) database.exec(step);
  database.exec(`PRAGMA user_version = ${schema}`);
  database.close();
}

it.each(undoing.map((_, at) => at + 1))(
  'G22: an upgrade from schema %i forgets nothing, and tells nothing again',
  async (schema) => {
    using directory = aDirectory();
    const records = someRecords(['a', 'b']);
    const before = await open(directory.state);
    await before.register([siem]);
    await before.append(aPage(records, { checkpoint }));
    const { ends } = await before.take(START, 1, AbortSignal.timeout(10_000));
    before.advance({ sink: 'siem', cursor: ends[0]!, sequence: 1, refused: [] });
    await before.close();
    undo(directory.state, schema);

    const after = await open(directory.state);
    expect(await after.checkpoint({ source: 'alerts', tenant: 'contoso' })).toBe(checkpoint);
    const { cursor, sequence } = (await after.register([siem])).get('siem')!;
    expect(sequence).toBe(1);
    const waiting = await after.take(cursor, 10, AbortSignal.timeout(10_000));
    expect(waiting.records.map(({ id }) => id)).toEqual(['b']);
    expect(await after.append(aPage(records, { checkpoint }))).toMatchObject({ new: 0, duplicate: 2 });
    const later = records.map((record) => ({ ...record, revision: record.revision + 1n }));
    for (const news of [2, 0])
      expect(await after.append(aPage(later, { checkpoint }))).toMatchObject({
        new: news,
        duplicate: 2 - news,
      });
    expect((await takeAll(after)).map(({ outcome }) => outcome)).toEqual(['new', 'new', 'update', 'update']);
    await after.close();
  },
);

it('Q4 G22: a full journal is brought up to date, stays full, and goes on', () => {
  using directory = aDirectory();
  const options = { directory: directory.state, maxBytes: MIB, retentionMs: 7 * DAY_MS, version: '1.0.0' };
  const before = aStore(options, () => {});
  before.commit(() => void before.register([siem]));
  const add = (id: string) => {
    const noise = randomBytes(50_000).toString('hex');
    before.commit(() => void before.append(aPage([aSourceRecord({ id, noise })])));
  };
  while (!before.stats().paused) add(`a${before.lastBatch}`);
  // Its log counts, too, and is gone once it has been closed.
  for (const id of ['b', 'c', 'd']) add(id);
  const { pending } = before.stats();
  before.close();
  undo(directory.state, 1);

  const after = aStore(options, () => {});
  expect(after.stats()).toMatchObject({ paused: true, pending });
  expect(after.read(START)?.batches[0]?.id).toBe(1);
  const step = { sink: 'siem', cursor: { batch: pending, index: 0 }, sequence: pending, refused: [] };
  after.commit(() => after.advance([step]));
  expect(after.stats()).toMatchObject({ paused: false, pending: 0 });
  after.commit(() => void after.append(aPage(someRecords(['next']))));
  expect(after.stats()).toMatchObject({ pending: 1 });
  after.close();
});

it('G22: a source goes on from the checkpoint that an older version has stored', () => {
  expect(sources[0].progress(checkpoint)).toEqual({
    watermarkMs: Date.UTC(2025, 2, 4, 11, 59, 0, 500),
    open: [
      {
        reading: 'backfill',
        begunMs: Date.UTC(2025, 2, 4, 11),
        fromMs: Date.UTC(2025, 2, 2, 8),
        toMs: Date.UTC(2025, 2, 4, 10, 59),
      },
    ],
    setAside: 1,
  });
});
