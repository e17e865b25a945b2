import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { UnavailableError, type UnavailableReason } from '../../src/core/errors.ts';
import { Outage } from '../../src/pipeline/outage.ts';
import { collectLog } from '../support/log.ts';

const MINUTE = 60_000;
const START = Date.parse('2026-11-23T02:00:00Z');

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'], now: START });
});
afterEach(() => void vi.useRealTimers());

function scene() {
  const log = collectLog();
  const outage = new Outage(log, Date.now);
  return {
    outage,
    log,
    fail: (message = 'the siem is down', reason: UnavailableReason = 'network') =>
      outage.failed(new UnavailableError(message, { reason }), 90_000),
    pass: (ms: number) => vi.advanceTimersByTime(ms),
    /** What an operator reads. */
    told: () =>
      log.lines.filter(({ level }) => level !== 'debug').map(({ level, message }) => `${level}: ${message}`),
  };
}

describe('Outage', () => {
  it('tells the first failure, when the next try is, and the healing', () => {
    const { outage, log, fail, pass, told } = scene();
    fail();
    pass(192_000);
    fail();
    pass(500);
    outage.healthy();
    outage.healthy();
    expect(told()).toEqual([
      'warn: the siem is down; next try in 1m 30s',
      'info: working again, after 3m 13s and 2 failures',
    ]);
    expect(log.lines[0]!.fields).toEqual({ attempt: 1, retryInMs: 90_000, reason: 'network' });
  });

  it('tells a failure of another kind, and not one that differs in numbers and ids only', () => {
    const { fail, told } = scene();
    fail('connecting to siem:514 (try 1, id 3f-ab) failed');
    fail('connecting to siem:514 (try 2, id 7c-de) failed');
    fail('connecting to siem:514 (try 3, id 7c-de) failed', 'timeout');
    fail('the siem resets', 'timeout');
    expect(told()).toEqual([
      'warn: connecting to siem:514 (try 1, id 3f-ab) failed; next try in 1m 30s',
      'warn: connecting to siem:514 (try 3, id 7c-de) failed; next try in 1m 30s',
      'warn: the siem resets; next try in 1m 30s',
    ]);
  });

  it('reminds every ten minutes', () => {
    const { fail, pass, told } = scene();
    for (let minute = 0; minute <= 20; minute++) {
      fail();
      pass(MINUTE);
    }
    expect(told()).toEqual([
      'warn: the siem is down; next try in 1m 30s',
      'warn: still failing since 2026-11-23T02:00:00Z (11 failures): the siem is down; next try in 1m 30s',
      'warn: still failing since 2026-11-23T02:00:00Z (21 failures): the siem is down; next try in 1m 30s',
    ]);
  });

  it('writes five lines in ten minutes of a failure that is another one each time', () => {
    const { fail, told } = scene();
    for (const letter of 'abcdefghijklmnopqrstuvwxyz') fail(letter);
    expect(told()).toHaveLength(5);
  });

  it('writes four lines of a part that comes and goes every five seconds for ten minutes', () => {
    const { outage, fail, pass, told } = scene();
    for (let count = 0; count <= 60; count++) {
      fail();
      pass(5_000);
      outage.healthy();
      pass(5_000);
    }
    fail();
    expect(told()).toEqual([
      'warn: the siem is down; next try in 1m 30s',
      'info: working again, after 5s and 1 failure',
      'warn: the siem is down; next try in 1m 30s',
      expect.stringMatching(/^warn: failing on and off since 2026-11-23T02:00:10Z \(61 failures\): /),
    ]);
  });

  it('tells the healing of such a part once it has worked for a minute', () => {
    const { outage, fail, pass, told } = scene();
    fail();
    outage.healthy();
    fail();
    pass(4_000);
    outage.healthy();
    pass(MINUTE - 1);
    expect(told()).toHaveLength(3);
    pass(1);
    expect(told().at(-1)).toBe('info: working again, after 4s and 1 failure');
    // And from then on it is as if nothing had been.
    pass(MINUTE);
    fail();
    outage.healthy();
    expect(told().slice(4)).toEqual([
      'warn: the siem is down; next try in 1m 30s',
      'info: working again, after 0ms and 1 failure',
    ]);
  });

  it('tells a healing that it has held back at the end', () => {
    const { outage, fail, told } = scene();
    fail();
    outage.healthy();
    fail();
    outage.healthy();
    outage.end();
    outage.end();
    expect(told().slice(3)).toEqual(['info: working again, after 0ms and 1 failure']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('says nothing at the end of a part that fails, or never failed', () => {
    const { outage, fail, told } = scene();
    outage.healthy();
    outage.end();
    expect(told()).toEqual([]);
    fail();
    outage.end();
    expect(told()).toHaveLength(1);
  });

  it('tells as an error what only a person can mend', () => {
    const { fail, told } = scene();
    fail('the secret is wrong', 'auth');
    expect(told()).toEqual(['error: the secret is wrong; next try in 1m 30s']);
  });

  it.each([
    ['an error', new TypeError('x is not a function')],
    ['a thing without a text', Object.create(null)],
    ['nothing', undefined],
  ])('tells %s that nobody foresaw once, with its stack', (_, thrown) => {
    const { outage, log, told } = scene();
    outage.failed(thrown, 0);
    outage.failed(thrown, 0);
    expect(told()).toEqual(['error: failed unexpectedly; starting again; next try in 0ms']);
    expect(Object(log.lines[0]!.fields).err).toBe(thrown);
  });
});
