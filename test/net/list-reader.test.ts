import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJson, stringifyJson } from '../../src/lib/json.ts';
import { ListReader } from '../../src/net/list-reader.ts';

/** What a reader makes of a text that comes in pieces of such lengths, over and over. */
function read(text: string, lengths: readonly number[] = [7]) {
  const made: { value: unknown; json: string }[] = [];
  const reader = new ListReader((value, bytes) => {
    const json = Buffer.from(bytes).toString();
    made.push({ value, json });
    return { value, json };
  });
  const bytes = Buffer.from(text);
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const end = at + lengths[turn % lengths.length]!;
    reader.push(bytes.subarray(at, end));
    at = end;
  }
  return { reader, made };
}

const page = (rows: readonly string[], more = '"@odata.nextLink":"https://x/?a=}]"') =>
  `{"@odata.context":"c","@odata.count":${rows.length},"value":[${rows.join(',')}],${more}}`;

describe('ListReader', () => {
  it('reads a list row by row, with the text of each as it was sent', () => {
    const rows = ['{"id":"a","n":9007199254740993123}', '{"id":"b", "é":"\\u00e9€"}', '{"id":"c"}'];
    const { reader, made } = read(page(rows));
    const list = reader.list();
    expect(list?.members).toEqual({
      '@odata.context': 'c',
      '@odata.count': 3,
      '@odata.nextLink': 'https://x/?a=}]',
    });
    expect(list?.rows?.map(({ json }) => json)).toEqual(rows);
    expect(made[0]?.value).toEqual({ id: 'a', n: 9007199254740993123n });
    expect(reader.text()).toBe(page(rows));
  });

  it.each([
    ['an empty list', page([])],
    ['rows that begin differently', page(['{"id":"a"}', '{"title":"x","id":"b"}', '{"id":"c"}'])],
    ['blanks between the rows', page(['{"id":"a"}', ' {"id":"b"}', '{ "id":"c"}'])],
    ['rows that are no objects', page(['1', 'null', '[{"id":"a"},{"id":"b"}]', '"},{\\"id\\":"'])],
    ['rows within rows', page(['{"id":"a","of":[{"id":"x"},{"id":"y"}]}', '{"id":"b","of":[{"id":"z"}]}'])],
    ['a border within a text', page(['{"id":"a},{\\"id\\":"}', '{"id":"}],\\"value\\":["}'])],
    ['a list within another member', '{"a":{"value":[{"id":"x"}]},"value":[{"id":"y"},{"id":"z"}]}'],
    ['a list that is not at the top', '{"a":{"value":[{"id":"x"},{"id":"y"}]}}'],
    ['a list told twice', '{"value":[{"id":"x"}],"value":[{"id":"y"},{"id":"z"}]}'],
    ['the list first', '{"value":[{"id":"x"},{"id":"y"}],"@odata.count":2}'],
    ['blanks everywhere', JSON.stringify({ value: [{ id: 'a' }, { id: 'b' }] }, null, 2)],
    ['no list', '{"error":{"code":"x"}}'],
    ['a value that is no list', '{"value":{"id":"a"}}'],
  ])('says of %s what the whole text says', (_, text) => {
    for (const length of [1, 5, 4_096]) {
      const { value, ...members } = parseJson(text) as Record<string, unknown>;
      const list = read(text, [length]).reader.list();
      expect(list?.members).toEqual(members);
      expect(list?.rows?.map((row) => row.value)).toEqual(Array.isArray(value) ? value : undefined);
      for (const row of list?.rows ?? []) expect(parseJson(row.json)).toEqual(row.value);
    }
  });

  it('is no list, or an error, where the text is no object', () => {
    for (const text of ['[]', '7', 'null', '"value":[{"a":1}]'.slice(8)])
      expect(read(text).reader.list()).toBeUndefined();
    for (const text of [
      '',
      '{"value":[{"id":1},{"id":2}',
      '{"value":[{"id":1},{"id":2}]',
      '{"value":[{"id":1},{"id":}]}',
    ])
      expect(() => read(text).reader.list()).toThrow(SyntaxError);
  });

  it('takes as long for a text without rows that it knows, in small pieces, as its length says', () => {
    const large = 'x'.repeat(4_000_000);
    for (const text of [
      page([`{"id":"${large}"}`]),
      page([`{"id":${'['.repeat(200)}"${large}"`]),
      `["${large}"`,
    ]) {
      const begun = performance.now();
      try {
        read(text, [1_000]).reader.list();
      } catch {
        // It need not be JSON.
      }
      expect(performance.now() - begun).toBeLessThan(2_000);
    }
  });

  it('says of any text, in any pieces, what it says as a whole', () => {
    const border = fc.constantFrom('"value":[', '},{"', '}]', '],"', '{"id":', '"');
    const text = fc.oneof(fc.string(), border, fc.string({ unit: 'grapheme' }));
    const row = fc.record({ id: text, of: fc.array(fc.record({ id: text })), n: fc.integer() });
    const body = fc.record(
      { '@odata.nextLink': text, a: fc.record({ value: fc.array(row) }), value: fc.array(row), 'z"': text },
      { requiredKeys: [] },
    );
    const lengths = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1 });
    fc.assert(
      fc.property(body, lengths, fc.option(fc.integer({ min: 0, max: 50 })), (given, each, cut) => {
        const whole = stringifyJson(given);
        const sent = cut === null ? whole : whole.slice(0, -cut || undefined).toWellFormed();
        const { reader } = read(sent, each);
        expect(reader.text()).toBe(sent);
        let expected: Record<string, unknown>;
        try {
          expected = parseJson(sent) as Record<string, unknown>;
        } catch {
          expect(() => reader.list()).toThrow(SyntaxError);
          return;
        }
        const { value, ...members } = expected;
        const list = reader.list();
        expect(list?.members).toEqual(members);
        expect(list?.rows?.map((made) => made.value)).toEqual(value);
        for (const made of list?.rows ?? []) expect(parseJson(made.json)).toEqual(made.value);
      }),
      { numRuns: 300 },
    );
  });
});
