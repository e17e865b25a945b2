import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutTo } from '../../src/cli/cut.ts';

describe('cutTo()', () => {
  it.each([
    [5, 'abcde', 'abcde'],
    [5, 'abcdef', 'abcd…'],
    [5, '', ''],
    [1, 'ab', '…'],
    [Number.POSITIVE_INFINITY, 'x'.repeat(10_000), 'x'.repeat(10_000)],
    // Two columns each.
    [6, '日本語', '日本語'],
    [5, '日本語', '日本…'],
    [4, '日本語', '日…'],
    // An accent of its own, a family of five code points: never torn.
    [3, 'e\u0301e\u0301e\u0301', 'e\u0301e\u0301e\u0301'],
    [2, 'e\u0301e\u0301e\u0301', 'e\u0301…'],
    [3, '👨‍👩‍👧👨‍👩‍👧', '👨‍👩‍👧…'],
  ])('cuts to %d columns: %s', (columns, line, expected) => expect(cutTo(columns, line)).toBe(expected));

  it('gives the line, or a beginning of it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 20 }), (line, columns) => {
        const shown = cutTo(columns, line);
        if (shown === line) return;
        expect(shown.endsWith('…')).toBe(true);
        expect(line.startsWith(shown.slice(0, -1))).toBe(true);
        expect([...new Intl.Segmenter().segment(shown)].length).toBeLessThanOrEqual(columns);
      }),
    );
  });
});
