import { describe, expect, it } from 'vitest';
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
});

describe('chunkOf()', () => {
  const { body: _, ...rest } = aRecord();
  const texts = ['{"n":1}', '{"n":2}'];
  const ends = [0, 1].map((index) => ({ batch: 1, index }));
  const before = { batch: 0, index: -1 };
  const stored = texts.map((json) => ({ ...rest, json }));

  it('reads a body when it is looked into, and others of its neighbourhood with it', () => {
    const places: unknown[] = [];
    const mark: Mark = {
      during: (place, work) => {
        places.push(place);
        return work();
      },
      touch: () => true,
    };
    const chunk = chunkOf({ before, target: null, ends }, stored, mark);
    expect(places).toEqual([]);
    const [first, second] = chunk.records;
    const { body } = first!;
    expect(second!.body).toEqual({ n: 2 });
    expect(first!.body).toBe(body);
    expect(places).toEqual([{ first: ends[0], last: ends[1] }]);
  });

  it('keeps few bodies at a time, and reads one again for whoever comes back to it', () => {
    const many = Array.from({ length: 100 }, (_, n) => ({ ...rest, json: `{"n":${n}}` }));
    const places = many.map((_, index) => ({ batch: 1, index }));
    const { records } = chunkOf({ before, target: null, ends: places }, many);
    const { body } = records[0]!;
    expect(records.map((record) => record.body)).toEqual(many.map((_, n) => ({ n })));
    expect(records[0]!.body).toEqual(body);
    expect(records[0]!.body).not.toBe(body);
  });

  it('S4: leaves alone what the relay has died of', () => {
    const mark: Mark = { during: (_, work) => work(), touch: ({ index }) => index === 1 };
    const chunk = chunkOf({ before, target: null, ends }, stored, mark);
    expect(chunk.records.map((record) => record.body)).toEqual([{ unread: '{"n":1}' }, { n: 2 }]);
  });
});
