import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { retold } from '../../src/core/record.ts';
import { type Chunk, decodeChunk } from '../../src/journal/cache.ts';
import { Fresh } from '../../src/journal/fresh.ts';
import { aSourceRecord } from '../support/records.ts';
import { aDirectory, aPage, aStore, DAY_MS, MIB, START } from './harness.ts';

const heavy = 'x'.repeat(150_000);

/** Two of one id may come in one page, in the wrong order; some are known, some are large. */
const aPageOfRecords = fc.array(
  fc.record({ id: fc.constantFrom('a', 'b', 'c', 'd'), revision: fc.bigInt(1n, 6n), isHeavy: fc.boolean() }),
  { maxLength: 6 },
);

describe('Fresh', () => {
  it('gives what the journal would give, from wherever it has it', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ records: aPageOfRecords, alone: fc.boolean() }), { maxLength: 8 }),
        (pages) => {
          using directory = aDirectory();
          const options = {
            directory: directory.state,
            maxBytes: 256 * MIB,
            retentionMs: DAY_MS,
            version: '1',
          };
          const store = aStore(options, () => {});
          const fresh = new Fresh();
          store.commit(() => store.register([{ name: 'siem', startFrom: 'journal', shape: 'x' }]));
          for (const { records, alone } of pages) {
            const page = aPage(
              records.map(({ id, revision, isHeavy }) =>
                aSourceRecord({ id, ...(isHeavy && { heavy }) }, { revision }),
              ),
            );
            store.commit(() => {
              if (alone)
                store.appendFor({
                  sink: 'siem',
                  outcome: 'replay',
                  records: [retold(page, aSourceRecord())],
                });
            });
            store.commit(() => fresh.put(page, store.append(page)));
          }
          let chunk: Chunk | undefined;
          for (let at = START; ; at = chunk.ends.at(-1)!) {
            const raw = store.read(at);
            if (!raw) break;
            chunk = decodeChunk(raw);
            const own = fresh.find(at);
            if (own) {
              const count = Math.min(own.ends.length, chunk.ends.length);
              expect([own.target, own.ends.slice(0, count)]).toEqual([
                chunk.target,
                chunk.ends.slice(0, count),
              ]);
              expect(own.records.slice(0, count)).toEqual(chunk.records.slice(0, count));
            } else {
              // Little enough for all of it to be kept: only what is for one sink alone is not here.
              expect(chunk.target).toBe('siem');
            }
          }
          store.close();
        },
      ),
      { numRuns: 10 },
    );
  });

  it('keeps the newest, up to six megabytes, and forgets all at a word', () => {
    const fresh = new Fresh();
    for (let batch = 1; batch <= 30; batch++) {
      const page = aPage([aSourceRecord({ id: `a${batch}`, heavy: heavy.repeat(3) })]);
      const told = [{ index: 0, outcome: 'new', unrevised: 0, place: { batch, index: 0 } }] as const;
      fresh.put(page, { new: 1, duplicate: 0, filtered: 0, told, before: { batch: batch - 1, index: 0 } });
    }
    expect(fresh.find({ batch: 29, index: 0 })?.records).toMatchObject([{ id: 'a30' }]);
    expect(fresh.find({ batch: 17, index: 0 })?.records).toMatchObject([{ id: 'a18' }, { id: 'a19' }]);
    expect(fresh.find({ batch: 1, index: 0 })).toBeUndefined();
    expect(fresh.find({ batch: 30, index: 0 })).toBeUndefined();
    fresh.clear();
    expect(fresh.find({ batch: 29, index: 0 })).toBeUndefined();
  });
});
