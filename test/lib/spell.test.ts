import { describe, expect, it } from 'vitest';
import { spellCount, spellDuration, spellSize } from '../../src/lib/spell.ts';

describe('spellDuration()', () => {
  it.each([
    [-1, '0ms'],
    [0, '0ms'],
    [850.4, '850ms'],
    [1_000, '1s'],
    [59_600, '1m'],
    [192_000, '3m 12s'],
    [3_600_000, '1h'],
    [3_605_000, '1h'],
    [7_500_000, '2h 5m'],
    [86_400_000 * 3 + 3_600_000 * 4 + 60_000, '3d 4h'],
  ])('spells %d ms', (ms, text) => {
    expect(spellDuration(ms)).toBe(text);
  });
});

describe('spellCount()', () => {
  it.each([
    [0, '0 records'],
    [1, '1 record'],
    [4711, '4711 records'],
  ])('spells %d', (count, text) => {
    expect(spellCount(count, 'record')).toBe(text);
  });
});

describe('spellSize()', () => {
  it.each([
    [0, '0 B'],
    [1_023, '1023 B'],
    [1_024, '1 KiB'],
    [3_355_443, '3.2 MiB'],
    [530_432, '518 KiB'],
    [2 * 2 ** 30, '2 GiB'],
    [5_000 * 2 ** 40, '5000 TiB'],
  ])('spells %d', (bytes, text) => {
    expect(spellSize(bytes)).toBe(text);
  });
});
