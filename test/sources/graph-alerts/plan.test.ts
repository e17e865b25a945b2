import { describe, expect, it } from 'vitest';
import { ticksOfMs } from '../../../src/core/ticks.ts';
import {
  type Checkpoint,
  firstCheckpoint,
  formatCheckpoint,
  parseCheckpoint,
} from '../../../src/sources/graph-alerts/checkpoint.ts';
import {
  narrower,
  nextWindow,
  type Pace,
  Streak,
  suspicious,
  wider,
} from '../../../src/sources/graph-alerts/pace.ts';
import {
  advanced,
  changesAside,
  describe as describeCheckpoint,
  floorOf,
  pastAside,
  polled,
  pollFrom,
  setAside,
  takenBack,
  urgent,
  withDue,
} from '../../../src/sources/graph-alerts/plan.ts';
import { divided, filterOf } from '../../../src/sources/graph-alerts/slice.ts';
import { at } from '../../support/model-graph.ts';

const noon = Date.parse('2025-03-04T12:00:00Z');
const minute = 60_000;
const hour = 60 * minute;
const depths = {
  settle: 10_000,
  overlap: 10 * minute,
  sweep: { every: hour, window: 24 * hour },
  compared: 48 * hour,
};

const tick = (time: string) => ({ from: at(time), to: at(time) + 1n, retryAt: 0 });

const checkpoint: Checkpoint = {
  start: at('00:00:00'),
  watermark: at('11:59:00'),
  readAt: { overlap: noon, sweep: noon },
  open: [{ kind: 'backfill', from: at('01:00:00'), to: at('11:00:00'), begun: noon }],
  unreadable: [{ from: at('02:00:00'), to: at('02:00:00') + 1n, retryAt: noon }],
};

describe('a checkpoint', () => {
  it('comes back as it was', () => {
    expect(parseCheckpoint(formatCheckpoint(checkpoint))).toEqual(checkpoint);
    expect(parseCheckpoint(formatCheckpoint(firstCheckpoint(-5n, at('12:00:00'), noon))).start).toBe(0n);
  });

  it('of version 2, which set aside single times only, is read', () => {
    const text = formatCheckpoint(checkpoint)
      .replace('"version":3', '"version":2')
      .replace(/"unreadable":\[.*\]/, `"unreadable":[{"at":"${at('02:00:00')}","retryAt":${noon}}]`);
    expect(parseCheckpoint(text)).toEqual(checkpoint);
  });

  it.each([
    ['nothing', 'null', 'not a JSON object'],
    ['another version', '{"version":7}', 'version is 7'],
    [
      'a number in the place of ticks',
      formatCheckpoint(checkpoint).replace(/"start":"\d+"/, '"start":5'),
      'start',
    ],
    ['an unknown range', formatCheckpoint(checkpoint).replace('backfill', 'holes'), 'unknown kind, "holes"'],
    ['a range without its end', formatCheckpoint(checkpoint).replace(/,"to":"\d+"/, ''), 'its to'],
    [
      'no time of a reading',
      formatCheckpoint(checkpoint).replace(/"sweep":\d+/, '"sweep":null'),
      'its sweep',
    ],
    ['no list', formatCheckpoint(checkpoint).replace(/"unreadable":\[.*\]/, '"unreadable":{}'), 'not a list'],
  ])('G15: is refused when it is %s', (_, text, why) => {
    expect(() => parseCheckpoint(text)).toThrow(why);
  });

  it('of a first start polls from now on and backfills what is before', () => {
    const first = firstCheckpoint(at('06:00:00'), at('12:00:00'), noon);
    expect(first.watermark).toBe(at('12:00:00'));
    expect(first.open).toEqual([{ kind: 'backfill', from: at('06:00:00'), to: at('12:00:00'), begun: noon }]);
  });

  it('of a first start that begins in the future reads nothing that is older', () => {
    const first = firstCheckpoint(at('18:00:00'), at('12:00:00'), noon);
    expect(first).toMatchObject({ watermark: at('18:00:00'), open: [] });
    expect(pollFrom(first, depths)).toBe(at('18:00:00'));
  });

  it('is described for people', () => {
    expect(describeCheckpoint(checkpoint)).toBe(
      'goes on from 2025-03-04T11:59:00Z; backfill open from 2025-03-04T01:00:00Z to 2025-03-04T11:00:00Z; ' +
        '1 unreadable times set aside',
    );
  });
});

