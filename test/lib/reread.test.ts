import { describe, expect, it } from 'vitest';
import { Reread } from '../../src/lib/reread.ts';

/** Something that is read from a text that the test changes, by a clock that it sets. */
function scene() {
  const outside = { text: 'a', now: 0, reads: 0 };
  const read = () => {
    outside.reads += 1;
    if (outside.text === '') throw new Error('file x is empty');
    return outside.text;
  };
  const file = new Reread('a', read, { clock: () => outside.now });
  return { outside, file };
}

describe('Reread', () => {
  it('reads again after 30 s, and not before', () => {
    const { outside, file } = scene();
    outside.text = 'b';
    outside.now = 29_999;
    expect(file.value()).toBe('a');
    expect(outside.reads).toBe(0);
    outside.now = 30_000;
    expect(file.value()).toBe('b');
    expect(file.value()).toBe('b');
    expect(outside.reads).toBe(1);
  });

  it('reads at once when told to look, and counts from then', () => {
    const { outside, file } = scene();
    outside.text = 'b';
    outside.now = 10_000;
    expect(file.look()).toBe('b');
    outside.text = 'c';
    outside.now = 39_999;
    expect(file.value()).toBe('b');
  });

  it('keeps the old value while there is nothing good, and says why', () => {
    const { outside, file } = scene();
    expect(file.trouble).toBeUndefined();
    outside.text = '';
    expect(file.look()).toBe('a');
    expect(file.trouble).toBe('file x is empty');
    outside.text = 'b';
    expect(file.look()).toBe('b');
    expect(file.trouble).toBeUndefined();
  });
});
