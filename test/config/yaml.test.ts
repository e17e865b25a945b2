import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseYaml } from '../../src/config/yaml.ts';

describe('parseYaml()', () => {
  it('keeps every value as it was written, with its place', () => {
    expect(parseYaml('a: 007\nb:\n  - 1e3').root).toEqual({
      kind: 'map',
      at: { line: 1, column: 1 },
      entries: new Map([
        [
          'a',
          { keyAt: { line: 1, column: 1 }, value: { kind: 'text', at: { line: 1, column: 4 }, text: '007' } },
        ],
        [
          'b',
          {
            keyAt: { line: 2, column: 1 },
            value: {
              kind: 'list',
              at: { line: 3, column: 3 },
              items: [{ kind: 'text', at: { line: 3, column: 5 }, text: '1e3' }],
            },
          },
        ],
      ]),
    });
  });

  it('tells empty values from empty texts', () => {
    const { root } = parseYaml('[ , ~, null, "", "null"]'.replace(' ,', ''));
    expect(root?.kind === 'list' && root.items.map(({ kind }) => kind)).toEqual([
      'empty',
      'empty',
      'text',
      'text',
    ]);
  });

  it.each([
    ['an anchor that is used', 'a: &x 1\nb: *x', 'aliases (*name) are not supported'],
    ['an alias to nothing', 'a: *x', 'aliases (*name) are not supported'],
    ['a known tag', 'a: !!binary aGk=', 'tags (!name) are not supported'],
    ['a list as key', '? [a]\n: b', 'expected the name of a setting in front of ":"'],
    ['no key', ': b', 'expected the name of a setting in front of ":"'],
    ['deep nesting', `${'['.repeat(60)}${']'.repeat(60)}`, 'nested too deep'],
  ])('refuses %s', (_, text, message) => {
    expect(parseYaml(text).findings.map((finding) => finding.message)).toEqual([message]);
  });

  // All of the size that is read at most; each took minutes or all memory with some parser or some draft of ours.
  it.each([
    ['open brackets', '['.repeat(262_144)],
    ['open quotes', '"'.repeat(262_144)],
    ['aliases', `a: &a x\nb: [${'*a, '.repeat(65_000)}]`],
    [
      'nested aliases',
      Array.from({ length: 30 }, (_, n) => `a${n}: &a${n} [${`*a${n - 1}, `.repeat(9)}]`).join('\n'),
    ],
    ['one key again and again', 'a: 1\n'.repeat(52_000)],
    ['many keys', Array.from({ length: 30_000 }, (_, n) => `a${n}: 1\n`).join('')],
  ])('ends with hostile text: %s', (_, text) => {
    expect(parseYaml(text)).toHaveProperty('findings');
  });

  it('is total', () => {
    const piece = fc.constantFrom(
      'a',
      'b: ',
      '- ',
      '\n',
      '  ',
      '\t',
      '"',
      "'",
      '{',
      '}',
      '[',
      ']',
      ',',
      '|',
      '>',
      '&x ',
      '*x',
      '!t ',
      '---',
      '...',
      '%',
      '#',
      '?',
      ':',
      '~',
      '<<: ',
      '\0',
    );
    const text = fc.oneof(
      fc.string(),
      fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join('')),
    );
    fc.assert(
      fc.property(text, (yaml) => {
        const { root, findings } = parseYaml(yaml);
        expect(root !== undefined || findings.length > 0).toBe(true);
        for (const { at } of findings) expect(at.line).toBeGreaterThan(0);
      }),
    );
  });
});