describe('a poll', () => {
  it('begins `settle` behind the watermark, never before the start, and behind what was set aside', () => {
    expect(pollFrom(checkpoint, depths)).toBe(at('11:58:50'));
    expect(pollFrom({ ...checkpoint, start: at('11:58:55') }, depths)).toBe(at('11:58:55'));
    expect(pollFrom(setAside(checkpoint, tick('11:58:52')), depths)).toBe(at('11:58:52') + 1n);
  });

  it('moves the watermark to the greatest revision, whatever the order', () => {
    const revisions = [at('11:59:20'), at('11:59:40'), at('11:59:10')];
    expect(polled(checkpoint, { dateMs: noon, revisions }, depths).watermark).toBe(at('11:59:40'));
  });

  it('G4: sees the difference of a tick', () => {
    const revisions = [at('11:59:40'), at('11:59:40') + 1n];
    expect(polled(checkpoint, { dateMs: noon, revisions }, depths).watermark).toBe(at('11:59:40') + 1n);
  });

  it('follows the server’s time at the distance of `overlap` in a quiet tenant', () => {
    const quiet = { ...checkpoint, watermark: at('03:00:00') };
    expect(polled(quiet, { dateMs: noon, revisions: [] }, depths).watermark).toBe(at('11:50:00'));
  });

  it('is never moved past the server’s time, back, past the window that was read, or without a Date', () => {
    const future = [at('23:00:00')];
    expect(polled(checkpoint, { dateMs: noon, revisions: future }, depths).watermark).toBe(at('11:59:00'));
    expect(polled(checkpoint, { dateMs: noon - hour, revisions: [] }, depths).watermark).toBe(at('11:59:00'));
    const behind = { ...checkpoint, watermark: at('03:00:00') };
    const upTo = at('04:00:00');
    expect(polled(behind, { dateMs: noon, revisions: [] }, depths, upTo).watermark).toBe(upTo);
    expect(polled(checkpoint, { dateMs: undefined, revisions: [at('11:59:50')] }, depths)).toBe(checkpoint);
  });
});

describe('what is due', () => {
  const idle = { ...checkpoint, open: [], unreadable: [] };

  it('G1: overlap every half of it, from the last such reading or the watermark, whichever is older', () => {
    expect(withDue(idle, depths, noon + 5 * minute - 1).open).toEqual([]);
    expect(withDue(idle, depths, noon + 5 * minute).open).toEqual([
      { kind: 'overlap', from: at('11:49:00'), to: at('11:59:00'), begun: noon + 5 * minute },
    ]);
    // The watermark has moved on since, by hours where a poll had to wait out an outage.
    const moved = { ...idle, watermark: at('18:00:00') };
    expect(withDue(moved, depths, noon + 6 * hour).open).toMatchObject([
      { kind: 'overlap', from: at('11:50:00') },
      { kind: 'sweep', from: at('00:00:00') },
    ]);
  });

  it('again when a clock went back, and not twice while it is open', () => {
    const due = withDue(idle, depths, noon - hour);
    expect(due.open.map(({ kind }) => kind)).toEqual(['overlap', 'sweep']);
    expect(withDue(due, depths, noon + hour)).toBe(due);
  });

  it('is noted by the time at which it began, once it is done', () => {
    const due = withDue(idle, depths, noon + 5 * minute);
    const half = advanced(due, due.open[0]!, at('11:52:00'));
    expect(half.open[0]).toMatchObject({ from: at('11:52:00') });
    const whole = advanced(half, half.open[0]!, at('11:59:00'));
    expect(whole).toMatchObject({ open: [], readAt: { overlap: noon + 5 * minute, sweep: noon } });
  });

  it('has nothing to read before the start', () => {
    const young = { ...idle, start: at('11:59:00') };
    expect(withDue(young, depths, noon + hour)).toMatchObject({
      open: [],
      readAt: { overlap: noon + hour, sweep: noon + hour },
    });
  });

  it('comes by its urgency, and nothing waits for ever', () => {
    const kindsOf = (of: Checkpoint, nowMs: number) =>
      [0, 1, 2, 3].map((turn) => {
        const next = urgent(of, nowMs, turn);
        return next && ('kind' in next ? next.kind : 'retry');
      });
    const all = withDue({ ...checkpoint, start: 0n }, depths, noon + hour);
    expect(kindsOf(all, noon)).toEqual(['overlap', 'retry', 'overlap', 'backfill']);
    const without = takenBack(all, { from: at('02:00:00') });
    expect(kindsOf(without, noon)).toEqual(['overlap', 'backfill', 'overlap', 'sweep']);
    const long = advanced(without, without.open.find(({ kind }) => kind === 'overlap')!, at('12:00:00'));
    expect(kindsOf(long, noon)).toEqual(['backfill', 'backfill', 'sweep', 'sweep']);
    expect(kindsOf({ ...all, open: [] }, noon)).toEqual(['retry', 'retry', 'retry', 'retry']);
    expect(kindsOf({ ...all, open: [] }, noon - 1)).toEqual([undefined, undefined, undefined, undefined]);
  });
});

