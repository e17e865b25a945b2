import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  asksByClose,
  confirmed,
  type Pace,
  roomOf,
  START,
  timedOut,
} from '../../../src/sinks/syslog/pace.ts';

const KIB = 1024;
const HOUR_MS = 3_600_000;
const TIMEOUT_MS = 30_000;
const records = (count: number, each = 2000) => ({ records: count, bytes: count * each });
const one = records(1);
const full = (pace: Pace) => ({ records: 100, bytes: pace.bytes });

const soon = (pace: Pace, nowMs = 0) => confirmed(pace, full(pace), 100, TIMEOUT_MS, nowMs);

describe('the pace of confirmations', () => {
  it('starts at 256 KiB', () => {
    expect(roomOf(START)).toEqual({ records: 10_000, bytes: 256 * KIB });
  });

  it('doubles up to 4 MiB while confirmations come soon', () => {
    let pace = START;
    const sizes = [];
    for (let round = 0; round < 6; round++) {
      pace = soon(pace);
      sizes.push(pace.bytes / KIB);
    }
    expect(sizes).toEqual([512, 1024, 2048, 4096, 4096, 4096]);
  });

  it('does not double when a confirmation took more than a quarter of its time', () => {
    expect(confirmed(START, full(START), TIMEOUT_MS / 4, TIMEOUT_MS, 0).bytes).toBe(512 * KIB);
    expect(confirmed(START, full(START), TIMEOUT_MS / 4 + 1, TIMEOUT_MS, 0).bytes).toBe(256 * KIB);
  });

  it('does not double on a trickle, which says nothing of what a receiver can take at once', () => {
    expect(confirmed(START, one, 10, TIMEOUT_MS, 0).bytes).toBe(256 * KIB);
    expect(confirmed(START, records(5000, 1), 10, TIMEOUT_MS, 0).bytes).toBe(512 * KIB);
  });

  it('halves at a time-out, from what was written', () => {
    expect(timedOut(START, full(START), 0).bytes).toBe(128 * KIB);
    expect(timedOut(START, { records: 9, bytes: 10_000 }, 0).bytes).toBe(5000);
  });

  it('S2: does not try again for an hour what timed out, and does after that', () => {
    const slow = timedOut(soon(START), { records: 100, bytes: 512 * KIB }, 1000);
    expect(slow.bytes).toBe(256 * KIB);
    expect(soon(slow, HOUR_MS + 999).bytes).toBe(256 * KIB);
    expect(soon(slow, HOUR_MS + 1000).bytes).toBe(512 * KIB);
  });

  it('goes down to one record, and back up', () => {
    let pace = START;
    while (roomOf(pace).records > 1) pace = timedOut(pace, { records: 3, bytes: pace.bytes }, 0);
    expect(roomOf(pace)).toEqual({ records: 1, bytes: 1 });
    expect(confirmed(pace, one, 10, TIMEOUT_MS, HOUR_MS).bytes).toBe(4000);
  });

  it.each([3, 8, 12])(
    'S2: gives one that hung for %d time-outs and is well again its room back in a minute',
    (timeouts) => {
      const used = (pace: Pace) => records(Math.max(1, Math.floor(pace.bytes / 2000)));
      let pace = soon(START);
      let nowMs = 0;
      for (let count = 0; count < timeouts; count++) {
        nowMs += TIMEOUT_MS;
        pace = timedOut(pace, used(pace), nowMs);
      }
      const healedMs = nowMs;
      while (pace.bytes < 256 * KIB && nowMs < healedMs + 60_000) {
        nowMs += 50;
        pace = confirmed(pace, used(pace), 50, TIMEOUT_MS, nowMs);
      }
      expect(pace.bytes).toBeGreaterThanOrEqual(256 * KIB);
    },
  );

  it('S2: tries what times out by its size twice at most', () => {
    let pace = START;
    let timeouts = 0;
    // Reads 20,000 bytes at once, and no more ever.
    for (let nowMs = 0; nowMs < HOUR_MS; nowMs += 50) {
      const used = records(Math.max(1, Math.floor(pace.bytes / 2000)));
      if (used.bytes <= 20_000) pace = confirmed(pace, used, 50, TIMEOUT_MS, nowMs);
      else {
        timeouts += 1;
        nowMs += TIMEOUT_MS;
        pace = timedOut(pace, used, nowMs);
      }
    }
    expect(timeouts).toBe(5);
  });

  describe('of a receiver that never closes', () => {
    const three = [1, 2, 3].reduce((pace, at) => timedOut(pace, one, at), START);

    it('S2: is given up after three time-outs in a row at one record', () => {
      expect(timedOut(timedOut(START, one, 1), one, 2).unconfirmable).toBeUndefined();
      expect(three.unconfirmable).toEqual({ triedMs: 3 });
      const between = confirmed(timedOut(timedOut(START, one, 1), one, 2), one, 10, TIMEOUT_MS, 3);
      expect(timedOut(between, one, 4)).toMatchObject({ unconfirmable: undefined, atOne: 1 });
    });

    it('is tried again every hour, with one record', () => {
      expect(asksByClose(three, 3)).toBe(false);
      expect(asksByClose(three, HOUR_MS + 2)).toBe(false);
      expect(asksByClose(three, HOUR_MS + 3)).toBe(true);
      expect(roomOf(three).records).toBe(1);
      const again = timedOut(three, one, HOUR_MS + 3);
      expect(asksByClose(again, HOUR_MS + 4)).toBe(false);
      expect(asksByClose(again, 2 * HOUR_MS + 3)).toBe(true);
    });

    it('is taken back as soon as it confirms', () => {
      const back = confirmed(three, one, 10, TIMEOUT_MS, HOUR_MS);
      expect(asksByClose(back, HOUR_MS)).toBe(true);
      expect(back.unconfirmable).toBeUndefined();
    });

    it('is not one that has confirmed within the last hour: that hangs', () => {
      const known = confirmed(START, one, 10, TIMEOUT_MS, 0);
      const hanging = [1, 2, 3, 4, 5].reduce((pace, at) => timedOut(pace, one, at), known);
      expect(hanging.unconfirmable).toBeUndefined();
      expect(timedOut(hanging, one, HOUR_MS).unconfirmable).toEqual({ triedMs: HOUR_MS });
    });
  });

  it('S2: with a receiver of any speed, repeats little of what it sends', () => {
    // Every size that the receiver reads within the time is confirmed, every other one times out.
    fc.assert(
      fc.property(fc.integer({ min: 2_000, max: 1_000_000 }), (bytesPerSecond) => {
        const most = (bytesPerSecond * TIMEOUT_MS) / 1000;
        let pace: Pace = START;
        let nowMs = 0;
        let delivered = 0;
        let repeated = 0;
        while (nowMs < 24 * HOUR_MS) {
          const bytes = Math.max(2000, pace.bytes);
          const used = { records: Math.ceil(bytes / 2000), bytes };
          if (bytes <= most) {
            const tookMs = (bytes / bytesPerSecond) * 1000;
            nowMs += tookMs + 50;
            delivered += bytes;
            pace = confirmed(pace, used, tookMs, TIMEOUT_MS, nowMs);
          } else {
            nowMs += TIMEOUT_MS;
            repeated += bytes;
            pace = timedOut(pace, used, nowMs);
          }
        }
        expect(repeated / (repeated + delivered)).toBeLessThan(0.05);
      }),
      { numRuns: 20 },
    );
  });
});
