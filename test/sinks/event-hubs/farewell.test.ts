import { describe, expect, it } from 'vitest';
import { watchFarewell } from '../../../src/sinks/event-hubs/farewell.ts';

/** A frame of AMQP with nothing in it but what it is about. */
function frame(performative: number, type = 0, extra = 0): Buffer {
  const bytes = Buffer.alloc(11 + extra);
  bytes.writeUInt32BE(bytes.length);
  bytes.set([2, type, 0, 0, 0x00, 0x53, performative], 4);
  return bytes;
}

function heard(stream: Buffer, step: number, what: 'farewells' | 'nonsense' = 'farewells'): number {
  const counts = { farewells: 0, nonsense: 0 };
  const watch = watchFarewell(
    () => counts.farewells++,
    () => counts.nonsense++,
  );
  for (let at = 0; at < stream.length; at += step) watch(stream.subarray(at, at + step));
  return counts[what];
}

describe('watchFarewell', () => {
  const preamble = Buffer.from('AMQP\x00\x01\x00\x00', 'latin1');
  const empty = Buffer.from([0, 0, 0, 8, 2, 0, 0, 0]);

  it.each([1, 3, 8, 1000])('hears detach, end and close in pieces of %s bytes', (step) => {
    const others = [preamble, frame(0x10), empty, frame(0x12, 0, 40), frame(0x15)];
    expect(heard(Buffer.concat(others), step)).toBe(0);
    const farewells = [frame(0x16), empty, frame(0x17, 0, 5), frame(0x18)];
    expect(heard(Buffer.concat([...others, ...farewells]), step)).toBe(3);
  });

  it('takes a frame that is larger than any for nonsense, once, and keeps nothing of what follows', () => {
    const huge = Buffer.alloc(100_000);
    huge.writeUInt32BE(2 ** 31);
    expect(heard(huge, 1000, 'nonsense')).toBe(1);
    expect(heard(Buffer.concat([huge, frame(0x18)]), 1000)).toBe(0);
  });

  it('leaves the frames of SASL alone, and comes to an end with nonsense', () => {
    expect(heard(frame(0x16, 1), 100)).toBe(0);
    expect(heard(Buffer.alloc(100_000), 1000)).toBe(0);
  });
});
