import fc from 'fast-check';
import { expect, it } from 'vitest';
import { joined, type Range } from '../../src/journal/ranges.ts';

const DAY = 86_400n * 10_000_000n;
const at = (from: bigint, to = from, tenant = 'contoso'): Range => ({
  source: 'alerts',
  tenant,
  from,
  to,
  records: 1,
});

it('joins what lies within a day, and keeps a record of old by itself', () => {
  expect(joined([at(100n * DAY), at(0n), at(101n * DAY), at(100n * DAY + 5n)])).toEqual([
    at(0n),
    { ...at(100n * DAY, 101n * DAY), records: 3 },
  ]);
});

it('keeps tenants apart', () => {
  expect(joined([at(2n), at(1n, 1n, 'fabrikam'), at(1n)])).toEqual([
    { ...at(1n, 2n), records: 2 },
    at(1n, 1n, 'fabrikam'),
  ]);
});

it('keeps few, loses no record, and covers all, whatever comes', () => {
  const range = fc.record({
    source: fc.constantFrom('alerts', 'incidents'),
    tenant: fc.constantFrom('contoso', 'fabrikam'),
    from: fc.bigInt(0n, 4_000n * DAY),
    length: fc.bigInt(0n, DAY),
  });
  fc.assert(
    fc.property(fc.array(range, { maxLength: 200 }), (drawn) => {
      const ranges = drawn.map(({ length, ...rest }) => ({ ...rest, to: rest.from + length, records: 1 }));
      const result = joined(ranges);
      expect(result.length).toBeLessThanOrEqual(32);
      expect(result.reduce((sum, { records }) => sum + records, 0)).toBe(ranges.length);
      for (const { source, tenant, from, to } of ranges)
        expect(
          result.some(
            (each) => each.source === source && each.tenant === tenant && each.from <= from && to <= each.to,
          ),
        ).toBe(true);
      expect(joined(result)).toEqual(result);
    }),
    { numRuns: 50 },
  );
});
