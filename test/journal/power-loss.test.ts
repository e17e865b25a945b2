import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { whyMissing } from '../peers/missing.ts';
import { aPlace, chances, type Files, holds, Recording, Spoilt, withIndex } from './power-loss.ts';

/** A sample of what `power-loss.long.test.ts` goes through. */
describe.skipIf(whyMissing('strace'))('a journal', () => {
  let place: ReturnType<typeof aPlace>;
  let recording: Recording;
  beforeAll(() => {
    place = aPlace();
    recording = new Recording(place.state, 'short');
  }, 60_000);
  afterAll(() => place[Symbol.dispose]());

  it('K1: has on disk what it has acknowledged', () => {
    let count = 0;
    for (const { said, certain } of recording.said()) {
      expect(holds(recording.open(certain).content, said)).toBe(true);
      count++;
    }
    expect(count).toBeGreaterThan(10);
  });

  it('K1, K10: whose machine loses its power has all transactions up to then', () => {
    const chance = chances(7);
    const ways: ((disk: Parameters<Parameters<Recording['losses']>[0]>[0], at: number) => Files)[] = [
      (disk) => disk.now(),
      (disk) => disk.torn(1 + Math.floor(chance() * (disk.sectors - 1))),
      (disk, at) =>
        withIndex(
          disk.afterLoss(() => chance() < 0.5),
          recording.anIndexBefore(at, chance),
        ),
      (disk, at) =>
        withIndex(
          disk.afterLoss(() => chance() < 0.95),
          recording.anIndexBefore(at, chance),
        ),
    ];
    const { tried, problems } = recording.losses((disk, at) =>
      at % 3 === 0 ? [ways[(at / 3) % 4]!(disk, at)] : [],
    );
    expect(problems).toEqual([]);
    expect(tried).toBeGreaterThan(90);
  });

  it('G15: with a wrong byte is refused, or lacks nothing', () => {
    const chance = chances(11);
    const [files] = [...recording.said()].slice(-4).map((each) => each.files);
    const spoilt = new Spoilt(place.state, files!);
    const problems: (string | undefined)[] = [];
    for (const file of ['journal.db', 'journal.db-wal'])
      for (let at = Math.floor(chance() * 4_096); at < files!.get(file)!.length; at += 4_096)
        problems.push(spoilt.problemOf(file, at, 1 << Math.floor(chance() * 8)));
    expect(problems.filter((each) => each !== undefined)).toEqual([]);
    expect(problems.length).toBeGreaterThan(40);
  });
});
