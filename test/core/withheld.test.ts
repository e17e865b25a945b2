import { expect, it } from 'vitest';
import type { Withheld } from '../../src/core/journal.ts';
import { joinWithheld } from '../../src/core/withheld.ts';

const filtered = (from: number, to: number): Withheld => ({
  after: { batch: from, index: 0 },
  upTo: { batch: to, index: 0 },
  why: 'filtered',
});

it('what is filtered on end is one, however many steps it came in', () => {
  const steps = Array.from({ length: 1_000 }, (_, n) => [filtered(n, n + 1)]);
  expect(steps.reduce(joinWithheld)).toEqual([filtered(0, 1_000)]);
});

it('what lies apart stays apart, and so do two that were refused', () => {
  const refused = (from: number, to: number): Withheld => ({ ...filtered(from, to), why: 'refused' });
  const apart = [filtered(0, 1), filtered(2, 3), refused(3, 4), refused(4, 5), filtered(5, 6)];
  expect(joinWithheld(apart.slice(0, 2), apart.slice(2))).toEqual(apart);
});
