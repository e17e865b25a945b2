import { describe, expect, it } from 'vitest';
import { median, quantile, spread } from '../../bench/statistics.ts';

describe('the median', () => {
  it.each([
    [[3], 3],
    [[9, 1, 2], 2],
    [[10, 1, 2, 3], 2.5],
  ])('of %j is %d', (values, expected) => {
    expect(median(values)).toBe(expected);
  });

  it('of nothing is no number, and holds no bar', () => {
    expect(median([])).toBeNaN();
  });
});

describe('the spread', () => {
  it('is from the least to the most, as a share of the median', () => {
    expect(spread([110, 90, 100])).toBeCloseTo(0.2);
  });

  it('of one value is none', () => {
    expect(spread([5])).toBe(0);
  });
});

describe('a quantile', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => index + 1);

  it.each([
    [0.5, 50],
    [0.99, 99],
    [1, 100],
    [0, 1],
  ])('of %d is the least that so many do not exceed', (share, expected) => {
    expect(quantile(hundred, share)).toBe(expected);
  });

  it('of nothing is no number', () => {
    expect(quantile([], 0.5)).toBeNaN();
  });
});
