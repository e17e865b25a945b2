/**
 * The oracle can fail: of each deliberate fault in the relay it reports the right thing, and of the relay without it, in
 * the same scene at the same time, nothing. A fault is an edit of the sources that a program is built from.
 */
import { expect, it } from 'vitest';
import { faults } from './faults.ts';
import { withAndWithout } from './faulty-relay.ts';

it.each(faults)(
  'finds what is wrong when $fault',
  async (one) => {
    const { sound, faulty } = await withAndWithout(one);
    expect({ sound, faulty }).toEqual({ sound: [], faulty: one.finds });
  },
  200_000,
);
