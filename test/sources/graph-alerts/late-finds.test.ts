import { describe, expect, it } from 'vitest';
import { ticksOfMs } from '../../../src/core/ticks.ts';
import { LateFinds, lateSince, type Standing } from '../../../src/sources/graph-alerts/late-finds.ts';
import { aSourceRecord } from '../../support/records.ts';

const NOON = Date.UTC(2025, 2, 4, 12);
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const OVERLAP = 10 * MINUTE;

/** Reading is up to date; the overlap was last read five minutes ago. */
const standing: Standing = {
  start: ticksOfMs(NOON - 48 * HOUR),
  watermark: ticksOfMs(NOON),
  readAt: { overlap: NOON - 5 * MINUTE, sweep: NOON - HOUR },
  open: [],
};
const backfill = { kind: 'backfill', from: standing.start, to: ticksOfMs(NOON - HOUR), begun: NOON } as const;

/** What a sweep says that has found alerts of so many minutes ago. */
function saidOf(minutesAgo: readonly number[], where: Partial<Standing> = {}, overlapMs = OVERLAP) {
  const finds = new LateFinds(overlapMs);
  for (const ago of minutesAgo) {
    const record = aSourceRecord({}, { revision: ticksOfMs(NOON - ago * MINUTE) });
    finds.add(record, { ...standing, ...where }, NOON);
  }
  return finds.take()?.message;
}

describe('LateFinds', () => {
  it('says how late the latest was, and which overlap would have found it', () => {
    expect(saidOf([16, 90])).toBe(
      'the sweep found 2 alerts or changes that became visible up to 90 minutes after their time, ' +
        'which overlap (10 minutes) is too short for; with overlap: 90m they come sooner',
    );
  });

  it('says nothing of what a sweep has found a little before the overlap would have', () => {
    expect(saidOf([7, 14])).toBeUndefined();
    // Where there is much to read, or no room in the journal, that takes longer.
    const readAt = { overlap: NOON - 3 * HOUR, sweep: NOON - HOUR };
    expect(saidOf([90], { readAt })).toBeUndefined();
    expect(saidOf([90], { watermark: ticksOfMs(NOON - 3 * HOUR) })).toBeUndefined();
  });

  it('says nothing of what the backfill has yet to come to', () => {
    expect(saidOf([90], { open: [backfill] })).toBeUndefined();
    expect(saidOf([30], { open: [backfill] })).toContain('found 1 alerts');
  });

  it('says nothing of what is older than all that was ever to be read, or of an answer without a time', () => {
    expect(saidOf([49 * 60])).toBeUndefined();
    const finds = new LateFinds(OVERLAP);
    finds.add(aSourceRecord({}, { revision: ticksOfMs(NOON - HOUR) }), standing, undefined);
    expect(finds.take()).toBeUndefined();
  });

  it('advises no overlap that there is not', () => {
    expect(saidOf([30 * 60])).toMatch(/with overlap: 24h, the most there is, some come sooner$/);
    expect(saidOf([30 * 60], {}, 24 * HOUR)).toMatch(/; it cannot be longer$/);
  });

  it('tells of one sweep in the log, and of all of them in the status', () => {
    const finds = new LateFinds(OVERLAP);
    expect(finds.notes()).toEqual([]);
    for (const ago of [90, 20]) {
      finds.add(aSourceRecord({}, { revision: ticksOfMs(NOON - ago * MINUTE) }), standing, NOON);
      expect(finds.take()?.fields).toEqual({ alerts: 1, minutes: ago });
    }
    expect(finds.take()).toBeUndefined();
    expect(finds.notes()).toEqual([
      expect.stringMatching(/^sweeps since the start found 2 alerts .* up to 90 minutes/),
    ]);
  });
});

describe('lateSince()', () => {
  it('is the end of the backfill as long as that is open, and then where reading began', () => {
    expect(lateSince({ ...standing, open: [backfill] })).toBe(backfill.to);
    expect(lateSince(standing)).toBe(standing.start);
  });
});
