import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { duration, path, place, secret, size } from '../../src/lib/fields.ts';
import { Secret } from '../../src/lib/secret.ts';

const messagesOf = (schema: z.ZodType, input: unknown) =>
  schema.safeParse(input).error?.issues.map(({ message }) => message);

describe('duration() and size()', () => {
  it('keep their limits, which are inclusive', () => {
    const schema = duration({ min: '1s', max: '1m' });
    expect([schema.parse('1s'), schema.parse('60s')]).toEqual([1000, 60_000]);
    expect(messagesOf(schema, '999ms')).toEqual(['must be at least 1s']);
    expect(messagesOf(schema, '61s')).toEqual(['must be at most 1m']);
  });

  it('have an upper limit of their own: numbers stay exact', () => {
    expect(messagesOf(duration(), '99999999999d')).toEqual(['must be at most 3650d']);
    expect(messagesOf(size(), '99999999TiB')).toEqual(['must be at most 1024TiB']);
  });

  it('do not repeat what they were given: it may have come from a secret place', () => {
    expect(messagesOf(duration(), 'canary')).toEqual(['expected a duration such as "30s", "10m" or "24h"']);
    expect(messagesOf(size(), 'canary')).toEqual(['expected a size such as "16MiB" or "2GiB"']);
  });

  it('refuse a limit that is wrong itself', () => {
    expect(() => duration({ max: '1 hour' })).toThrow('the limit "1 hour" is not a duration');
  });

  it('keep their message in a union with another form', () => {
    const issue = z.union([duration(), z.iso.datetime()]).safeParse('soon').error?.issues[0];
    expect(issue?.code).toBe('invalid_union');
  });
});

describe('secret()', () => {
  it('gives a Secret', () => {
    const value = secret().parse('canary');
    expect(value).toBeInstanceOf(Secret);
    expect(value.reveal()).toBe('canary');
  });

  it('is known by its meta, also under a description', () => {
    expect(secret().describe('Password.').meta()).toMatchObject({ secret: true });
  });
});

describe('path() and place()', () => {
  it('are known by their meta', () => {
    expect(path().meta()).toEqual({ path: 'file' });
    expect(place().meta()).toEqual({ path: 'place' });
    expect(messagesOf(path(), '')).toEqual(['expected a path']);
  });
});
