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
