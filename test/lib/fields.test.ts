import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { duration, parseDuration, parseSize, path, place, secret, size } from '../../src/lib/fields.ts';
import { Secret } from '../../src/lib/secret.ts';

const messagesOf = (schema: z.ZodType, input: unknown) =>
  schema.safeParse(input).error?.issues.map(({ message }) => message);

describe('parseDuration()', () => {
  it.each([
    ['250ms', 250],
    ['30s', 30_000],
    ['1.5h', 5_400_000],
    ['7d', 604_800_000],
    [' 2m ', 120_000],
    ['1.0004s', 1000],
    ['30', undefined],
    ['30 s', undefined],
    ['-1s', undefined],
    ['1e3s', undefined],
    ['1w', undefined],
    ['', undefined],
  ])('reads %j', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it('gives whole milliseconds or nothing, whatever the text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^\d{1,15}(\.\d{1,9})?(ms|s|m|h|d)$/)), (text) => {
        const ms = parseDuration(text);
        expect(ms === undefined || (Number.isInteger(ms) && ms >= 0)).toBe(true);
      }),
    );
  });
});

describe('parseSize()', () => {
  it.each([
    ['0B', 0],
    ['8KiB', 8192],
    ['2GiB', 2 ** 31],
    ['1.5MB', 1_500_000],
    ['8kb', undefined],
    ['8K', undefined],
    ['8', undefined],
  ])('reads %s', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });
});

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
