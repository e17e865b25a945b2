import { describe, expect, it } from 'vitest';
import {
  type Coverage,
  covered,
  latenessSeconds,
  latenessWithin,
  productLabel,
  type Sighting,
  sightingsOf,
} from '../../src/core/coverage.ts';
import { ticksOfMs } from '../../src/core/ticks.ts';
import { aSourceRecord } from '../support/records.ts';

const NOW = Date.UTC(2025, 2, 4, 12);
const HOUR = 3_600_000;
const key = { source: 'alerts', tenant: 'contoso' };

const seen = (createdMs: number | undefined, overrides: Partial<Sighting> = {}): Sighting => ({
  product: 'microsoftSentinel',
  atMs: NOW,
  createdMs,
  latenessMs: undefined,
  ...overrides,
});

const coverageOf = (...sightings: Sighting[]): Coverage =>
  sightings.reduce<Coverage | undefined>((known, each) => covered(known, key, each), undefined)!;

describe('productLabel()', () => {
  it('is one of a closed set', () => {
    expect(productLabel('microsoftSentinel')).toBe('microsoftSentinel');
    expect(productLabel('')).toBe('other');
    expect(productLabel('__proto__')).toBe('other');
  });
});

describe('sightingsOf()', () => {
  const records = [
    aSourceRecord({ createdDateTime: '2025-03-04T11:00:00Z' }, { product: 'microsoftSentinel' }),
    aSourceRecord({ createdDateTime: '2025-03-04T13:00:00Z' }, { product: 'not heard of' }),
    aSourceRecord(),
  ];

  it('tells how late what is new was seen, and nothing of what was not told', () => {
    const told = [
      { index: 0, outcome: 'new' },
      { index: 1, outcome: 'new' },
    ] as const;
    const createdMs = NOW - HOUR;
    expect(sightingsOf({ reading: 'poll', records, dateMs: NOW }, told, 0)).toEqual([
      { product: 'microsoftSentinel', atMs: NOW, createdMs, latenessMs: HOUR },
      // Their clock and that of the alert differ.
      { product: 'other', atMs: NOW, createdMs: NOW + HOUR, latenessMs: 0 },
    ]);
  });

  it('calls neither a backfill nor a change late', () => {
    const first = [{ index: 0, outcome: 'new' }] as const;
    expect(sightingsOf({ reading: 'backfill', records, dateMs: NOW }, first, 0)).toMatchObject([
      { createdMs: NOW - HOUR, latenessMs: undefined },
    ]);
    const change = [{ index: 0, outcome: 'update' }] as const;
    expect(sightingsOf({ reading: 'sweep', records, dateMs: NOW }, change, 0)).toMatchObject([
      { createdMs: undefined, latenessMs: undefined },
    ]);
  });

  it('calls nothing late that was there before anything was read, or had been set aside', () => {
    const told = [
      { index: 0, outcome: 'new' },
      { index: 1, outcome: 'new' },
    ] as const;
    const lateSince = ticksOfMs(NOW);
    const found = sightingsOf({ reading: 'sweep', records, dateMs: NOW + HOUR, lateSince }, told, 0);
    expect(found.map(({ latenessMs }) => latenessMs)).toEqual([undefined, 0]);
    const again = sightingsOf({ reading: 'retry', records, dateMs: NOW }, told, 0);
    expect(again.map(({ latenessMs }) => latenessMs)).toEqual([undefined, undefined]);
  });

  it('takes our own time for an answer that has none', () => {
    const told = [{ index: 0, outcome: 'new' }] as const;
    expect(sightingsOf({ reading: 'poll', records, dateMs: undefined }, told, NOW)).toMatchObject([
      { atMs: NOW, latenessMs: HOUR },
    ]);
  });
});

describe('covered()', () => {
  it('knows first and last sight, and counts', () => {
    const found = coverageOf(
      seen(undefined),
      seen(undefined, { atMs: NOW + HOUR }),
      seen(undefined, { atMs: NOW - HOUR }),
    );
    expect(found).toMatchObject({ ...key, product: 'microsoftSentinel', records: 3, rhythm: undefined });
    expect([found.firstSeenMs, found.lastSeenMs]).toEqual([NOW - HOUR, NOW + HOUR]);
  });

  it('knows the longest gap between alerts, and takes what comes late for none', () => {
    const { rhythm } = coverageOf(
      seen(NOW - 9 * HOUR),
      seen(NOW - 4 * HOUR),
      seen(NOW - 10 * HOUR),
      seen(NOW - 3 * HOUR),
    );
    const expected = { alerts: 4, firstMs: NOW - 10 * HOUR, lastMs: NOW - 3 * HOUR, longestGapMs: 5 * HOUR };
    expect(rhythm).toEqual(expected);
  });

  it('believes no creation that is to come, or in year 1', () => {
    expect(coverageOf(seen(NOW + 1), seen(Date.UTC(1, 0, 1))).rhythm).toBeUndefined();
  });

  it('counts lateness by its bounds', () => {
    const { lateness } = coverageOf(
      ...[0, 1_000, 1_001, 86_400_001].map((latenessMs) => seen(NOW, { latenessMs })),
    );
    expect(lateness).toHaveLength(latenessSeconds.length + 1);
    expect([lateness[0], lateness[1], lateness.at(-1)]).toEqual([2, 1, 1]);
  });

  it('forgets slowly, so that it tells of the present', () => {
    const hours = Array.from({ length: 1_500 }, () => seen(NOW, { latenessMs: HOUR }));
    const seconds = Array.from({ length: 3_000 }, () => seen(NOW, { latenessMs: 500 }));
    const { lateness } = coverageOf(...hours, ...seconds);
    expect(lateness.reduce((sum, count) => sum + count)).toBeLessThan(2_000);
    expect(latenessWithin(lateness, 0.5)).toBe(1);
  });

  it.each([[[]], [[1, 2]], [Array.from({ length: latenessSeconds.length + 1 }, () => Number.NaN)]])(
    'begins to count again after counts that are none: %j',
    (lateness) => {
      const found = covered({ ...coverageOf(seen(NOW)), lateness }, key, seen(NOW, { latenessMs: 0 }));
      expect(latenessWithin(found.lateness, 1)).toBe(1);
    },
  );
});

describe('latenessWithin()', () => {
  it('is the bound that a share stayed within', () => {
    const { lateness } = coverageOf(
      ...Array.from({ length: 19 }, () => seen(NOW, { latenessMs: 20_000 })),
      seen(NOW, { latenessMs: 7 * HOUR * 24 }),
    );
    expect(latenessWithin(lateness, 0.5)).toBe(30);
    expect(latenessWithin(lateness, 0.95)).toBe(30);
    expect(latenessWithin(lateness, 0.96)).toBe(Number.POSITIVE_INFINITY);
  });

  it('is nothing when nothing was counted', () => {
    expect(latenessWithin(coverageOf(seen(NOW)).lateness, 0.5)).toBeUndefined();
    expect(latenessWithin([], 0.5)).toBeUndefined();
  });
});
