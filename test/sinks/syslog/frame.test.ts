import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { oneLine } from '../../../src/lib/one-line.ts';
import { frame, framings } from '../../../src/sinks/syslog/frame.ts';
import { splitFrames } from '../../support/collectors.ts';
import { utf8 } from '../../support/utf8.ts';

describe('frame()', () => {
  it('ends each message with a line feed', () => {
    expect(frame(utf8('<1>1 a', '<1>1 b'), 'lf').toString()).toBe('<1>1 a\n<1>1 b\n');
  });

  it('counts bytes, not characters, and the line feed with them', () => {
    expect(frame(utf8('é', 'ab'), 'octet-counting').toString()).toBe('3 é\n3 ab\n');
  });

  it('counts what a lone surrogate becomes', () => {
    expect(frame(utf8('\ud800'), 'octet-counting').toString()).toBe('4 \ufffd\n');
  });

  it.each(framings)('S4: %s: what was put in can be taken apart again, whatever it is', (framing) => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' })), (texts) => {
        const messages = utf8(...texts).map(oneLine);
        const { events, rest } = splitFrames(frame(messages, framing), framing);
        expect(events).toEqual(messages.map(String));
        expect(rest).toHaveLength(0);
      }),
    );
  });
});
