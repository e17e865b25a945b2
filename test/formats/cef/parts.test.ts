import { describe, expect, it } from 'vitest';
import type { Json } from '../../../src/core/record.ts';
import { aRecord } from '../../support/records.ts';
import { aStamp, createFormat, formatCef, type ParsedCef, parseCef } from './support.ts';

const users = (count: number): Json[] =>
  Array.from({ length: count }, (_, index) => ({
    '@odata.type': '#microsoft.graph.security.userEvidence',
    userAccount: { userPrincipalName: `user-${index}@contoso.com` },
  }));

const bytes = (events: readonly string[]) => events.map((event) => Buffer.byteLength(event));
const itemsOf = (events: readonly ParsedCef[]) =>
  events.flatMap(({ extension }) => extension.get('cs6')?.split(' ; ') ?? []);

describe('an alert that is too large for one event', () => {
  const record = aRecord({ evidence: users(500) });
  const lines = formatCef(record, aStamp({ sequence: 100, maxBytes: 4096 }));
  const events = lines.map(parseCef);

  it('S7: goes on in further events, none too large, and loses nothing', () => {
    expect(lines.length).toBeGreaterThan(3);
    expect(Math.max(...bytes(lines))).toBeLessThanOrEqual(4096);
    expect(itemsOf(events)).toEqual(
      Array.from({ length: 499 }, (_, index) => `user:user-${index + 1}@contoso.com`),
    );
  });

  it('repeats ids, times, severity, who and where, and numbers the parts', () => {
    const [first] = events;
    const always = [
      'externalId',
      'rt',
      'start',
      'end',
      'act',
      'suser',
      'cs1',
      'cn1',
      'cn2',
      'deviceExternalId',
    ];
    events.forEach(({ header, extension }, index) => {
      expect(header).toEqual(first?.header);
      for (const key of always) expect(extension.get(key)).toBe(first?.extension.get(key));
      expect(extension.get('cn2')).toBe('500');
      expect(extension.get('cn3')).toBe(String(100 + index));
      expect(extension.get('devicePayloadId')).toBe(`${record.revision}:${index + 1}/${events.length}`);
    });
  });

  it('says msg once', () => {
    expect(events.filter(({ extension }) => extension.has('msg'))).toHaveLength(1);
    expect(events[0]?.extension.get('msg')).toBe('A script was downloaded and run.');
  });

  it('is split alike whatever the numbers', () => {
    const big = aStamp({
      sequence: 2 ** 53 - 1_000_000,
      stream: 2 ** 31 - 1,
      sentMs: 8.64e15,
      maxBytes: 4096,
    });
    const small = aStamp({ sequence: 1, stream: 1, sentMs: 1, maxBytes: 4096 });
    for (const outcome of ['new', 'replay'] as const) {
      const more = formatCef({ ...record, outcome }, big);
      expect(more).toHaveLength(formatCef({ ...record, outcome }, small).length);
      expect(Math.max(...bytes(more))).toBeLessThanOrEqual(4096);
    }
  });
});

it('moves cs4, then cs5, then msg out of the first event', () => {
  const process = {
    '@odata.type': '#microsoft.graph.security.processEvidence',
    processCommandLine: 'c'.repeat(1000),
  };
  const body = { description: 'm'.repeat(1000), threatDisplayName: 't'.repeat(1000), evidence: [process] };
  const where = (maxBytes: number) =>
    formatCef(aRecord(body), aStamp({ maxBytes })).map((line) =>
      ['msg', 'cs5', 'cs4'].filter((key) => parseCef(line).extension.has(key)),
    );
  expect(where(8000)).toEqual([['msg', 'cs5', 'cs4']]);
  expect(where(3900)).toEqual([['msg', 'cs5'], ['cs4']]);
  expect(where(2800)).toEqual([['msg'], ['cs5'], ['cs4']]);
});

it('S7: moves less important keys too when a small event has no room for all', () => {
  const body = { evidence: users(3), recommendedActions: 'none', resolvedDateTime: '2025-03-04T11:00:00Z' };
  const lines = formatCef(aRecord(body), aStamp({ maxBytes: 1024 }));
  const events = lines.map(parseCef);
  const whole = parseCef(formatCef(aRecord(body), aStamp())[0] ?? '');
  expect(Math.max(...bytes(lines))).toBeLessThanOrEqual(1024);
  for (const [key, value] of whole.extension) {
    if (['cs6', 'cn3', 'devicePayloadId'].includes(key)) continue;
    expect(events.map(({ extension }) => extension.get(key))).toContain(value);
  }
  for (const { extension } of events) expect(extension.get('suser')).toBe('user-0@contoso.com');
});

it('shortens only what is too large by itself, and counts it', () => {
  const body = { description: 'é'.repeat(1023), evidence: users(1) };
  const lines = formatCef(aRecord(body), aStamp({ maxBytes: 2000 }));
  const events = lines.map(parseCef);
  expect(Math.max(...bytes(lines))).toBeLessThanOrEqual(2000);
  expect(events.map(({ extension }) => extension.get('msg') ?? '').join('')).toMatch(/^é{300,}…$/);
  for (const { extension } of events) expect(extension.get('cs6')).toMatch(/(^| ; )truncated:1$/);
});

it('keeps cs6 within its 4,000 characters, however large an event may be', () => {
  const lines = formatCef(aRecord({ evidence: users(1000) }), aStamp({ maxBytes: 1_000_000 }));
  expect(lines.length).toBeGreaterThan(1);
  for (const line of lines) expect(parseCef(line).extension.get('cs6')?.length).toBeLessThanOrEqual(4000);
});

it('S8: fits the worst of headers and ids into the smallest event', () => {
  const worst = '\\|=€';
  const format = createFormat({ vendor: '|'.repeat(63), equals: 'replace' });
  const body = {
    id: worst.repeat(10),
    title: worst.repeat(128),
    detectorId: worst.repeat(1000),
    description: worst.repeat(300),
    evidence: users(5),
  };
  const lines = format(
    aRecord(body, { outcome: 'unrevised', unrevised: 3, tenant: worst.repeat(200) }),
    aStamp({ sequence: 2 ** 52, sentMs: 8.64e15, maxBytes: 1024 }),
  );
  for (const line of lines) parseCef(line);
  expect(Math.max(...bytes(lines))).toBeLessThanOrEqual(1024);
});
