import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJson, stringifyJson } from '../../src/lib/json.ts';

describe('parseJson() and stringifyJson()', () => {
  it.each([
    ['at the top', '12345678901234567890'],
    ['after white space', ' \n-12345678901234567890'],
    ['as a value', '{"id": 9007199254740993}'],
    ['in an array', '[1,9007199254740993,-9007199254740993]'],
    ['deeper', '{"a":{"b":[{"c":18446744073709551615}]}}'],
    ['of a hundred digits', `[${'9'.repeat(100)}]`],
    ['under a name that comes twice', '{"a":1,"a":9007199254740993}'],
    ['under __proto__', '{"__proto__":{"id":9007199254740993}}'],
  ])('keep the digits of an integer %s', (_, json) => {
    const digits = /-?\d{16,}/g;
    expect(stringifyJson(parseJson(json)).match(digits)).toEqual(json.match(digits));
  });

  it('keep every integer, whatever is around it', () => {
    fc.assert(
      fc.property(fc.bigInt(), fc.string(), fc.jsonValue(), (integer, name, around) => {
        const json = `{${JSON.stringify(`x${name}`)}: ${integer},"around": [${JSON.stringify(around)}]}`;
        expect(stringifyJson(parseJson(json))).toContain(`:${integer}`);
      }),
    );
  });

  it('give back whatever JSON can say', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const json = JSON.stringify(value);
        expect(stringifyJson(parseJson(json))).toBe(json);
      }),
    );
  });

  it('are the same on the second way round, with long integers in it', () => {
    const values = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { depthSize: 'small' },
        fc.bigInt({ min: 2n ** 53n }),
        fc.string(),
        fc.integer(),
        fc.array(tie('value')),
        fc.dictionary(fc.string(), tie('value')),
      ),
    }));
    fc.assert(
      fc.property(values.value, (value) => {
        const json = stringifyJson(value);
        expect(stringifyJson(parseJson(json))).toBe(json);
      }),
    );
  });

  it('leave digits in texts alone', () => {
    const json = '{"id":"12345678901234567890","text":": 12345678901234567890","n":1.5}';
    expect(parseJson(json)).toEqual({ id: '12345678901234567890', text: ': 12345678901234567890', n: 1.5 });
    expect(stringifyJson(parseJson(json))).toBe(json);
  });

  it('read what a double can hold as a number', () => {
    expect(parseJson('[9007199254740991,-9007199254740991,1e20,0.5]')).toEqual([
      9007199254740991, -9007199254740991, 1e20, 0.5,
    ]);
  });

  it('read __proto__ as a name like any other', () => {
    const read = parseJson('{"__proto__":{"admin":9007199254740993}}') as Record<string, unknown>;
    expect(Object.keys(read)).toEqual(['__proto__']);
    expect(read.admin).toBeUndefined();
  });

  it.each([
    ['arrays', '[', ']'],
    ['objects', '{"a":', '}'],
    ['both', '[{"a":', '}]'],
  ])('survive 100,000 levels of %s, cut them off and say so', (_, open, close) => {
    for (const core of ['1', '9007199254740993']) {
      const json = open.repeat(100_000) + core + close.repeat(100_000);
      const text = stringifyJson(parseJson(json));
      expect(text).toContain('(nested too deep)');
      expect(JSON.parse(text)).toBeTypeOf('object');
    }
  });

  it('leave the rest of what is nested too deep as it is', () => {
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    const text = stringifyJson(parseJson(`{"title":"odd","deep":${deep},"severity":"high"}`));
    expect(JSON.parse(text)).toMatchObject({ title: 'odd', severity: 'high' });
  });

  it.each(['', '{', '[1,]', '{"id":9007199254740993', 'nothing', '01234567890123456789'])(
    'refuse %j as JSON.parse does',
    (text) => {
      expect(() => parseJson(text)).toThrow(SyntaxError);
    },
  );
});