describe('floorOf()', () => {
  it('lies before a range that was set aside, of which some may have been told', () => {
    const from = at('00:00:00') - ticks(900 * hour);
    const aside = (to: bigint) => setAside(checkpoint, { from, to, retryAt: 0 });
    expect(floorOf(aside(from + 2n), depths)).toBe(from - ticks(hour));
    expect(floorOf(aside(from + 1n), depths)).toBe(floorOf(checkpoint, depths));
  });

  it('lies before everything that may still be asked for', () => {
    const depth = { ...depths, sweep: { every: hour, window: 72 * hour } };
    expect(floorOf(checkpoint, depth)).toBe(at('11:59:00') - ticks(73 * hour));
    expect(floorOf(checkpoint, depths)).toBe(at('11:59:00') - ticks(49 * hour));
    const old = {
      kind: 'backfill',
      from: at('00:00:00') - ticks(900 * hour),
      to: at('01:00:00'),
      begun: 0,
    } as const;
    expect(floorOf({ ...checkpoint, open: [old] }, depths)).toBe(old.from - ticks(hour));
  });
});

const ticks = (ms: number): bigint => ticksOfMs(ms) - ticksOfMs(0);

describe('setAside()', () => {
  const none = { ...checkpoint, unreadable: [] };

  it('makes one of what touches, due when the first of it is', () => {
    const [a, b] = [
      { from: 5n, to: 6n, retryAt: 20 },
      { from: 6n, to: 9n, retryAt: 10 },
    ];
    const { unreadable } = setAside(none, b, a);
    expect(unreadable).toEqual([{ from: 5n, to: 9n, retryAt: 10 }]);
    expect(takenBack({ ...none, unreadable }, a).unreadable).toEqual([]);
  });

  it('makes one of what lies nearest to each other, where there is too much', () => {
    const many = Array.from({ length: 100 }, (_, n) => ({
      from: BigInt(n) * 100n,
      to: BigInt(n) * 100n + 1n,
      retryAt: n,
    }));
    const full = setAside(none, ...many);
    expect(full.unreadable).toHaveLength(100);
    const more = setAside(full, { from: 4_250n, to: 4_260n, retryAt: 200 });
    expect(more.unreadable).toHaveLength(100);
    expect(changesAside(full, more)).toEqual({
      added: [{ from: 4_250n, to: 4_301n, retryAt: 43 }],
      gone: [4_300n],
    });
    expect(changesAside(more, full).gone).toEqual([4_250n]);
  });
});

describe('pastAside()', () => {
  it('goes round what was set aside, in whatever order', () => {
    const { to: from } = tick('02:00:00');
    const two = setAside(checkpoint, { from, to: from + 1n, retryAt: 0 });
    expect(pastAside(two, at('01:00:00'), at('03:00:00'))).toEqual({
      from: at('01:00:00'),
      end: at('02:00:00'),
    });
    expect(pastAside(two, at('02:00:00'), at('03:00:00'))).toEqual({
      from: at('02:00:00') + 2n,
      end: at('03:00:00'),
    });
  });
});

const found = (rows: number) => ({ rows, count: rows });

