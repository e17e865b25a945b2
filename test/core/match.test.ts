import { describe, expect, it } from 'vitest';
import { followsIds, isResolved, type Match, matches } from '../../src/core/match.ts';
import { aRecord } from '../support/records.ts';

describe('matches()', () => {
  const record = aRecord({ severity: 'high', status: 'new', serviceSource: 'microsoftDefenderForEndpoint' });

  it.each<[string, Match, boolean]>([
    ['no list at all', {}, true],
    ['its kind', { kind: ['alert'] }, true],
    ['its severity among others', { severity: ['medium', 'high'] }, true],
    ['another severity', { severity: ['medium'] }, false],
    ['its severity in other letters', { severity: ['High'] }, false],
    ['its status', { status: ['new'] }, true],
    ['another status', { status: ['resolved'] }, false],
    ['its product', { serviceSource: ['microsoftDefenderForEndpoint'] }, true],
    ['another product', { serviceSource: ['microsoftSentinel'] }, false],
    ['its tenant', { tenant: ['contoso'] }, true],
    ['another tenant', { tenant: ['fabrikam'] }, false],
    ['one thing of it and not the other', { severity: ['high'], tenant: ['fabrikam'] }, false],
    ['several things of it', { severity: ['high'], tenant: ['contoso'], status: ['new'] }, true],
  ])('with %s', (_, match, expected) => {
    expect(matches(match, record)).toBe(expected);
  });

  it.each([null, undefined, 7, [], {}])('takes a value that is %o for "unknown"', (odd) => {
    const strange = aRecord({ ...record.body, serviceSource: odd as never, status: odd as never });
    expect(matches({ serviceSource: ['unknown'], status: ['unknown'] }, strange)).toBe(true);
    expect(matches({ serviceSource: ['microsoftSentinel'] }, strange)).toBe(false);
  });

  it('takes a value that nobody knows', () => {
    expect(matches({ severity: ['catastrophic'] }, aRecord({ severity: 'catastrophic' }))).toBe(true);
  });
});

describe('followsIds()', () => {
  it('holds for what changes in the life of an alert, and for nothing else', () => {
    expect(followsIds({ severity: ['high'] })).toBe(true);
    expect(followsIds({ status: ['new'] })).toBe(true);
    expect(followsIds({})).toBe(false);
    expect(followsIds({ kind: ['alert'], tenant: ['contoso'], serviceSource: ['microsoftSentinel'] })).toBe(
      false,
    );
  });
});

describe('isResolved()', () => {
  it('reads the status', () => {
    expect(isResolved(aRecord({ status: 'resolved' }))).toBe(true);
    for (const status of ['inProgress', null, 1]) expect(isResolved(aRecord({ status }))).toBe(false);
  });
});
