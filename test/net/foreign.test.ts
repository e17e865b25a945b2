import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { foreignText } from '../../src/net/foreign.ts';

describe('foreignText()', () => {
  it('hides secrets and puts the text in one line', () => {
    expect(foreignText('a\r\nb s3cret\u202ec\u2028s3cret', ['s3cret'])).toBe('a b *** c ***');
  });

  it('hides a secret as it stands in JSON, a query or a form, and leaves no rest of a longer one', () => {
    const secrets = ['a b', 'a b"c/ä'];
    const told = JSON.stringify({ key: secrets[1] }) + new URLSearchParams({ key: secrets[1]! });
    const said = `${told} ${encodeURIComponent(secrets[1]!)} ${secrets.toReversed().join('|')}`;
    expect(foreignText(said, [...secrets, ''])).toBe('{"key":"***"}key=*** *** ***|***');
  });

  it('takes anything', () => {
    for (const value of [undefined, null, 7, {}]) expect(foreignText(value, [])).toBe('');
  });

  it('is bounded and in one line, whatever comes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 2000 }), (text) => {
        const safe = foreignText(text, []);
        expect(safe.length).toBeLessThanOrEqual(501);
        expect(safe).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
      }),
    );
  });
});
