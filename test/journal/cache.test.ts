import { describe, expect, it, vi } from 'vitest';
import type { Mark } from '../../src/core/mark.ts';
import { type Chunk, ChunkCache, chunkOf, lend } from '../../src/journal/cache.ts';
import { aRecord } from '../support/records.ts';

/** Two records in each of `batches`. */
function aChunk(before: { batch: number; index: number }, batches: readonly number[]): Chunk {
  const ends = batches.flatMap((batch) => [0, 1].map((index) => ({ batch, index })));
  return {
    before,
    target: null,
    records: ends.map(({ batch, index }) => aRecord({}, { id: `${batch}.${index}` })),
    ends,
    release: vi.fn(),
  };
}

const chunk = aChunk({ batch: 3, index: 1 }, [5, 6]);

describe('lend()', () => {
  it.each([
    ['its beginning', { batch: 3, index: 1 }, ['5.0', '5.1']],
    ['a place between its batches', { batch: 4, index: 7 }, ['5.0', '5.1']],
    ['the middle of a batch', { batch: 5, index: 0 }, ['5.1', '6.0']],
    ['the end of a batch', { batch: 5, index: 1 }, ['6.0', '6.1']],
    ['the last record but one', { batch: 6, index: 0 }, ['6.1']],
  ])('gives what comes after %s', (_, cursor, expected) => {
    const { records, ends } = lend(chunk, cursor, 2);
    expect(records.map(({ id }) => id)).toEqual(expected);
    expect(ends.map(({ batch, index }) => `${batch}.${index}`)).toEqual(expected);
  });
});

describe('ChunkCache', () => {
  it('finds a chunk for the cursors that it has records for, and no others', () => {
    const cache = new ChunkCache();
    cache.put(chunk);
    for (const cursor of chunk.ends.slice(0, -1)) expect(cache.find(cursor)).toBe(chunk);
    expect(cache.find(chunk.before)).toBe(chunk);
    expect(cache.find({ batch: 3, index: 0 })).toBeUndefined();
    expect(cache.find(chunk.ends.at(-1)!)).toBeUndefined();
  });

  it('Q6: keeps as many chunks as there are sinks, those used last', () => {
    const cache = new ChunkCache();
    cache.capacity = 2;
    cache.put(chunk);
    for (let batch = 10; batch < 1_000; batch += 10) {
      cache.put(aChunk({ batch, index: -1 }, [batch]));
      expect(cache.find(chunk.before)).toBe(chunk);
      expect(cache.size).toBe(2);
    }
  });

  it('lets go of the bodies of a chunk that it no longer keeps', () => {
    const cache = new ChunkCache();
    const [first, second] = [aChunk({ batch: 1, index: 0 }, [2]), aChunk({ batch: 2, index: 1 }, [3])];
    cache.put(first);
    cache.put(second);
    expect([first.release, second.release].map((release) => vi.mocked(release).mock.calls.length)).toEqual([
      1, 0,
    ]);
    cache.clear();
    expect(second.release).toHaveBeenCalledOnce();
  });
});

describe('chunkOf()', () => {
  const { body: _, ...rest } = aRecord();
  const texts = ['{"n":1}', '{"n":2}'];
  const ends = [0, 1].map((index) => ({ batch: 1, index }));
  const before = { batch: 0, index: -1 };
  const stored = texts.map((json) => ({ ...rest, json }));

  it('reads each body once, and anew for whoever holds on to a record', () => {
    const chunk = chunkOf({ before, target: null, ends }, stored);
    const [first] = chunk.records;
    const { body } = first!;
    expect(first!.body).toBe(body);
    chunk.release();
    expect(first!.body).not.toBe(body);
    expect(chunk.records.map((record) => record.body)).toEqual([{ n: 1 }, { n: 2 }]);
  });

  it('S4: leaves alone what the relay has died of, also later', () => {
    const mark: Mark = { during: (_, work) => work(), touch: ({ index }) => index === 1 };
    const chunk = chunkOf({ before, target: null, ends }, stored, mark);
    chunk.release();
    expect(chunk.records.map((record) => record.body)).toEqual([{ unread: '{"n":1}' }, { n: 2 }]);
  });
});
