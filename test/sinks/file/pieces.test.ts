import { describe, expect, it } from 'vitest';
import { countWritten, inPieces } from '../../../src/sinks/file/pieces.ts';

const buffers = (...texts: string[]) => texts.map((text) => Buffer.from(text));

describe('inPieces()', () => {
  it.each([
    ['nothing', [], 3, []],
    ['what fits', ['a', 'bc'], 3, ['abc']],
    ['what does not', ['a', 'bc', 'd', 'ef', 'g'], 3, ['abc', 'def', 'g']],
    ['what is too large by itself', ['a', 'bcde', 'f'], 3, ['a', 'bcde', 'f']],
    ['anything without a limit', ['a', 'bcde', 'f'], undefined, ['abcdef']],
  ])('parts %s', (_, records, maxBytes, expected) => {
    expect(inPieces(buffers(...records), maxBytes).map(String)).toEqual(expected);
  });
});

describe('countWritten()', () => {
  it.each([
    [['a', 'bc'], '', 0],
    [['a', 'bc'], 'a', 1],
    [['a', 'bc'], 'ab', 1],
    [['a', 'bc'], 'abcd', 2],
    [['a', 'bc'], 'x', 0],
    [[], 'a', 0],
  ])('of %j in %j: %i', (records, written, expected) => {
    expect(countWritten(buffers(...records), Buffer.from(written))).toBe(expected);
  });
});
