import { describe, expect, it } from 'vitest';
import { maxHeaderBytes } from '../../../src/sinks/syslog/header.ts';
import { rfc3164, siemAgent } from '../../../src/sinks/syslog/rfc3164.ts';
import { aRecord } from '../../support/records.ts';

const names = { facility: 'local0', hostName: 'relay.contoso.local', appName: 'defender-relay' } as const;
const at = (time: string) => ({
  record: aRecord({}, { timeMs: Date.parse(time) }),
  stream: 12_345,
  sequence: 7,
});

describe('rfc3164()', () => {
  it.each([
    ['UTC', '2025-03-04T10:20:01.326Z', 'Mar  4 10:20:01'],
    ['UTC', '2025-12-31T23:59:59.999Z', 'Dec 31 23:59:59'],
    ['UTC', '2025-12-31T00:00:00Z', 'Dec 31 00:00:00'],
    ['Europe/Berlin', '2025-03-04T10:20:01Z', 'Mar  4 11:20:01'],
    ['Europe/Berlin', '2025-07-04T22:20:01Z', 'Jul  5 00:20:01'],
    ['Asia/Kathmandu', '2025-03-04T10:20:01Z', 'Mar  4 16:05:01'],
    ['America/New_York', '2025-01-01T00:00:00Z', 'Dec 31 19:00:00'],
    ['Asia/Riyadh', '2025-03-04T10:20:01Z', 'Mar  4 13:20:01'],
  ])('writes the time in %s', (timezone, time, expected) => {
    expect(rfc3164({ ...names, timezone }, at(time))).toBe(`<131>${expected} relay.contoso.local `);
  });

  it('says a tag when there is one', () => {
    const header = rfc3164({ ...names, timezone: 'UTC', tag: 'defender' }, at('2025-03-14T10:20:01Z'));
    expect(header).toBe('<131>Mar 14 10:20:01 relay.contoso.local defender: ');
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, -1, 1e16])('writes something for the time %d', (timeMs) => {
    const fields = { ...at(''), record: aRecord({}, { timeMs }) };
    expect(rfc3164({ ...names, timezone: 'UTC' }, fields)).toMatch(/^<131>Jan {2}1 00:00:00 relay/);
  });
});

describe('siemAgent()', () => {
  const time = '2025-03-04T10:11:12.000Z';
  const plain = { ...names, timezone: 'UTC', time: 'rfc5424', pri: false, host: false } as const;

  it.each([
    [{}, '2025-03-04T10:11:12.000Z '],
    [{ pri: true }, '<131>2025-03-04T10:11:12.000Z '],
    [{ host: true }, '2025-03-04T10:11:12.000Z relay.contoso.local '],
    [{ time: 'rfc3164', pri: true, host: true }, '<131>Mar  4 10:11:12 relay.contoso.local '],
    [{ time: 'rfc3164-with-year' }, 'Mar 04 2025 10:11:12 '],
    [{ time: 'rfc3164-with-year', timezone: 'Asia/Tokyo' }, 'Mar 04 2025 19:11:12 '],
  ] as const)('writes what the agent wrote with %j', (options, expected) => {
    expect(siemAgent({ ...plain, ...options }, at(time))).toBe(expected);
  });
});

describe('maxHeaderBytes()', () => {
  it('is as long as the longest header', () => {
    const header = (fields: Parameters<typeof rfc3164>[1]) => rfc3164({ ...names, timezone: 'UTC' }, fields);
    expect(maxHeaderBytes(header)).toBe('<131>Mar 14 10:20:01 relay.contoso.local '.length);
  });
});
