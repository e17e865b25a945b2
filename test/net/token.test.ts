import { describe, expect, it } from 'vitest';
import { isPersons, rolesOf } from '../../src/net/token.ts';
import { aToken } from '../support/scripted-graph.ts';

const aClaim = (claims: object) => `x.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.y`;

describe('rolesOf()', () => {
  it.each([
    ['roles', aToken(0, ['A', 'B']), ['A', 'B']],
    ['no role, as before consent', aToken(0, []), []],
    ['no claim `roles`, as before consent', `x.${Buffer.from('{}').toString('base64url')}.y`, []],
    ['what a person may do', aClaim({ scp: 'User.Read A' }), ['User.Read', 'A']],
    ['roles that are no list', aClaim({ roles: 7 }), undefined],
    ['claims that are none', aClaim([]), []],
    ['null', `x.${Buffer.from('null').toString('base64url')}.y`, undefined],
    ['an opaque token', 'opaque', undefined],
    ['a broken token', 'a.b.c', undefined],
  ])('reads %s', (_, token, expected) => {
    expect(rolesOf(token)).toEqual(expected);
  });
});

describe('isPersons()', () => {
  it('tells a person from an app', () => {
    expect(isPersons(aClaim({ scp: 'User.Read' }))).toBe(true);
    expect(isPersons(aToken(0))).toBe(false);
    expect(isPersons('opaque')).toBe(false);
  });
});
