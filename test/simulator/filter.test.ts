import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GraphError } from '../../src/simulator/answer.ts';
import { matches, parseFilter, windowOf } from '../../src/simulator/filter.ts';
import type { FilterFields } from '../../src/simulator/revision.ts';

const alert: FilterFields = {
  createdDateTime: '2025-03-04T10:13:27.7200000Z',
  lastUpdateDateTime: '2025-03-04T10:20:01.4700000Z',
  severity: 'high',
  status: 'new',
  serviceSource: 'microsoftSentinel',
  classification: null,
  determination: null,
  assignedTo: "o'neill@contoso.com",
};

describe('parseFilter() and matches()', () => {
  it.each([
    ['lastUpdateDateTime ge 2025-03-04T10:20:01.47Z', true],
    ['lastUpdateDateTime gt 2025-03-04T10:20:01.4700000Z', false],
    ['lastUpdateDateTime gt 2025-03-04T10:20:01.4699999Z', true],
    ['lastUpdateDateTime gt 2025-03-04T10:20:01Z', true],
    ['lastUpdateDateTime le 2025-03-04T11:20:01.47+01:00', true],
    ['lastUpdateDateTime lt 2025-03-04T10:20:01.47Z', false],
    ['createdDateTime eq 2025-03-04T10:13:27.72Z', true],
    ["severity eq 'high'", true],
    ["severity ne 'high'", false],
    ["assignedTo eq 'o''neill@contoso.com'", true],
    ['classification eq null', true],
    ["severity eq 'low' or status eq 'new' and serviceSource eq 'microsoftSentinel'", true],
    ["(severity eq 'low' or status eq 'new') and serviceSource eq 'microsoft365Defender'", false],
    [" ( severity eq 'high' )", true],
  ])('%s', (filter, expected) => {
    expect(matches(parseFilter(filter), alert)).toBe(expected);
  });

  it.each([
    [
      'a field Graph has no filter for',
      "investigationState eq 'running'",
      /property named 'investigationState'/,
    ],
    ['a field of every object', "constructor eq 'x'", /property named 'constructor'/],
    ['a quoted time', "lastUpdateDateTime ge '2025-03-04T10:20:01Z'", /not compatible/],
    ['a time without zone', 'lastUpdateDateTime ge 2025-03-04T10:20:01', /not a date/],
    ['an enumeration member that is none', "severity eq 'urgent'", /not a valid enumeration/],
    ['an unquoted text', 'severity eq high', /string in quotes/],
    ['an order of texts', "severity gt 'low'", /'gt' is not supported/],
    ['a function', "contains(title,'x')", /property named 'contains'/],
    ['an operator that is none', "severity like 'high'", /'like' is not supported/],
    ['a negation', "not severity eq 'high'", /property named 'not'/],
    ['an open parenthesis', "(severity eq 'high'", /too early/],
    ['a parenthesis too many', "severity eq 'high')", /Syntax error at '\)'/],
    ['an open text', "severity eq 'high", /Unterminated/],
    ['half a comparison', 'severity eq', /too early/],
    ['nothing', ' ', /too early/],
    ['parentheses without end', '('.repeat(5000), /recursion limit/],
  ])('refuses %s', (_, filter, message) => {
    const refused = expect(() => parseFilter(filter));
    refused.toThrow(GraphError);
    refused.toThrow(message);
  });
});

describe('windowOf()', () => {
  const time = fc.constantFrom('2025-03-04T10:20:01Z', '2025-03-04T10:20:01.47Z', '2025-03-04T10:20:02Z');
  const comparison = fc.oneof(
    fc
      .tuple(fc.constantFrom('eq', 'ne', 'gt', 'ge', 'lt', 'le'), time)
      .map(([operator, at]) => `lastUpdateDateTime ${operator} ${at}`),
    fc.constant("severity eq 'high'"),
  );
  const { filter } = fc.letrec<{ filter: string }>((tie) => ({
    filter: fc.oneof(
      { maxDepth: 4 },
      comparison,
      fc
        .tuple(tie('filter'), fc.constantFrom('and', 'or'), tie('filter'))
        .map(([left, word, right]) => `(${left}) ${word} (${right})`),
    ),
  }));

  it('and the rest of the filter leave out nothing that matches, and let nothing else in', () => {
    fc.assert(
      fc.property(filter, (text) => {
        const parsed = parseFilter(text);
        const { from, to, rest } = windowOf(parsed);
        const key = alert.lastUpdateDateTime;
        const inside = from <= key && key < to && (rest === undefined || matches(rest, alert));
        return inside === matches(parsed, alert);
      }),
    );
  });

  it('is as narrow as the outermost "and"s say', () => {
    const parsed = parseFilter(
      "lastUpdateDateTime ge 2025-03-04T10:00:00Z and severity eq 'high' and lastUpdateDateTime lt 2025-03-04T11:00:00Z",
    );
    expect(windowOf(parsed)).toEqual({
      from: '2025-03-04T10:00:00.0000000Z',
      to: '2025-03-04T11:00:00.0000000Z',
      rest: parseFilter("severity eq 'high'"),
    });
  });
});
