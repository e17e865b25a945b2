import { describe, expect, it } from 'vitest';
import type { JournalStats, SinkStats } from '../../src/core/journal.ts';
import { journalFound, sinkBegins, sourceBegins, whatRemains } from '../../src/observe/account.ts';

const sink = (name: string, pending: number): SinkStats => ({ name, pending, oldestPendingMs: undefined });
const stats = (...sinks: SinkStats[]): JournalStats => ({
  pending: 0,
  records: 4711,
  bytes: 250,
  limitBytes: 1000,
  paused: false,
  sinks,
  deadLetters: [],
});
const position = (sequence: number) => ({ cursor: { batch: 12, index: 2 }, stream: 7, sequence });

describe('journalFound()', () => {
  const opening = { created: false, clean: true, schema: 1, lastBatch: 12, records: 4711 };

  it('says how much is in it', () => {
    expect(journalFound(opening, stats())).toBe('journal opened: 4711 records, 25% of its room taken');
  });

  it('says that the last one was killed', () => {
    expect(journalFound({ ...opening, clean: false }, stats())).toMatch(
      /^journal opened after a sudden end: 4711/,
    );
  });

  it('says that there was none', () => {
    expect(journalFound({ ...opening, created: true }, stats())).toBe(
      'no journal is here: a first start is assumed, with a new one',
    );
  });
});

describe('sourceBegins()', () => {
  it('leaves the words to the source', () => {
    const describe = (checkpoint?: string) => `goes on from watermark ${checkpoint}`;
    expect(sourceBegins({ describe }, 'x')).toBe('goes on from watermark x');
  });

  it.each([
    ['has no words', {}],
    [
      'cannot read its checkpoint',
      {
        describe: () => {
          throw new Error('it is not JSON');
        },
      },
    ],
  ])('has its own for a source that %s', (_, source) => {
    expect(sourceBegins(source, undefined)).toBe('reads for the first time');
    expect(sourceBegins(source, 'x')).toBe('goes on from its checkpoint');
  });
});

describe('sinkBegins()', () => {
  it.each([
    ['a new one', 0, stats(), 0, 'new: starts at the end of the journal'],
    [
      'a new one with startFrom journal',
      0,
      stats(),
      2,
      'new: starts at the beginning of the journal; 2 records wait for it',
    ],
    [
      'one with a backlog',
      9,
      stats(sink('siem', 1)),
      1,
      'goes on at batch 12, record 3; 1 record waits for it',
    ],
    ['one without', 9, stats(sink('siem', 0)), 0, 'goes on at the end of the journal; nothing waits for it'],
    [
      'one that comes back to the config',
      9,
      stats(),
      5,
      'goes on at batch 12, record 3; 5 records wait for it',
    ],
    [
      'one that has not been sent anything yet',
      0,
      stats(sink('siem', 0)),
      0,
      'goes on at the end of the journal; nothing waits for it',
    ],
  ])('tells of %s', (_, sequence, before, waiting, text) => {
    expect(sinkBegins('siem', position(sequence), before, stats(sink('siem', waiting)))).toBe(text);
  });
});

describe('whatRemains()', () => {
  it('counts what waits, for each sink', () => {
    expect(whatRemains(stats(sink('a', 1), sink('b', 0), sink('c', 4711)))).toBe(
      '1 record waits for a, 4711 records wait for c; delivery goes on at the next start',
    );
  });

  it('says that nothing does', () => {
    expect(whatRemains(stats(sink('a', 0)))).toBe('nothing is waiting: all that was read has been delivered');
  });
});
