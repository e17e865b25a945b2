import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maxHeaderBytes } from '../../../src/sinks/syslog/header.ts';
import { facilities } from '../../../src/sinks/syslog/pri.ts';
import { rfc5424 } from '../../../src/sinks/syslog/rfc5424.ts';
import { aRecord } from '../../support/records.ts';

const options = { facility: 'local0', hostName: 'relay.contoso.local', appName: 'defender-relay' } as const;
const fields = { record: aRecord(), stream: 12_345, sequence: 7 };

describe('rfc5424()', () => {
  it('says when, who, which stream, what kind and which number', () => {
    expect(rfc5424(options, fields)).toBe(
      '<131>1 2025-03-04T10:20:01.326Z relay.contoso.local defender-relay 12345 alert [meta sequenceId="7"] ',
    );
  });

  it('gives a heartbeat no number', () => {
    const record = aRecord({}, { kind: 'heartbeat' });
    expect(rfc5424(options, { ...fields, record })).toMatch(/ 12345 heartbeat - $/);
  });

  it.each([
    ['critical', 2],
    ['high', 3],
    ['medium', 4],
    ['low', 5],
    ['informational', 6],
    ['unknown', 4],
    ['unknownFutureValue', 4],
    ['toString', 4],
    ['', 4],
  ])('gives severity %j the syslog severity %i', (severity, expected) => {
    const record = aRecord({}, { severity });
    expect(rfc5424(options, { ...fields, record })).toMatch(new RegExp(`^<${16 * 8 + expected}>1 `));
  });

  it.each([
    ['kern', 3],
    ['user', 11],
    ['local7', 187],
  ] as const)('counts facility %s in', (facility, pri) => {
    expect(rfc5424({ ...options, facility }, fields)).toMatch(new RegExp(`^<${pri}>1 `));
  });

  it.each([
    [1, 1],
    [2_147_483_647, 2_147_483_647],
    [2_147_483_648, 1],
    [4_294_967_294, 2_147_483_647],
    [4_294_967_295, 1],
    [0, 2_147_483_647],
    [-1, 2_147_483_646],
  ])('writes the running number %i as sequenceId %i', (sequence, expected) => {
    expect(rfc5424(options, { ...fields, sequence })).toContain(`[meta sequenceId="${expected}"]`);
  });

  it.each([Number.NaN, Infinity, 1e16, Date.parse('9999-12-31T23:59:59.999Z') + 1, Date.UTC(-1, 0)])(
    'writes a time that RFC 3339 does not have (%d) as "-"',
    (timeMs) => {
      expect(rfc5424(options, { ...fields, record: aRecord({}, { timeMs }) })).toMatch(/^<131>1 - relay/);
    },
  );

  it('writes the empty date of .NET as "-"', () => {
    const timeMs = Date.parse('0001-01-01T00:00:00Z');
    expect(rfc5424(options, { ...fields, record: aRecord({}, { timeMs }) })).toMatch(/^<131>1 - relay/);
  });

  it('replaces what may not stand in a name, and cuts what is too long', () => {
    const names = { facility: 'local0', hostName: 'é x\n', appName: 'a'.repeat(60) } as const;
    expect(rfc5424(names, fields)).toMatch(/^\S+ \S+ __x_ a{48} 12345 /);
    expect(rfc5424({ ...options, hostName: '' }, fields)).toMatch(/^\S+ \S+ - defender-relay /);
  });

  it('is valid and within maxHeaderBytes(), whatever the record says', () => {
    const valid =
      /^<\d{1,3}>1 (-|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) [!-~]{1,255} [!-~]{1,48} [!-~]{1,128} [!-~]{1,32} \[meta sequenceId="\d+"\] $/;
    const anything = fc.record({
      facility: fc.constantFrom(...facilities),
      hostName: fc.string({ unit: 'binary' }),
      appName: fc.string({ unit: 'binary' }),
      kind: fc.string({ unit: 'binary' }),
      severity: fc.string(),
      timeMs: fc.double(),
      stream: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
      sequence: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    });
    fc.assert(
      fc.property(anything, ({ kind, severity, timeMs, stream, sequence, ...names }) => {
        const record = { kind: kind as 'alert', severity, timeMs };
        const header = rfc5424(names, { record, stream, sequence });
        expect(header).toMatch(valid);
        expect(Buffer.byteLength(header)).toBeLessThanOrEqual(maxHeaderBytes((any) => rfc5424(names, any)));
      }),
    );
  });
});
