import { describe, expect, it } from 'vitest';
import { asidesIn, isDue, nextStamp } from '../../../src/sinks/file/rotation.ts';

const noon = Date.parse('2026-03-04T12:00:00.123Z');
const hour = 3_600_000;
const rotation = { maxBytes: 100, everyMs: 24 * hour, keep: 7, compress: undefined };

describe('isDue()', () => {
  it.each([
    ['an empty file, however much comes', { bytes: 0, writtenMs: 0 }, 1000, false],
    ['what fits to the byte', { bytes: 60, writtenMs: noon }, 40, false],
    ['a byte too much', { bytes: 60, writtenMs: noon }, 41, true],
    ['the same day', { bytes: 1, writtenMs: noon - 12 * hour }, 1, false],
    ['the day before, in UTC', { bytes: 1, writtenMs: noon - 13 * hour }, 1, true],
    ['a clock that was set back', { bytes: 1, writtenMs: noon + 48 * hour }, 1, false],
  ])('%s', (_, extent, more, expected) => {
    expect(isDue(extent, more, rotation, noon)).toBe(expected);
  });

  it('is never so without limits', () => {
    const never = { ...rotation, maxBytes: undefined, everyMs: undefined };
    expect(isDue({ bytes: 2 ** 40, writtenMs: 0 }, 1, never, noon)).toBe(false);
  });
});

describe('the names of files that were put aside', () => {
  it('sort by time, and are told from those of others', () => {
    const entries = [
      'a.log-20260304T120000.124Z',
      'a.log-20260304T120000.123Z.gz',
      'a.log-20260304T120000.123Z.zst.part',
      'a.log',
      'a.log-20260304',
      'a.log-20260304T120000.123Z.gz.bak',
      'b.log-20260304T120000.123Z',
      'aXlog-20260304T120000.123Z',
    ];
    expect(asidesIn(entries, 'a.log')).toEqual([
      { stamp: '20260304T120000.123Z', suffixes: ['.gz', '.zst.part'] },
      { stamp: '20260304T120000.124Z', suffixes: [''] },
    ]);
  });

  it('are never the same twice, and never go back with the clock', () => {
    expect(nextStamp([], noon)).toBe('20260304T120000.123Z');
    const asides = asidesIn(['a-20260304T120000.123Z'], 'a');
    expect(nextStamp(asides, noon)).toBe('20260304T120000.124Z');
    expect(nextStamp(asides, noon - hour)).toBe('20260304T120000.124Z');
    expect(nextStamp(asides, noon + hour)).toBe('20260304T130000.123Z');
  });

  it('may be nonsense that somebody else has made', () => {
    const asides = asidesIn(['a-99999999T999999.999Z'], 'a');
    expect(nextStamp(asides, noon)).toBe('20260304T120000.123Z');
  });
});
