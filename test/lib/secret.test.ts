import { format, inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Reread } from '../../src/lib/reread.ts';
import { Secret } from '../../src/lib/secret.ts';

describe('Secret', () => {
  const secret = new Secret('canary');

  it('gives its value to who asks', () => {
    expect(secret.reveal()).toBe('canary');
  });

  it.each([
    ['a template string', `${secret}`],
    ['concatenation', `a ${String(secret)}`],
    ['JSON', JSON.stringify({ secret })],
    ['util.inspect', inspect({ deep: { secret } })],
    ['util.format', format('%s %o %j', secret, secret, { secret })],
  ])('S11: prints as *** by %s', (_, text) => {
    expect(text).toContain('***');
    expect(text).not.toContain('canary');
  });

  it('S11: has nothing to be found in by looking inside', () => {
    expect(inspect(secret, { showHidden: true, customInspect: false, getters: true })).not.toContain(
      'canary',
    );
    expect(Reflect.ownKeys(secret)).toEqual([]);
    expect(JSON.stringify(structuredClone({ ...secret }))).toBe('{}');
  });

  it('changes with the file that it follows, and knows what it was', () => {
    const outside = { text: 'first', now: 0 };
    const read = () => {
      if (outside.text === '') throw new Error('file x is empty');
      return outside.text;
    };
    const rotating = new Secret('first');
    rotating.follow(new Reread('first', read, { clock: () => outside.now }), '/run/secrets/x');
    const before = rotating.revealAll();
    expect(rotating.reveal()).toBe('first');
    expect(rotating.revealAll()).toBe(before);

    outside.text = 'second';
    expect(rotating.reveal()).toBe('first');
    rotating.look();
    expect(rotating.reveal()).toBe('second');
    expect(rotating.revealAll()).toEqual(['second', 'first']);

    outside.text = '';
    outside.now = 30_000;
    expect(rotating.reveal()).toBe('second');
    expect(rotating.trouble).toBe('file x is empty');
    expect(`${rotating} ${inspect(rotating, { showHidden: true })}`).toBe('*** ***');
  });

  it('remembers a bounded number of what it was', () => {
    let text = 'secret-0';
    const rotating = new Secret(text);
    rotating.follow(new Reread(text, () => text), '/run/secrets/x');
    for (let n = 1; n < 50; n++) {
      text = `secret-${n}`;
      rotating.look();
    }
    expect(rotating.revealAll()).toHaveLength(9);
    expect(rotating.revealAll()[0]).toBe('secret-49');
  });
});
