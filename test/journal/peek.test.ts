import { chmodSync, copyFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { JournalError } from '../../src/core/errors.ts';
import { pathsIn } from '../../src/journal/database.ts';
import { peekDeadLetter, peekDeadLetters, peekJournal, peekSinks } from '../../src/journal/peek.ts';
import { aDirectory, aPage, ids, MIB, open, someRecords } from './harness.ts';

const siem = { name: 'siem', startFrom: 'now', shape: 'cef' } as const;

async function filled(state: string) {
  const journal = await open(state);
  await journal.register([siem]);
  await journal.append(aPage(someRecords(ids(3)), { checkpoint: 'somewhere' }));
  return journal;
}

const expected = {
  stats: { pending: 3, records: 3, limitBytes: MIB, paused: false, sinks: [{ name: 'siem', pending: 3 }] },
  sources: [{ source: 'alerts', tenant: 'contoso', checkpoint: 'somewhere' }],
  coverage: [{ product: 'microsoftDefenderForEndpoint', records: 3 }],
};

describe('peekSinks() and peekDeadLetters()', () => {
  it('find nothing where there is no journal', () => {
    using directory = aDirectory();
    expect(peekSinks(directory.state)).toBeUndefined();
    expect(peekDeadLetters(directory.state, {}, 9)).toBeUndefined();
  });

  it('K8: tell of sinks that have left, too, and of dead letters', async () => {
    using directory = aDirectory();
    const journal = await filled(directory.state);
    const { records, ends } = await journal.take({ batch: 0, index: -1 }, 3, AbortSignal.timeout(9_000));
    const refused = records.map((record) => ({ record, reason: 'rejected' as const, detail: record.id }));
    journal.advance({ sink: 'siem', cursor: ends[1]!, sequence: 2, refused });
    await journal.register([{ ...siem, name: 'other' }]);
    expect(peekSinks(directory.state)).toMatchObject([
      { name: 'other', pending: 0, orphanedMs: undefined },
      { name: 'siem', pending: 1, orphanedMs: expect.any(Number) },
    ]);
    const newest = peekDeadLetters(directory.state, { kind: 'sink', name: 'siem' }, 2)!;
    expect(newest.map(({ id, detail }) => [id, detail])).toEqual([
      [2, 'a1'],
      [3, 'a2'],
    ]);
    expect(peekDeadLetters(directory.state, { kind: 'source' }, 2)).toEqual([]);
    expect(peekDeadLetter(directory.state, 1)).toMatchObject({
      name: 'siem',
      reason: 'rejected',
      detail: 'a0',
    });
    expect(peekDeadLetter(directory.state, 7)).toBeUndefined();
    await journal.close();
  });
});

describe('peekJournal()', () => {
  it('finds nothing where there is none, and makes none', () => {
    using directory = aDirectory();
    expect(peekJournal(directory.state, MIB)).toBeUndefined();
    mkdirSync(directory.state);
    expect(peekJournal(directory.state, MIB)).toBeUndefined();
    expect(readdirSync(directory.state)).toEqual([]);
  });

  it('sees what a running relay has written, and does not disturb it', async () => {
    using directory = aDirectory();
    const journal = await filled(directory.state);
    const { bytes } = await journal.stats();
    expect(peekJournal(directory.state, MIB)).toMatchObject({ ...expected, running: true });
    expect(peekJournal(directory.state, MIB)!.stats.bytes).toBe(bytes);
    await journal.append(aPage(someRecords(ids(2, 'b'))));
    expect(peekJournal(directory.state, MIB)!.stats.records).toBe(5);
    // The lock is still held.
    await expect(open(directory.state)).rejects.toThrow(/another defender-relay/);
    await journal.close();
  });

  it('sees what a relay that has stopped left behind, and leaves nothing', async () => {
    using directory = aDirectory();
    await (await filled(directory.state)).close();
    const before = readdirSync(directory.state);
    expect(peekJournal(directory.state, MIB)).toMatchObject({ ...expected, running: false });
    expect(readdirSync(directory.state)).toEqual(before);
    const again = await open(directory.state);
    expect((await again.stats()).records).toBe(3);
    await again.close();
  });

  it('sees what is only in the log of one that was killed', async () => {
    using directory = aDirectory();
    const journal = await filled(directory.state);
    const copy = join(directory.path, 'copy');
    mkdirSync(copy);
    const { journal: file, wal } = pathsIn(directory.state);
    copyFileSync(file, pathsIn(copy).journal);
    copyFileSync(wal, pathsIn(copy).wal);
    await journal.close();
    expect(peekJournal(copy, MIB)).toMatchObject({ ...expected, running: false });
  });

  it('takes one that is full of what a sink needs for paused', async () => {
    using directory = aDirectory();
    await (await filled(directory.state)).close();
    expect(peekJournal(directory.state, 1_000)!.stats.paused).toBe(true);
  });

  it.each([
    [
      'newer',
      99,
      /^the journal in .* was written by defender-relay \S+, .* newer than .* with that version$/,
    ],
    ['older', 1, /older than .*, or start this one, which brings it up to date$/],
  ])('says what to do with a journal of a %s version', async (_, version, message) => {
    using directory = aDirectory();
    await (await filled(directory.state)).close();
    const database = new DatabaseSync(pathsIn(directory.state).journal);
    database.exec(`PRAGMA user_version = ${version}`);
    database.close();
    expect(() => peekJournal(directory.state, MIB)).toThrow(JournalError);
    expect(() => peekJournal(directory.state, MIB)).toThrow(message);
  });

  it('G15: does not take a broken journal for none', async () => {
    using directory = aDirectory();
    await (await filled(directory.state)).close();
    const database = new DatabaseSync(pathsIn(directory.state).journal);
    database.exec('UPDATE sink SET position = position + 1');
    database.close();
    expect(() => peekJournal(directory.state, MIB)).toThrow(/is broken: the cursor of sink siem/);
    rmSync(pathsIn(directory.state).journal);
    writeFileSync(pathsIn(directory.state).journal, 'x'.repeat(5_000));
    expect(() => peekJournal(directory.state, MIB)).toThrow(/cannot be read: file is not a database/);
  });

  it.skipIf(process.getuid?.() === 0)('says who may look at it', async () => {
    using directory = aDirectory();
    await (await filled(directory.state)).close();
    chmodSync(directory.state, 0);
    try {
      expect(() => peekJournal(directory.state, MIB)).toThrow(/as the user that the relay runs as$/);
    } finally {
      chmodSync(directory.state, 0o700);
    }
  });
});
