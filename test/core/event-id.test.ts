import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eventIdOf } from '../../src/core/event-id.ts';
import { aRecord } from '../support/records.ts';

const anId = (text: Partial<Parameters<typeof eventIdOf>[0]>, part = 1) => eventIdOf(aRecord({}, text), part);

describe('eventIdOf()', () => {
  it('says tenant, source, record, revision, count of unrevised and part', () => {
    expect(anId({ unrevised: 2 }, 3)).toBe(
      'contoso/alerts/da637551227677560813_-961444813/2025-03-04T10:20:01.3266667Z/2/3',
    );
  });

  it('is a hash when it would be long', () => {
    expect(anId({ id: 'x'.repeat(1000) })).toMatch(/^sha256-[0-9a-f]{64}$/);
    expect(anId({ id: 'x'.repeat(1000) })).not.toBe(anId({ id: 'x'.repeat(1000) }, 2));
  });

  it('takes a revision that is no time', () => {
    expect(anId({ revision: -1n, id: 'a' })).toBe('contoso/alerts/a/-1/0/1');
    expect(anId({ revision: 10n ** 30n, id: 'a' })).toContain('/1000000000000000000000000000000/');
  });

  it('is the same for no two events, fits a header, and needs no escape in JSON', () => {
    const text = fc
      .oneof(
        fc.array(fc.constantFrom('a', '/', '%', '%2f;', '\ud800', '\udc00', '"', '\\', '\n', 'é'), {
          maxLength: 4,
        }),
        fc.array(fc.string({ unit: 'binary', maxLength: 3 }), { maxLength: 2 }),
      )
      .map((pieces) => pieces.join(''));
    const fields = fc.tuple(
      text,
      text,
      text,
      fc.bigInt({ min: 0n, max: 3n }),
      fc.nat(2),
      fc.integer({ min: 1, max: 3 }),
    );
    const idOf = ([tenant, source, id, revision, unrevised, part]: [
      string,
      string,
      string,
      bigint,
      number,
      number,
    ]) => eventIdOf(aRecord({}, { tenant, source, id, revision, unrevised }), part);
    fc.assert(
      fc.property(fields, fields, (one, other) => {
        const isSame = one.every((piece, index) => piece === other[index]);
        expect(idOf(one) === idOf(other)).toBe(isSame);
        expect(Buffer.byteLength(idOf(one))).toBeLessThanOrEqual(200);
        expect(JSON.stringify(idOf(one))).toBe(`"${idOf(one)}"`);
        expect(Buffer.from(idOf(one)).toString()).toBe(idOf(one));
      }),
      { numRuns: 2000 },
    );
  });
});
