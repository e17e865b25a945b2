import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { judge, type Known, MAX_UNREVISED } from '../../src/journal/outcome.ts';

const unknown: Known = { fingerprints: [], newest: undefined };
const record = { revision: 50n, created: 40n, fingerprint: 7 };
const all = { floor: 30n, updates: 'all' } as const;

describe('judge()', () => {
  it.each([
    ['an unknown id is new', record, unknown, 'new'],
    ['an unknown id from before our memory is an update', { ...record, created: 29n }, unknown, 'update'],
    ['a later revision is an update', record, { fingerprints: [], newest: 49n }, 'update'],
    ['an earlier revision is late', record, { fingerprints: [], newest: 51n }, 'late'],
  ])('%s', (_, given, known, outcome) => {
    expect(judge(given, known, all)).toEqual({ outcome, unrevised: 0 });
    const kept = outcome === 'new' ? { outcome, unrevised: 0 } : 'filtered';
    expect(judge(given, known, { ...all, updates: 'none' })).toEqual(kept);
  });

  it('the same body under the same revision is a duplicate', () => {
    expect(judge(record, { fingerprints: ['7'], newest: 50n }, all)).toBe('duplicate');
    expect(judge(record, { fingerprints: ['7'], newest: 50n }, { ...all, updates: 'none' })).toBe(
      'duplicate',
    );
  });

  it('the newest revision is a duplicate after its `seen` row has gone', () => {
    expect(judge(record, { fingerprints: [], newest: 50n }, all)).toBe('duplicate');
  });

  describe('K6: where what was seen has been forgotten above the floor', () => {
    const forgotten = { seen: 60n, states: 0n };
    const older = { seen: 60n, states: 55n };
    it.each([
      ['an unknown id is new while all ids are known', record, unknown, forgotten, 'new'],
      ['a later revision is an update', record, { fingerprints: [], newest: 49n }, older, 'update'],
      [
        'an id from before we know all ids is an update',
        { ...record, revision: 70n },
        unknown,
        older,
        'update',
      ],
    ])('%s', (_, given, known, since, outcome) => {
      expect(judge(given, known, all, since)).toEqual({ outcome, unrevised: 0 });
    });

    it.each([
      ['an unknown id', unknown, older],
      ['an earlier revision', { fingerprints: [], newest: 51n }, forgotten],
    ])('%s may have been told: it is not told again', (_, known, since) => {
      expect(judge(record, known, all, since)).toBe('unknown');
      expect(judge(record, known, { ...all, updates: 'none' }, since)).toBe('unknown');
    });

    it('what nobody asked for is told as ever', () => {
      const expected = { outcome: 'update', unrevised: 0 };
      expect(judge({ ...record, revision: 0n }, unknown, all, older)).toEqual(expected);
    });
  });

  it('another body under the same revision is unrevised, and counted', () => {
    const known = { fingerprints: ['1', '2'], newest: 50n };
    expect(judge(record, known, all)).toEqual({ outcome: 'unrevised', unrevised: 2 });
    expect(judge(record, known, { ...all, updates: 'none' })).toBe('filtered');
  });

  it('bodies that flap under one revision are told a few times, whatever their order', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(9), { minLength: 1, maxLength: 100 }), (bodies) => {
        const fingerprints: string[] = [];
        for (const fingerprint of bodies) {
          const verdict = judge({ ...record, fingerprint }, { fingerprints, newest: 50n }, all);
          if (verdict !== 'duplicate') fingerprints.push(String(fingerprint));
        }
        expect(fingerprints.length).toBeLessThanOrEqual(MAX_UNREVISED + 1);
        expect(new Set(fingerprints).size).toBe(fingerprints.length);
      }),
    );
  });
});
