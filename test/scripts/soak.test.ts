import { describe, expect, it } from 'vitest';
import { judge, type Sample } from '../../scripts/soak/verdict.ts';

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
    journalBytes: 20 * MiB,
    logBytes: (4 + (index % 2)) * MiB,
    latencyMs: index % 10 === 0 ? null : 800 + (index % 3) * 100,
    ...at(index / count, index),
  }));
}

const notFlat = (found: readonly Sample[]) =>
  judge(found, 30_000)
    .filter(({ isFlat }) => !isFlat)
    .map(({ what }) => what);

describe('the verdict of soak', () => {
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
    ['journal', (time: number) => ({ journalBytes: (20 + 40 * time) * MiB })],
    ['write-ahead log', (time: number) => ({ logBytes: (4 + 20 * time) * MiB })],
    ['latency', (time: number) => ({ latencyMs: 800 + 20_000 * time })],
    ['latency', (time: number) => ({ latencyMs: time < 0.7 ? 800 : null })],
    ['open files', (time: number) => ({ files: Math.round(30 + 20 * time) })],
    ['timers and handles', (time: number) => ({ active: Math.round(9 + 20 * time) })],
  ])('is that %s is not flat when it grows all the time', (what, at) => {
    expect(notFlat(samples(120, at))).toEqual([what]);
  });

  it('is none when nothing was looked at after the warm-up', () => {
    expect(() =>
      judge(
        samples(33, () => ({})),
        30_000,
      ),
    ).toThrow('too short');
  });
});
