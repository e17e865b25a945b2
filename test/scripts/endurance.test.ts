import { describe, expect, it } from 'vitest';
import { judge, type Sample } from '../../scripts/endurance/verdict.ts';

const MiB = 2 ** 20;

/** A sample each second for so many; `at` says what is special at a time from 0 to 1. */
function samples(count: number, at: (time: number, index: number) => Partial<Sample>): Sample[] {
  return Array.from({ length: count }, (_, index) => ({
    atMs: index * 1_000,
    rssBytes: 200 * MiB,
    // As collections leave it: it goes up, and back.
    heapBytes: (40 + (index % 5) * 10) * MiB,
    files: 30 + (index % 3),
    active: 9 + (index % 4),
    ...at(index / count, index),
  }));
}

const notFlat = (found: readonly Sample[]) =>
  judge(found, 30_000)
    .filter(({ isFlat }) => !isFlat)
    .map(({ what }) => what);

describe('the verdict of endurance', () => {
  it('is that all is flat, whatever goes up and comes back', () => {
    expect(notFlat(samples(120, () => ({})))).toEqual([]);
    expect(notFlat(samples(120, (_, index) => ({ rssBytes: (index % 7 === 0 ? 300 : 200) * MiB })))).toEqual(
      [],
    );
  });

  it('leaves out the warm-up', () => {
    expect(notFlat(samples(120, (time) => (time < 0.25 ? { rssBytes: 50 * MiB, files: 5 } : {})))).toEqual(
      [],
    );
  });

  it.each([
    ['resident memory', (time: number) => ({ rssBytes: (200 + 100 * time) * MiB })],
    ['heap after collection', (time: number) => ({ heapBytes: (40 + 40 * time) * MiB })],
    ['open files', (time: number) => ({ files: Math.round(30 + 20 * time) })],
    ['timers and handles', (time: number) => ({ active: Math.round(9 + 20 * time) })],
  ])('is that %s is not flat when it grows all the time', (what, at) => {
    expect(notFlat(samples(120, at))).toEqual([what]);
  });

  it('is none when nothing was looked at after the warm-up', () => {
    expect(() =>
      judge(
        samples(20, () => ({})),
        30_000,
      ),
    ).toThrow('too short');
  });
});
