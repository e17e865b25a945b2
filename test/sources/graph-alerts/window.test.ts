import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ticksOf, ticksOfMs } from '../../../src/core/ticks.ts';
import {
  type Checkpoint,
  done,
  firstCheckpoint,
  firstProgress,
  floorOf,
  formatCheckpoint,
  nextReading,
  parseCheckpoint,
  progressed,
} from '../../../src/sources/graph-alerts/window.ts';

const depths = { settle: 10_000, overlap: 600_000 };
const noon = Date.parse('2025-03-04T12:00:00Z');
const at = (time: string): bigint => ticksOf(`2025-03-04T${time}Z`)!;

const aCheckpoint = (overrides: Partial<Checkpoint> = {}): Checkpoint => ({
  start: at('00:00:00'),
  watermark: at('11:59:00'),
  overlapReadAt: noon - 60_000,
  ...overrides,
});

const anyTicks = fc.bigInt(0n, 3_155_378_975_999_999_999n);
const anyCheckpoint = fc.record({ start: anyTicks, watermark: anyTicks, overlapReadAt: fc.integer() });

describe('a checkpoint', () => {
  it('comes back as it was', () => {
    fc.assert(
      fc.property(anyCheckpoint, (checkpoint) => {
        expect(parseCheckpoint(formatCheckpoint(checkpoint))).toEqual(checkpoint);
      }),
    );
  });

  it('can be read again when `startFrom` lies before all ticks', () => {
    const first = firstCheckpoint(ticksOf('0000-01-01T00:00:00Z')!, noon);
    expect(parseCheckpoint(formatCheckpoint(first))).toEqual(first);
  });

  it.each([
    ['no JSON', '{"version":1,'],
    ['an empty text', ''],
    ['null', 'null'],
    ['another version', '{"version":2,"start":"0","watermark":"0","overlapReadAt":0}'],
    ['no watermark', '{"version":1,"start":"0","overlapReadAt":0}'],
    [
      'a number in place of ticks',
      '{"version":1,"start":"0","watermark":638000000000000000,"overlapReadAt":0}',
    ],
    ['an empty number', '{"version":1,"start":"","watermark":"0","overlapReadAt":0}'],
    ['a negative number', '{"version":1,"start":"0","watermark":"-1","overlapReadAt":0}'],
    ['no time', '{"version":1,"start":"0","watermark":"0","overlapReadAt":null}'],
  ])('G15: is not taken for a first start when it is broken: %s', (_, text) => {
    expect(() => parseCheckpoint(text)).toThrow();
  });
});

describe('nextReading()', () => {
  it('asks `settle` behind the watermark', () => {
    expect(nextReading(aCheckpoint(), depths, noon)).toEqual({ kind: 'poll', from: at('11:58:50') });
  });

  it('G1: reads the whole overlap every half of it', () => {
    const checkpoint = aCheckpoint({ overlapReadAt: noon - 300_000 });
    expect(nextReading(checkpoint, depths, noon).kind).toBe('overlap');
    expect(nextReading(checkpoint, depths, noon - 1).kind).toBe('poll');
  });

  it('G1: goes back the whole overlap before the last such reading, wherever the watermark is', () => {
    const from = (overlapReadAt: number, watermark: bigint) =>
      nextReading(aCheckpoint({ watermark, overlapReadAt }), depths, noon).from;
    // Not visible yet at 11:55, and as late as may be: of 11:45.
    expect(from(noon - 300_000, at('11:59:00'))).toBe(at('11:45:00'));
    // A poll waited out an outage of two hours, and has moved the watermark since.
    expect(from(noon - 7_200_000, at('11:59:00'))).toBe(at('09:50:00'));
    expect(from(noon - 300_000, at('11:52:00'))).toBe(at('11:42:00'));
  });

  it('reads the overlap when a clock went back', () => {
    expect(nextReading(aCheckpoint(), depths, noon - 3_600_000).kind).toBe('overlap');
  });

  it('never goes back behind the start', () => {
    const checkpoint = firstCheckpoint(at('11:59:55'), noon);
    expect(nextReading(checkpoint, depths, noon).from).toBe(at('11:59:55'));
    expect(nextReading(checkpoint, depths, noon + 300_000).from).toBe(at('11:59:55'));
  });

  it('goes back by the longer of settle and overlap', () => {
    const checkpoint = aCheckpoint();
    expect(nextReading(checkpoint, { settle: 60_000, overlap: 1000 }, noon).from).toBe(at('11:58:00'));
  });
});

