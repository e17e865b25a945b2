import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { PassThrough, Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { journalCheckCommand, journalExportCommand } from '../../src/cli/journal.ts';
import { RelayError } from '../../src/core/errors.ts';
import { pathsIn } from '../../src/journal/database.ts';
import { open } from '../journal/harness.ts';
import { aKeptState, aRunningRelay, run, sinkNamed } from './kept-state.ts';

function breakBatch(state: string): void {
  const database = new DatabaseSync(pathsIn(state).journal);
  database.exec('UPDATE batch SET data = zeroblob(9)');
  database.close();
}

describe('journal check', () => {
  it('K10: says that all is whole, also beside a running relay', async () => {
    const { config, state } = await aKeptState();
    const { code, text } = await run(journalCheckCommand, { config });
    expect(code).toBe(0);
    expect(text).toMatch(/^journal in .*state: schema \d+, written by \d/);
    expect(text).toMatch(
      /2 records, 1 whole batch of 1 to 1, 1 source, 2 sink, 2 apart, 2 dead_letter.*\nall is whole\n$/,
    );
    await aRunningRelay(state);
    expect((await run(journalCheckCommand, { config })).text).toMatch(/a relay has it.*\nall is whole\n$/);
    await expect(run(journalCheckCommand, { config, repair: true })).rejects.toThrow(
      /another defender-relay/,
    );
  });

  it('tells what is broken and plans; then repairs, keeps the broken files, and the relay starts', async () => {
    const { config, state } = await aKeptState();
    breakBatch(state);
    const before = readFileSync(pathsIn(state).journal);
    const { code, lines } = await run(journalCheckCommand, { config });
    expect(code).toBe(1);
    expect(lines.slice(2)).toEqual([
      'broken:',
      '  batch 1 is not as it was written',
      'nothing was changed; with the relay stopped, "defender-relay journal check --repair" would:',
      expect.stringMatching(/^ {2}- keep .*journal\.db and its log as they are, in a folder .*broken-TIME$/),
      expect.stringMatching(/^ {2}- make a new journal of all that is whole/),
      expect.stringMatching(
        /^ {2}- batch 1 is lost: 2 records of source alerts .*given yet to sinks old, siem\. They are forgotten/,
      ),
    ]);
    const { text } = await run(journalCheckCommand, { config, json: true });
    expect(JSON.parse(text)).toMatchObject({ whole: false, kept: null, lost: [{ first: 1, last: 1 }] });
    expect(readFileSync(pathsIn(state).journal).equals(before)).toBe(true);

    const repaired = await run(journalCheckCommand, { config, repair: true, json: true });
    expect(repaired.code).toBe(0);
    const { kept } = JSON.parse(repaired.text);
    expect(kept).toMatch(/broken-\d{8}T\d{6}Z$/);
    expect(readFileSync(join(kept, 'journal.db')).equals(before)).toBe(true);
    const journal = await open(state);
    await journal.register([sinkNamed('siem')]);
    await journal.close();
  });

  it('says so when there is none', async () => {
    const { config, state } = await aKeptState();
    const { journal } = pathsIn(state);
    rmSync(journal);
    await expect(run(journalCheckCommand, { config })).rejects.toThrow(/there is no journal in/);
  });
});

describe('journal export', () => {
  it('writes each record with where it stands, and what was refused', async () => {
    const { config } = await aKeptState();
    const { code, lines } = await run(journalExportCommand, { config });
    expect(code).toBe(0);
    const records = lines.map((line) => JSON.parse(line));
    expect(records).toMatchObject([
      { kind: 'alert', id: 'a', deadLetter: { id: 1, sink: 'siem', reason: 'rejected' }, body: { id: 'a' } },
      {
        source: 'alerts',
        tenant: 'contoso',
        id: 'a',
        batch: 1,
        index: 0,
        revision: '0001-01-01T00:00:00.0001000Z',
      },
      { id: 'b', batch: 1, index: 1, body: { id: 'b' } },
    ]);
  });

  it('writes to a new file, and to no other', async () => {
    const { config, state } = await aKeptState();
    const output = join(state, '../records.ndjson');
    expect((await run(journalExportCommand, { config, output })).text).toBe('');
    expect(readFileSync(output, 'utf8').trim().split('\n')).toHaveLength(3);
    await expect(run(journalExportCommand, { config, output })).rejects.toThrow(/cannot write .*EEXIST/);
    await expect(run(journalExportCommand, { config, output })).rejects.toBeInstanceOf(RelayError);
  });

  it('gives what is whole, tells what is not, and ends with 1', async () => {
    const { config, state } = await aKeptState();
    breakBatch(state);
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    expect(await journalExportCommand({ config }, { stdout, stderr, env: {} })).toBe(1);
    expect(String(stdout.read()).trim().split('\n')).toHaveLength(1);
    expect(String(stderr.read())).toBe('1 record exported\nnot exported: batch 1 is not as it was written\n');
  });

  it('ends when nobody reads any further', async () => {
    const { config } = await aKeptState();
    const stdout = new Writable({
      highWaterMark: 1,
      write: (_chunk, _encoding, done) => done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })),
    });
    expect(await journalExportCommand({ config }, { stdout, stderr: new PassThrough(), env: {} })).toBe(0);
  });
});
