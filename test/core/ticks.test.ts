import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  isoOfTicks,
  isoSecondsOfTicks,
  msOfTicks,
  TICKS_PER_MS,
  ticksOf,
  ticksOfMs,
} from '../../src/core/ticks.ts';

const FIRST = '0001-01-01T00:00:00.0000000Z';
const LAST = '9999-12-31T23:59:59.9999999Z';
const ticks = () => fc.bigInt({ min: 0n, max: ticksOf(LAST)! });
/** Whole seconds from the year 1 to 9999, as ticks. */
const wholeSeconds = () => ticks().map((value) => value - (value % 10_000_000n));

describe('ticksOf()', () => {
  it.each([
    ['the first tick of .NET', FIRST, 0n],
    ['the last one', LAST, 3_155_378_975_999_999_999n],
    ['1970', '1970-01-01T00:00:00Z', 621_355_968_000_000_000n],
    [
      'seven digits',
      '2025-03-04T10:13:27.7216667Z',
      ticksOfMs(Date.UTC(2025, 2, 4, 10, 13, 27)) + 7_216_667n,
    ],
    ['lower case', '2025-03-04t10:13:27z', ticksOfMs(Date.UTC(2025, 2, 4, 10, 13, 27))],
    ['the 29th of February of a leap year', '2024-02-29T00:00:00Z', ticksOfMs(Date.UTC(2024, 1, 29))],
  ])('reads %s', (_, text, expected) => {
    expect(ticksOf(text)).toBe(expected);
  });

  it('G4: keeps every one of 0 to 7 fraction digits', () => {
    fc.assert(
      fc.property(
        wholeSeconds(),
        fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 7 }),
        (start, digits) => {
          const seconds = isoOfTicks(start).slice(0, 19);
          const fraction = digits.length > 0 ? `.${digits.join('')}` : '';
          expect(ticksOf(`${seconds}${fraction}Z`)).toBe(start + BigInt(digits.join('').padEnd(7, '0')));
        },
      ),
    );
  });

  it('G4: cuts digits beyond the seventh, and does not round them up', () => {
    expect(ticksOf('2025-05-07T08:15:31.99999999Z')).toBe(ticksOf('2025-05-07T08:15:31.9999999Z'));
  });

  it('G4: orders as the times are ordered, where texts are not', () => {
    const [whole, half] = ['2025-05-07T08:15:29Z', '2025-05-07T08:15:29.47Z'];
    expect(whole > half).toBe(true);
    expect(ticksOf(whole)! < ticksOf(half)!).toBe(true);
    fc.assert(
      fc.property(ticks(), ticks(), (a, b) => {
        // The shortest text of each: where the digits end differs from time to time.
        const short = (value: bigint) => isoOfTicks(value).replace(/\.?0+Z$/, 'Z');
        expect(ticksOf(short(a))! < ticksOf(short(b))!).toBe(a < b);
      }),
    );
  });

  it('reads a zone offset as the same moment in UTC', () => {
    const offsets = fc.integer({ min: -23 * 60 - 59, max: 23 * 60 + 59 });
    const day = 864_000_000_000n;
    const inside = fc.bigInt({ min: day, max: ticksOf(LAST)! - day });
    fc.assert(
      fc.property(inside, offsets, (moment, minutes) => {
        const local = isoOfTicks(moment + BigInt(minutes) * 600_000_000n).slice(0, -1);
        const two = (value: number) => String(Math.trunc(Math.abs(value))).padStart(2, '0');
        const zone = `${minutes < 0 ? '-' : '+'}${two(minutes / 60)}:${two(minutes % 60)}`;
        expect(ticksOf(local + zone)).toBe(moment);
      }),
    );
  });

  it.each([
    ['nothing', ''],
    ['a date without a time', '2025-03-04'],
    ['a time without a zone', '2025-03-04T10:13:27'],
    ['a point without digits', '2025-03-04T10:13:27.Z'],
    ['text around it', ' 2025-03-04T10:13:27Z'],
    ['a line after it', '2025-03-04T10:13:27Z\n'],
    ['a month 13', '2025-13-04T10:13:27Z'],
    ['a 30th of February', '2025-02-30T10:13:27Z'],
    ['a 29th of February in a common year', '2025-02-29T10:13:27Z'],
    ['a 31st of April', '2025-04-31T10:13:27Z'],
    ['a second 61', '2025-03-04T10:13:61Z'],
    ['an impossible zone', '2025-03-04T10:13:27+99:99'],
    ['a year of five digits', '+012025-03-04T10:13:27Z'],
    ['the year 0', '0000-06-01T00:00:00Z'],
    ['a zone that leads before the year 1', '0001-01-01T00:00:00+01:00'],
    ['a zone that leads beyond the year 9999', '9999-12-31T23:59:59-01:00'],
    ['other digits', '٢٠٢٥-03-04T10:13:27Z'],
    ['a number', 1_741_083_207_000],
    ['null', null],
    ['a Date', new Date(0)],
    ['an object that says it is text', { toString: () => '2025-03-04T10:13:27Z' }],
  ])('is undefined for %s', (_, rubbish) => {
    expect(ticksOf(rubbish)).toBeUndefined();
  });

  it('never throws, and gives only what can be written again', () => {
    const almost = fc.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,9})?(Z|[+-]\d\d:\d\d)$/);
    fc.assert(
      fc.property(fc.oneof(fc.anything(), fc.string(), almost), (rubbish) => {
        const read = ticksOf(rubbish);
        if (read !== undefined) expect(ticksOf(isoOfTicks(read))).toBe(read);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('isoOfTicks()', () => {
  it('always writes seven digits and a Z', () => {
    expect(isoOfTicks(0n)).toBe(FIRST);
    expect(isoOfTicks(ticksOf('2025-05-07T08:15:31.4366667Z')!)).toBe('2025-05-07T08:15:31.4366667Z');
    expect(isoOfTicks(ticksOf('1969-12-31T23:59:59.9999999Z')!)).toBe('1969-12-31T23:59:59.9999999Z');
  });

  it('G4: gives back every tick', () => {
    fc.assert(fc.property(ticks(), (value) => ticksOf(isoOfTicks(value)) === value));
  });
});

describe('msOfTicks()', () => {
  it('rounds down, before 1970 too, so that it is safe as a lower bound', () => {
    fc.assert(
      fc.property(ticks(), (value) => {
        const back = ticksOfMs(msOfTicks(value));
        expect(back <= value && value - back < TICKS_PER_MS).toBe(true);
      }),
    );
  });
});

describe('isoSecondsOfTicks()', () => {
  it.each([
    ['2025-05-07T08:15:31.9999999Z', '2025-05-07T08:15:31Z'],
    ['2025-05-07T08:15:31Z', '2025-05-07T08:15:31Z'],
    ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00Z'],
  ])('cuts %s to the second', (text, expected) => {
    expect(isoSecondsOfTicks(ticksOf(text)!)).toBe(expected);
  });
});
