import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { generated } from '../../scripts/generated.ts';
import { type JsonSchema, type Section, sectionsOf } from '../../scripts/settings.ts';
import { configSchema } from '../../src/config/schema.ts';
import { duration, openEnum, path, place, secret } from '../../src/lib/fields.ts';

const jsonSchema = (schema: z.ZodType) => z.toJSONSchema(schema, { io: 'input' }) as JsonSchema;
const all = (sections: readonly Section[]): Section[] =>
  sections.flatMap((section) => [section, ...all(section.sections)]);

describe('what is made from the code', () => {
  it.each(generated)('$path is up to date (if not: npm run docs)', ({ path, make }) => {
    expect(readFileSync(join(import.meta.dirname, '../..', path), 'utf8')).toBe(make());
  });
});

describe('the reference page', () => {
  it('has a meaning for every setting', () => {
    const dumb = all(sectionsOf(jsonSchema(configSchema))).flatMap(({ title, settings }) =>
      settings.filter(({ meaning }) => meaning === '').map((setting) => `${title}: ${setting.path}`),
    );
    expect(dumb).toEqual([]);
  });
});

describe('sectionsOf()', () => {
  const settingsOf = (shape: z.core.$ZodShape) =>
    sectionsOf(jsonSchema(z.strictObject({ part: z.strictObject(shape).prefault({}) })))[0]!.settings;

  it.each([
    ['a duration', duration().prefault('30s'), { type: 'duration', required: false, default: '30s' }],
    ['a secret', secret(), { type: 'secret', required: true, default: undefined }],
    ['a file', path().optional(), { type: 'path', required: false, default: undefined }],
    ['a folder', place().prefault('./state'), { type: 'path', required: false, default: './state' }],
    ['a choice', z.enum(['a', 'b', 'c']).default('a'), { type: '`a`, `b` or `c`', default: 'a' }],
    ['a number', z.int().min(1).max(9), { type: 'whole number, 1 to 9' }],
    ['a number without an end', z.int().min(1), { type: 'whole number, at least 1' }],
    ['a number with an upper end', z.number().max(9), { type: 'number, at most 9' }],
    ['a yes or no', z.boolean().default(false), { type: '`true` or `false`', default: false }],
    ['an open choice', openEnum(['a', 'b']), { type: '`a`, `b` or another' }],
    ['a list', z.array(z.enum(['a', 'b'])), { type: 'list: `a` or `b`' }],
    ['one of two forms', duration().or(z.iso.datetime()), { type: 'duration or ISO time' }],
  ])('tells %s', (_, field, expected) => {
    expect(settingsOf({ it: field })).toEqual([expect.objectContaining({ path: 'it', ...expected })]);
  });

  it('follows settings into settings, and says which are wanted only there', () => {
    const found = settingsOf({
      retry: z.strictObject({ max: duration() }).describe('x'),
      login: z.strictObject({ user: z.string() }).optional(),
    });
    expect(found.map(({ path, required }) => [path, required])).toEqual([
      ['retry', true],
      ['retry.max', true],
      ['login.user', 'login'],
    ]);
  });

  it('tells what the types of a list share once, and the rest for each type', () => {
    const type = (name: string, more: z.core.$ZodShape) =>
      z.strictObject({ type: z.literal(name), name: z.string(), ...more }).describe(`About ${name}.`);
    const kinds = z.discriminatedUnion('type', [type('a', { port: z.int().min(1).max(2) }), type('b', {})]);
    const [list] = sectionsOf(jsonSchema(z.strictObject({ list: z.array(kinds).describe('All.') })));
    const outline = (section: Section): unknown => [
      section.title,
      section.meaning,
      section.settings.map(({ path }) => path),
      section.sections.map(outline),
    ];
    expect(outline(list!)).toEqual([
      'list',
      'All.',
      ['name'],
      [
        ['type: a', 'About a.', ['port'], []],
        ['type: b', 'About b.', [], []],
      ],
    ]);
  });

  it('has no word for what it does not know', () => {
    expect(() => settingsOf({ it: z.null() })).toThrow('has no word for');
  });
});
