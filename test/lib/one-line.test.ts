import { describe, expect, it } from 'vitest';
import { oneLine } from '../../src/lib/one-line.ts';

describe('oneLine()', () => {
  it.each([
    ['a\nb', 'a b'],
    ['a\r\nb\0', 'a  b '],
    ['CEF:0|a|b \\n \u2028', 'CEF:0|a|b \\n \u2028'],
  ])('S4: makes %j one line', (text, expected) => {
    const given = Buffer.from(text);
    expect(String(oneLine(given))).toBe(expected);
    expect(String(given)).toBe(text);
  });
});
