import { format, inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
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
});
