import { beforeEach, describe, expect, it } from 'vitest';
import { JournalError, UnavailableError } from '../../../src/core/errors.ts';
import { abortError } from '../../../src/lib/wait.ts';
import { HeldBackError } from '../../../src/pipeline/policies/held-back.ts';
import { isBreak, Narrowing } from '../../../src/pipeline/policies/narrowing.ts';
import type { Step } from '../../../src/pipeline/render.ts';

const reset = new UnavailableError('reset', { reason: 'network' });
const at = (index: number) => ({ batch: 1, index });
/** The records that are out, from the first to the last. */
const out = (first: number, last = first): Step[] =>
  Array.from({ length: last - first + 1 }, (_, n) => ({
    end: { cursor: at(first + n), stream: 7, sequence: n },
  }));

let nowMs: number;
let narrowing: Narrowing;
beforeEach(() => {
  nowMs = 0;
  narrowing = new Narrowing(() => nowMs);
});

/** The sink breaks `times` times while these are out. */
const breaks = (times: number, steps: Step[]) => {
  let error: unknown;
  for (let count = 0; count < times; count++) error = narrowing.broke(reset, steps);
  return error;
};

describe('Narrowing', () => {
  it('S14: narrows down what broke three times without getting on, to a tenth each time, down to one', () => {
    breaks(2, out(0, 999));
    expect(narrowing.limit).toBe(Number.POSITIVE_INFINITY);
    breaks(1, out(0, 999));
    expect(narrowing.limit).toBe(100);
    breaks(1, out(0, 99));
    expect(narrowing.limit).toBe(10);
    breaks(1, out(0, 9));
    expect(narrowing.limit).toBe(1);
    breaks(5, out(0));
    expect(narrowing.limit).toBe(1);
  });

  it('does not narrow what gets on between its breaks, and does not mind a break with nothing out', () => {
    for (let first = 0; first < 100; first += 10) {
      breaks(2, out(first, first + 99));
      narrowing.settled(at(first + 5));
    }
    breaks(9, []);
    expect(narrowing.limit).toBe(Number.POSITIVE_INFINITY);
  });

  it('widens again when all has passed that was out at the last break', () => {
    breaks(3, out(0, 999));
    breaks(1, out(0, 99));
    narrowing.settled(at(9));
    expect(narrowing.limit).toBe(10);
    narrowing.settled(at(98));
    expect(narrowing.limit).toBe(10);
    narrowing.settled(at(99));
    expect(narrowing.limit).toBe(100);
    for (let next = 100; next < 110; next++) narrowing.settled(at(next));
    expect(narrowing.limit).toBe(Number.POSITIVE_INFINITY);
  });

  it('S15: finds the record, asks for another one before it, and calls it poison after ten tries over ten minutes', () => {
    breaks(3, out(0, 9));
    expect(narrowing.suspect).toBeUndefined();
    breaks(3, out(4));
    for (let tries = 1; tries <= 10; tries++) {
      expect(narrowing.suspect?.end.cursor).toEqual(at(4));
      expect(narrowing.poison(at(4))).toBeUndefined();
      narrowing.proved(0);
      expect(narrowing.suspect).toBeUndefined();
      if (tries === 10) break;
      // Soon again would cost copies of the other one and tell nothing.
      expect(breaks(1, out(4))).toMatchObject({ retryAfterMs: 60_000, reason: 'network', message: 'reset' });
    }
    expect(narrowing.poison(at(4))).toBeUndefined();
    nowMs += 600_000;
    expect(narrowing.poison(at(4))).toContain('10 times');
    expect(narrowing.poison(at(5))).toBeUndefined();
    narrowing.settled(at(4));
    expect(narrowing.poison(at(4))).toBeUndefined();
  });

  it('Q8: nothing is poison while no other record is taken, however long', () => {
    for (let day = 0; day < 100; day++) {
      expect(breaks(1, out(0))).toBe(reset);
      nowMs += 86_400_000;
    }
    expect(narrowing.poison(at(0))).toBeUndefined();
    // One that was proved is one; the others were the sink's.
    narrowing.proved(0);
    expect(narrowing.poison(at(0))).toBeUndefined();
  });

  it('begins anew with another record', () => {
    breaks(6, out(0));
    narrowing.proved(0);
    narrowing.settled(at(0));
    breaks(1, out(1));
    expect(narrowing.suspect).toBeUndefined();
    breaks(2, out(1));
    expect(narrowing.suspect?.end.cursor).toEqual(at(1));
  });
});

describe('isBreak()', () => {
  it.each([
    ['a reset', reset, true],
    ['a time-out', new UnavailableError('late', { reason: 'timeout' }), true],
    ['a bug in a sink', new TypeError('x is not a function'), true],
    ['a receiver that asks for patience', new UnavailableError('busy', { reason: 'throttled' }), false],
    ['a receiver that does not know us', new UnavailableError('who?', { reason: 'auth' }), false],
    ['what is held back', new HeldBackError('wait', { reason: 'other' }), false],
    ['a lost journal', new JournalError('gone'), false],
    ['a stop', abortError(AbortSignal.abort()), false],
  ])('tells whether %s may be the fault of a record', (_, error, expected) => {
    expect(isBreak(error)).toBe(expected);
  });
});
