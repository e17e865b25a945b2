import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDuration, parseSize } from '../../src/lib/measures.ts';

describe('parseDuration()', () => {
  it.each([
    ['250ms', 250],
    ['30s', 30_000],
    ['1.5h', 5_400_000],
    ['7d', 604_800_000],
    [' 2m ', 120_000],
    ['1.0004s', 1000],
    ['30', undefined],
    ['30 s', undefined],
    ['-1s', undefined],
    ['1e3s', undefined],
    ['1w', undefined],
    ['', undefined],
  ])('reads %j', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it('gives whole milliseconds or nothing, whatever the text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^\d{1,15}(\.\d{1,9})?(ms|s|m|h|d)$/)), (text) => {
        const ms = parseDuration(text);
        expect(ms === undefined || (Number.isInteger(ms) && ms >= 0)).toBe(true);
      }),
    );
  });
});

describe('parseSize()', () => {
  it.each([
    ['0B', 0],
    ['8KiB', 8192],
    ['2GiB', 2 ** 31],
    ['1.5MB', 1_500_000],
    ['8kb', undefined],
    ['8K', undefined],
    ['8', undefined],
  ])('reads %s', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });
});
