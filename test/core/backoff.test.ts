import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoffMs } from '../../src/core/backoff.ts';

const options = { initialMs: 1_000, maxMs: 60_000 };

describe('backoffMs()', () => {
  it.each([
    [0, 500, 1_000],
    [1, 1_000, 2_000],
    [3, 4_000, 8_000],
    [6, 30_000, 60_000],
    [1_000_000, 30_000, 60_000],
    [Number.MAX_SAFE_INTEGER, 30_000, 60_000],
  ])('waits at attempt %i from %i to %i ms', (attempt, least, most) => {
    expect(backoffMs(attempt, options, () => 0)).toBe(least);
    expect(backoffMs(attempt, options, () => 1)).toBe(most);
  });

  it('never goes above the ceiling, never below half of it, and never falls with the attempts', () => {
    const waits = fc.integer({ min: 1, max: 86_400_000 });
    fc.assert(
      fc.property(
        waits,
        waits,
        fc.nat(),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (a, b, attempt, chance) => {
          const [initialMs, maxMs] = [Math.min(a, b), Math.max(a, b)];
          const wait = backoffMs(attempt, { initialMs, maxMs }, () => chance);
          expect(wait).toBeLessThanOrEqual(maxMs);
          expect(wait).toBeGreaterThanOrEqual(Math.floor(initialMs / 2));
          expect(backoffMs(attempt + 1, { initialMs, maxMs }, () => chance)).toBeGreaterThanOrEqual(wait);
        },
      ),
    );
  });

  it('does not bring two relays back in step', () => {
    expect(backoffMs(4, options, () => 0.25)).not.toBe(backoffMs(4, options, () => 0.75));
  });
});
