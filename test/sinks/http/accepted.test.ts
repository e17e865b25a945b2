import { describe, expect, it } from 'vitest';
import type { Rendered } from '../../../src/core/sink.ts';
import { Accepted } from '../../../src/sinks/http/accepted.ts';
import { outgoing } from '../../../src/sinks/http/request.ts';
import { aRecord } from '../../support/records.ts';
import { utf8 } from '../../support/utf8.ts';

/** An event of an alert. */
const telling = (id: string, sequence: number, stream = 7): Rendered => ({
  record: aRecord({ id }, { revision: BigInt(sequence) }),
  stream,
  sequence,
  events: utf8(`${id}${sequence}`),
});
const texts = (accepted: Accepted, ...batch: Rendered[]) =>
  accepted.left(outgoing(batch)).map(({ text }) => String(text));

describe('Accepted', () => {
  it('leaves out what was accepted under that number, and nothing else', () => {
    const accepted = new Accepted();
    accepted.add(outgoing([telling('a', 1), telling('b', 2)]));
    expect(texts(accepted, telling('a', 1), telling('b', 2), telling('c', 3))).toEqual(['c3']);
    expect(texts(accepted, telling('a', 1, 8), telling('a', 4))).toEqual(['a1', 'a4']);
  });

  it('S1: has the newer one sent again of which an older one is sent now', () => {
    const accepted = new Accepted();
    // To see whether the receiver is well it was sent before its turn.
    accepted.add(outgoing([telling('a', 5), telling('b', 4)]));
    expect(texts(accepted, telling('a', 3), telling('b', 4))).toEqual(['a3']);
    expect(texts(accepted, telling('a', 5))).toEqual(['a5']);
  });

  it('keeps the parts that were accepted of a record when the others are sent', () => {
    const accepted = new Accepted();
    const record = { ...telling('a', 1), events: utf8('1', '2', '3') };
    accepted.add(outgoing([record]).slice(0, 2));
    expect(texts(accepted, record)).toEqual(['3']);
    expect(texts(accepted, record)).toEqual(['3']);
  });

  it('forgets the oldest first, and does not grow without end', () => {
    const accepted = new Accepted();
    const all = Array.from({ length: 20_010 }, (_, n) => telling(`a${n}`, n));
    accepted.add(outgoing(all));
    expect(texts(accepted, ...all)).toHaveLength(10);
  });
});
