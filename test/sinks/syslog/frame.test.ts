import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { frame, framings, oneLine } from '../../../src/sinks/syslog/frame.ts';
import { splitFrames } from '../../support/collectors.ts';

describe('frame()', () => {
  it('ends each message with a line feed', () => {
    expect(frame(['<1>1 a', '<1>1 b'], 'lf').toString()).toBe('<1>1 a\n<1>1 b\n');
  });

  it('counts bytes, not characters, and the line feed with them', () => {
    expect(frame(['é', 'ab'], 'octet-counting').toString()).toBe('3 é\n3 ab\n');
  });

  it('counts what a lone surrogate becomes', () => {
    expect(frame(['\ud800'], 'octet-counting').toString()).toBe('4 \ufffd\n');
  });

  it.each(framings)('S4: %s: what was put in can be taken apart again, whatever it is', (framing) => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' })), (texts) => {
        const messages = texts.map(oneLine);
        const { events, rest } = splitFrames(frame(messages, framing), framing);
        expect(events).toEqual(messages);
        expect(rest).toHaveLength(0);
      }),
    );
  });
});

describe('oneLine()', () => {
  it.each([
    ['a\nb', 'a b'],
    ['a\r\nb\0', 'a  b '],
    ['CEF:0|a|b \\n \u2028', 'CEF:0|a|b \\n \u2028'],
  ])('S4: makes %j one line', (text, expected) => {
    expect(oneLine(text)).toBe(expected);
  });
});
