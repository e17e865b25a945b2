import { describe, expect, it } from 'vitest';
import { type Alarm, Filling } from '../../src/observe/filling.ts';
import { collectLog } from '../support/log.ts';

const MINUTE = 60_000;

/** A journal of 1,000 records at 1 KiB each at most, looked at every minute. */
function scene() {
  const log = collectLog();
  const alarms: Alarm[] = [];
  const filling = new Filling(log, (alarm) => void alarms.push(alarm));
  let steadyMs = 5_000;
  return {
    filling,
    log,
    alarms,
    /** A minute later so many wait for each sink, of all records that are there. */
    look(
      waiting: Record<string, number>,
      { records = Math.max(...Object.values(waiting)), paused = false, spared = '' } = {},
    ) {
      const sinks = Object.entries(waiting).map(([name, pending]) => ({
        name,
        pending,
        oldestPendingMs: undefined,
        ...(name === spared && { required: false as const }),
      }));
      filling.look({ bytes: records * 1_024, limitBytes: 1_024_000, records, paused, sinks }, steadyMs);
      steadyMs += MINUTE;
    },
    said: () => log.lines.map(({ level, message }) => `${level}: ${message}`),
  };
}

describe('Filling', () => {
  it('tells for each sink when it will have filled the journal, if it grows on as it does', () => {
    const { filling, look } = scene();
    expect(filling.fullInSeconds('siem')).toBe(Number.POSITIVE_INFINITY);
    look({ siem: 0, archive: 7 });
    expect(filling.fullInSeconds('siem')).toBe(Number.POSITIVE_INFINITY);
    look({ siem: 100, archive: 7 });
    expect(filling.fullInSeconds('siem')).toBeCloseTo(9 * 60);
    expect(filling.fullInSeconds('archive')).toBe(Number.POSITIVE_INFINITY);
    look({ siem: 150, archive: 0 });
    expect(filling.fullInSeconds('siem')).toBeCloseTo((850 / 75) * 60);
  });

  it('does not count what was delivered: it is given up for what was not', () => {
    const { filling, look } = scene();
    look({ siem: 0 }, { records: 900 });
    look({ siem: 100 }, { records: 1_000 });
    expect(filling.fullInSeconds('siem')).toBeCloseTo(9 * 60);
  });

  it('forgets how it was five minutes ago', () => {
    const { filling, look } = scene();
    for (const pending of [0, 300, 300, 300, 300, 300]) look({ siem: pending });
    expect(filling.fullInSeconds('siem')).toBeLessThan(Number.POSITIVE_INFINITY);
    look({ siem: 300 });
    expect(filling.fullInSeconds('siem')).toBe(Number.POSITIVE_INFINITY);
  });

  it('has nothing in sight that is months away', () => {
    const { filling } = scene();
    const bytes = { bytes: 1_024, limitBytes: 2 ** 40, records: 10, paused: false };
    const at = (pending: number, steadyMs: number) =>
      filling.look({ ...bytes, sinks: [{ name: 'siem', pending, oldestPendingMs: undefined }] }, steadyMs);
    at(0, 0);
    at(1, MINUTE);
    expect(filling.fullInSeconds('siem')).toBe(Number.POSITIVE_INFINITY);
  });

  it('K6: is at its end for the sink that all sources pause for', () => {
    const { filling, look } = scene();
    look({ siem: 1_000, archive: 10 }, { paused: true });
    expect(filling.fullInSeconds('siem')).toBe(0);
    expect(filling.fullInSeconds('archive')).toBe(Number.POSITIVE_INFINITY);
  });

  it('K6: warns at 50 and at 80 %, once each, names the sink, and says when that is over', () => {
    const { look, log, alarms, said } = scene();
    for (const pending of [400, 499, 500, 510, 490, 505, 795, 800, 780, 810])
      look({ siem: pending, archive: 0 });
    expect(said()).toEqual([
      expect.stringMatching(
        /^warn: what waits for this sink fills 50 % of the journal \(500 KiB of 1000 KiB\), and in 10m it will be full$/,
      ),
      expect.stringMatching(
        /^warn: what waits for this sink fills 80 % of the journal \(800 KiB of 1000 KiB\), and in 3m 20s it will be full$/,
      ),
    ]);
    expect(alarms.map(({ sink, percent }) => [sink, percent])).toEqual([
      ['siem', 50],
      ['siem', 80],
    ]);
    expect(log.lines[0]!.fields).toEqual({ sink: 'siem', bytes: 512_000, limitBytes: 1_024_000 });
    for (const pending of [650, 450, 380]) look({ siem: pending, archive: 0 });
    expect(said().slice(2)).toEqual([
      'info: what waits for this sink is down to 38 % of the journal (380 KiB of 1000 KiB)',
    ]);
    look({ siem: 600, archive: 0 });
    expect(said()).toHaveLength(4);
  });

  it('K6: says what will become of a sink that is not required, for which nobody pauses', () => {
    const { filling, look, said } = scene();
    look({ siem: 600, lake: 900 }, { records: 900, paused: true, spared: 'lake' });
    expect(filling.fullInSeconds('siem')).toBe(0);
    expect(filling.fullInSeconds('lake')).toBe(Number.POSITIVE_INFINITY);
    expect(said().at(-1)).toMatch(
      /; what is oldest is let go of when it is full, for the sink is not required$/,
    );
    expect(said()[0]).not.toContain('let go');
  });

  it('warns of a backlog that it finds', () => {
    const { look, said } = scene();
    look({ siem: 600 });
    expect(said()).toEqual([expect.stringMatching(/fills 60 % .*, and it does not grow now$/)]);
  });

  it('has nothing to say of an empty journal', () => {
    const { filling, look, said } = scene();
    look({ siem: 0 }, { records: 0 });
    look({ siem: 0 }, { records: 0 });
    expect(filling.fullInSeconds('siem')).toBe(Number.POSITIVE_INFINITY);
    expect(said()).toEqual([]);
  });
});