describe('the pace', () => {
  const window = { from: 0n, to: 1_000n };

  it('aims at windows that fit', () => {
    const pace = { width: 1_000n, page: 100 };
    expect(wider(pace, window, found(0)).width).toBe(16_000n);
    expect(wider(pace, window, found(20)).width).toBe(3_000n);
    expect(wider(pace, window, found(80)).width).toBe(1_000n);
    expect(narrower(pace, window, { count: 1_000, page: 100 }).width).toBe(70n);
    expect(narrower(pace, window, { count: undefined, page: 100 }).width).toBe(500n);
    expect(narrower(pace, { from: 0n, to: 1n }, { count: 1_000, page: 100 }).width).toBe(1n);
  });

  it('takes the rest of a window that had too much in it, once that fits', () => {
    const crowded = narrower({ width: 1_000n, page: 100 }, window, { count: 200, page: 100 });
    const first = nextWindow(0n, 5_000n, crowded);
    expect(first).toEqual({ from: 0n, to: 350n });
    expect(nextWindow(350n, 5_000n, wider(crowded, first, found(130)))).toEqual({
      from: 350n,
      to: 1_000n,
    });
    // Where it does not, it is halved, so that a tie is come to in few windows.
    expect(nextWindow(350n, 5_000n, wider(crowded, first, found(0)))).toEqual({
      from: 350n,
      to: 675n,
    });
  });

  it('is soon done with what failed only for a moment', () => {
    let pace: Pace = suspicious({ width: 2n ** 40n, page: 100 }, { from: 0n, to: 2n ** 40n });
    let from = 0n;
    let windows = 0;
    while (from < 2n ** 40n) {
      const next = nextWindow(from, 2n ** 40n, pace);
      pace = wider(pace, next, found(0));
      from = next.to;
      windows += 1;
    }
    expect(windows).toBe(3);
  });

  it('gives a tie that shows itself a window of its own', () => {
    const tied = (from: bigint) =>
      narrower({ width: 1n, page: 100 }, { from, to: 1_000n }, { count: 200, page: 100, tie: 300n });
    expect(nextWindow(0n, 5_000n, tied(0n))).toEqual({ from: 0n, to: 300n });
    expect(nextWindow(300n, 5_000n, tied(300n))).toEqual({ from: 300n, to: 301n });
  });

  it('never asks for the same again after too much, whatever the count says', () => {
    for (const count of [undefined, 0, 1, 99, 100, 101, 1e9]) {
      const next = nextWindow(
        0n,
        5_000n,
        narrower({ width: 1_000n, page: 100 }, window, { count, page: 100 }),
      );
      expect(next.to).toBeLessThanOrEqual(500n);
    }
  });

  it('G8: comes to any tick that fails in few windows, and leaves it behind', () => {
    for (const poison of [0n, 1n, 499n, 998n, 999n]) {
      let pace: Pace = { width: 1_000n, page: 100 };
      let from = 0n;
      let windows = 0;
      const passed: bigint[] = [];
      while (from < 1_000n) {
        const next = nextWindow(from, 1_000n, pace);
        windows += 1;
        const fails = next.from <= poison && poison < next.to;
        if (fails && next.to - next.from > 1n) {
          pace = suspicious(pace, next);
          continue;
        }
        if (fails) passed.push(next.from);
        pace = fails ? { width: pace.width, page: 100 } : wider(pace, next, found(0));
        from = next.to;
      }
      expect(passed).toEqual([poison]);
      expect(windows).toBeLessThan(30);
    }
  });
});

describe('a streak of failures', () => {
  it('is narrowed down to single times at first, and then less and less, until an alert is read', () => {
    const streak = new Streak();
    const grains = Array.from({ length: 60 }, () => {
      streak.failed(0);
      return streak.grain(0);
    });
    expect(grains.slice(0, 8)).toEqual(Array(8).fill(1n));
    expect(grains.slice(8, 11)).toEqual([4n, 16n, 64n]);
    expect(grains.at(-1)).toBeGreaterThan(10n ** 17n);
    expect(streak.grain(2 * hour)).toBe(1n);
    streak.passed();
    expect(streak.grain(0)).toBe(1n);
  });
});

describe('a slice', () => {
  it('G3: asks with `ge` and ends before its end', () => {
    expect(filterOf({ from: at('11:00:00'), to: at('12:00:00') }, [])).toBe(
      'lastUpdateDateTime ge 2025-03-04T11:00:00.0000000Z and lastUpdateDateTime lt 2025-03-04T12:00:00.0000000Z',
    );
  });

  it('takes products as text that cannot leave its quotes', () => {
    expect(filterOf({ from: at('11:00:00'), product: { is: "x' or 1 eq 1" } }, [])).toMatch(
      / eq 'x'' or 1 eq 1'$/,
    );
  });

  it('G6: is divided by creation, then by product, into parts that make up the whole', () => {
    const tick = { from: 5n, to: 6n };
    const tied = [1n, 1n, 2n, 3n].map((created) => ({ created, product: 'a' }));
    expect(divided(tick, tied)).toEqual([
      { ...tick, created: { to: 2n } },
      { ...tick, created: { from: 2n } },
    ]);
    const same = ['a', 'b', ''].map((product) => ({ created: 1n, product }));
    expect(divided(tick, same)).toEqual([
      { ...tick, product: { is: 'a' } },
      { ...tick, product: { is: 'b' } },
      { ...tick, product: { not: ['a', 'b'] } },
    ]);
    expect(divided({ ...tick, product: { is: 'a' } }, [{ created: 1n, product: 'a' }])).toEqual([]);
  });
});
