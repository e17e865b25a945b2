import { describe, expect, it } from 'vitest';
import { timeOf } from '../../src/cli/times.ts';
import { UsageError } from '../../src/core/errors.ts';
import { isoOfTicks } from '../../src/core/ticks.ts';

const noon = Date.parse('2026-11-28T12:00:00Z');
const of = (text: string) => isoOfTicks(timeOf('--from', text, noon)).replace('.0000000', '');

describe('timeOf()', () => {
  it.each([
    ['2026-11-27', '2026-11-27T00:00:00Z'],
    ['2026-11-27T08:30', '2026-11-27T08:30:00Z'],
    ['2026-11-27T08:30+02:00', '2026-11-27T06:30:00Z'],
    ['2026-11-27T08:30:15', '2026-11-27T08:30:15Z'],
    ['2026-11-27T08:30:15Z', '2026-11-27T08:30:15Z'],
    ['2026-11-27T08:30:15.1234567-01:00', '2026-11-27T09:30:15.1234567Z'],
    ['48h', '2026-11-26T12:00:00Z'],
    ['1.5h', '2026-11-28T10:30:00Z'],
    ['now', '2026-11-28T12:00:00Z'],
  ])('%s is %s', (text, time) => {
    expect(of(text)).toBe(time);
  });

  it.each(['', 'yesterday', '2026-02-30', '2026-13-01T00:00:00Z', '-3h', '99999999d', '1764331200'])(
    '%j is none',
    (text) => {
      expect(() => of(text)).toThrow(UsageError);
      expect(() => of(text)).toThrow(`--from ${text}: expected a time such as "2026-11-27"`);
    },
  );
});
