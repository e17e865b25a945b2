import { describe, expect, it } from 'vitest';
import { Expiry } from '../../src/net/expiry.ts';
import { collectLog } from '../support/log.ts';

const DAY_MS = 86_400_000;
const end = Date.parse('2027-03-01T00:00:00Z');

function scene() {
  const log = collectLog();
  const told: number[] = [];
  const soon: number[] = [];
  const expiry = new Expiry('the client secret of tenant contoso', log, {
    expires: (atMs) => void told.push(atMs),
    expiresSoon: (atMs) => void soon.push(atMs),
  });
  return { log, told, soon, expiry };
}

describe('Expiry', () => {
  it.each([
    [31, undefined, ''],
    [29.5, 'warn', 'expires on 2027-03-01, in 29 days; make a new one in time'],
    [7.5, 'warn', 'in 7 days'],
    [6.5, 'error', 'in 6 days'],
    [1.5, 'error', 'in 1 day;'],
    [0.5, 'error', 'in less than a day;'],
    [0, 'error', 'expired on 2027-03-01; nothing can be read without a new one'],
    [-3, 'error', 'expired on 2027-03-01'],
  ])('S12: %s days before: %s', (days, level, text) => {
    const { log, expiry, told, soon } = scene();
    expiry.check(end, end - days * DAY_MS);
    expect(told).toEqual([end]);
    expect(soon).toEqual(level ? [end] : []);
    expect(log.lines.map((line) => line.level)).toEqual(level ? [level] : []);
    if (level) expect(log.lines[0]?.message).toContain(text);
  });

  it('S12: says it once a day, and once more when there is another end', () => {
    const { log, expiry, told } = scene();
    const start = end - 20 * DAY_MS;
    for (let hour = 0; hour < 72; hour++) expiry.check(end, start + hour * 3_600_000);
    expect(log.lines).toHaveLength(3);
    expiry.check(end + DAY_MS, start + 72 * 3_600_000 - 1);
    expect(log.lines).toHaveLength(4);
    expect(told).toEqual([end, end + DAY_MS]);
  });

  it('is silent about what is not known', () => {
    const { log, expiry, told } = scene();
    expiry.check(undefined, end);
    expect([log.lines, told]).toEqual([[], []]);
  });
});
