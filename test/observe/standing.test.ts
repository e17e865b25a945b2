import { describe, expect, it } from 'vitest';
import { Standing } from '../../src/observe/standing.ts';

const MINUTE = 60_000;

function scene() {
  const standing = new Standing();
  const told: string[] = [];
  let steadyMs = 0;
  return {
    standing,
    told,
    /** A minute later. */
    look(thing: string, isBad: boolean) {
      steadyMs += MINUTE;
      standing.look(thing, isBad ? steadyMs : undefined, steadyMs, {
        begun: () => told.push(`${thing} fails`),
        over: () => told.push(`${thing} is well`),
      });
    },
    pass: (ms: number) => {
      steadyMs += ms;
    },
  };
}

describe('Standing', () => {
  it('tells once that a thing is at fault, and once that this is over; of each thing by itself', () => {
    const { look, told } = scene();
    for (const isBad of [false, true, true, false, false]) look('a', isBad);
    look('b', true);
    expect(told).toEqual(['a fails', 'a is well', 'b fails']);
  });

  it('tells of what comes and goes six times in an hour, in pairs, and later how it stands', () => {
    const { look, told, pass } = scene();
    for (let count = 0; count < 20; count++) {
      look('a', true);
      look('a', false);
    }
    expect(told).toHaveLength(12);
    look('a', true);
    expect(told).toHaveLength(12);
    pass(60 * MINUTE);
    look('a', true);
    expect(told.slice(12)).toEqual(['a fails']);
  });

  it('forgets what is gone', () => {
    const { standing, look, told } = scene();
    look('a', true);
    standing.keep(new Set(['b']));
    look('a', false);
    expect(told).toEqual(['a fails']);
  });
});
