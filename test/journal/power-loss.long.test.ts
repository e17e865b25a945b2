import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { whyMissing } from '../peers/missing.ts';
import { aPlace, chances, type Files, holds, Recording, Spoilt, withIndex } from './power-loss.ts';

const FLIPS = 2;

describe.skipIf(whyMissing('strace'))('a journal, at each write boundary', () => {
  let place: ReturnType<typeof aPlace>;
  let recording: Recording;
  /** Where a wrong byte is looked for: of relays that died, and of one that ended. */
  const spoilt: [name: string, files: Files][] = [];
  beforeAll(() => {
    place = aPlace();
    recording = new Recording(place.state, 'long');
    for (const { said, files } of recording.said()) {
      if (said.closed) spoilt.push(['closed', files]);
      if (said.deadLetters === 1) spoilt.push(['many tables', files]);
      if (said.gaps) spoilt.push(['gap', files]);
    }
  }, 300_000);
  afterAll(() => place[Symbol.dispose]());

  it('K1: has on disk what it has acknowledged', () => {
    for (const { said, certain } of recording.said())
      expect(holds(recording.open(certain).content, said), JSON.stringify(said)).toBe(true);
  });

  it('K1, K10: has all transactions when the power goes after it, or with the last write torn at any sector', () => {
    const { tried, problems } = recording.losses((disk, at) => {
      if (at % 2 === 0) return [];
      const torn =
        at % 23 === 0 ? Array.from({ length: disk.sectors }, (_, sectors) => disk.torn(sectors)) : [];
      return [disk.now(), ...torn];
    });
    expect(problems).toEqual([]);
    expect(tried).toBeGreaterThan(700);
  }, 300_000);

  it('K1, K10: has all transactions when any part of what was not yet synced is lost', () => {
    const chance = chances(5);
    const { problems } = recording.losses((disk, at) => {
      if (at % 4 !== 0) return [];
      const share = chance();
      const files = disk.afterLoss(() => chance() < share);
      return [withIndex(files, recording.anIndexBefore(at, chance))];
    });
    expect(problems).toEqual([]);
  }, 300_000);

  it('G15: with a wrong byte in any page is refused, or lacks nothing', () => {
    const chance = chances(3);
    expect(spoilt.map(([name]) => name)).toEqual(['many tables', 'closed', 'gap']);
    for (const [name, files] of spoilt) {
      const journal = new Spoilt(place.state, files);
      const problems: (string | undefined)[] = [];
      for (const file of ['journal.db', 'journal.db-wal']) {
        const { length } = files.get(file) ?? [];
        for (let page = 0; page < length; page += 4_096)
          for (let count = 0; count < FLIPS; count++) {
            // Rows lie at the end of a page, and what says where they are at its begin.
            const within =
              count % 3 === 0 ? chance() * 40 : count % 3 === 1 ? 4_095 - chance() * 600 : chance() * 4_096;
            const at = Math.min(length - 1, page + Math.floor(within));
            problems.push(journal.problemOf(file, at, 1 << Math.floor(chance() * 8)));
          }
      }
      expect(
        problems.filter((each) => each !== undefined),
        name,
      ).toEqual([]);
    }
  }, 300_000);
});