describe('done()', () => {
  const poll = { kind: 'poll', from: 0n } as const;
  const reached = (checkpoint: Checkpoint, ...revisions: bigint[]) =>
    done(checkpoint, poll, revisions.reduce(progressed, firstProgress(noon)), depths);

  it('moves the watermark to the greatest revision, whatever the order', () => {
    const revisions = [at('11:59:30.5'), at('11:59:30.4666667'), at('11:59:10')];
    expect(reached(aCheckpoint(), ...revisions).watermark).toBe(at('11:59:30.5'));
    expect(reached(aCheckpoint(), ...revisions.toReversed()).watermark).toBe(at('11:59:30.5'));
  });

  it('follows the server’s time at a distance in a quiet tenant', () => {
    expect(reached(aCheckpoint({ watermark: at('08:00:00') })).watermark).toBe(at('11:50:00'));
  });

  it('is not moved by an alert from the future', () => {
    expect(reached(aCheckpoint(), at('12:00:00.0000001'), at('11:59:30')).watermark).toBe(at('11:59:30'));
    expect(reached(aCheckpoint(), at('12:00:00')).watermark).toBe(at('12:00:00'));
  });

  it('stays where it is without a Date', () => {
    const progress = progressed(firstProgress(undefined), at('11:59:30'));
    expect(done(aCheckpoint(), poll, progress, depths)).toEqual(aCheckpoint());
  });

  it('notes the server’s time of a reading of the overlap, and of no other', () => {
    const overlap = { kind: 'overlap', from: 0n } as const;
    expect(done(aCheckpoint(), overlap, firstProgress(noon), depths).overlapReadAt).toBe(noon);
    expect(reached(aCheckpoint()).overlapReadAt).toBe(aCheckpoint().overlapReadAt);
  });

  it('never goes back, and never past the server’s time', () => {
    fc.assert(
      fc.property(anyCheckpoint, fc.array(anyTicks), (checkpoint, revisions) => {
        const { watermark } = reached(checkpoint, ...revisions);
        expect(watermark).toBeGreaterThanOrEqual(checkpoint.watermark);
        if (watermark > checkpoint.watermark) expect(watermark).toBeLessThanOrEqual(ticksOfMs(noon));
      }),
    );
  });
});

describe('G4: times of 0 to 7 digits', () => {
  /** A moment of one minute, in ticks, with a text of it that has as few digits as can be, or more. */
  const moment = fc
    .record({ ticks: fc.integer({ min: 0, max: 599_999_999 }), cut: fc.integer({ min: 0, max: 7 }) })
    .map(({ ticks, cut }) => {
      const shown = Math.floor(ticks / 10 ** (7 - cut)) * 10 ** (7 - cut);
      const seconds = String(Math.floor(shown / 1e7)).padStart(2, '0');
      const fraction = String(shown % 1e7)
        .padStart(7, '0')
        .slice(0, cut);
      return { shown, text: `11:58:${seconds}${fraction && `.${fraction}`}` };
    });

  it('leave the watermark at the latest moment, and it is asked for again', () => {
    fc.assert(
      fc.property(fc.array(moment, { minLength: 1 }), (moments) => {
        const checkpoint = aCheckpoint({ watermark: at('11:58:00') });
        const progress = moments.map(({ text }) => at(text)).reduce(progressed, firstProgress(noon));
        const next = done(checkpoint, { kind: 'poll', from: 0n }, progress, depths);
        const latest = at('11:58:00') + BigInt(Math.max(...moments.map(({ shown }) => shown)));
        expect(next.watermark).toBe(latest);
        expect(nextReading(next, { ...depths, settle: 0 }, noon).from).toBe(latest);
      }),
    );
  });
});

describe('floorOf()', () => {
  it('lies before everything that is read again', () => {
    expect(floorOf(aCheckpoint(), depths)).toBe(ticksOf('2025-03-02T10:59:00Z'));
    const overlap = 72 * 3_600_000;
    expect(floorOf(aCheckpoint(), { ...depths, overlap })).toBe(ticksOf('2025-03-01T10:59:00Z'));
    const longAgo = Date.parse('2025-03-01T12:00:00Z');
    expect(floorOf(aCheckpoint({ overlapReadAt: longAgo }), depths)).toBe(ticksOf('2025-02-27T11:00:00Z'));
  });
});
