import { describe, expect, it, vi } from 'vitest';
import { abortError } from '../../src/lib/wait.ts';
import { type Priority, priorities, Quota } from '../../src/net/quota.ts';

const minute = 60_000;

/** Time that passes only where somebody waits for it; the earliest of those who wait goes on. */
const clock = vi.hoisted(() => {
  const waiting: { until: number; go: () => void }[] = [];
  const time = {
    now: 0,
    waiting,
    wait: (ms: number, signal: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        waiting.push({ until: time.now + ms, go: resolve });
        signal.addEventListener('abort', () => reject(abortError(signal)), { once: true });
      }),
    async pass(until: number) {
      for (;;) {
        // Whoever has just been woken first says what they wait for next.
        await new Promise(setImmediate);
        waiting.sort((a, b) => a.until - b.until);
        const next = waiting[0];
        if (!next || next.until > until) break;
        waiting.shift();
        time.now = Math.max(time.now, next.until);
        next.go();
      }
      time.now = until;
    },
  };
  return time;
});

vi.mock(import('../../src/lib/wait.ts'), async (original) => ({
  ...(await original()),
  wait: (ms, signal) => clock.wait(ms, signal!),
}));

/** A quota, and who asks it again and again until `until`; the times at which each was let in. */
async function scene(perMinute: number, askers: readonly Priority[], until: number) {
  clock.now = 0;
  clock.waiting.length = 0;
  const stop = new AbortController();
  const quota = new Quota(perMinute, () => clock.now);
  const turns = Object.fromEntries(priorities.map((each) => [each, [] as number[]])) as Record<
    Priority,
    number[]
  >;
  const asking = askers.map(async (priority) => {
    while (!stop.signal.aborted && clock.now < until) {
      await quota.turn(priority, stop.signal);
      turns[priority].push(clock.now);
      await clock.wait(7, stop.signal);
    }
  });
  await clock.pass(until);
  stop.abort();
  await Promise.allSettled(asking);
  return turns;
}

/** Most of these times in any minute, wherever it begins. */
function busiest(times: readonly number[]): number {
  const sorted = times.toSorted((a, b) => a - b);
  return Math.max(0, ...sorted.map((from) => sorted.filter((at) => at >= from && at < from + minute).length));
}

describe('the quota', () => {
  it.each(priorities)(
    'R7, G10: holds in each minute, wherever it begins, also for %s alone',
    async (priority) => {
      const turns = await scene(20, [priority, priority, priority], 5 * minute);
      expect(busiest(turns[priority])).toBeLessThanOrEqual(20);
      expect(turns[priority].length).toBeGreaterThan(4 * 20 * 0.6);
    },
  );

  it('R7: holds for all of them together, and keeps room for what is more urgent', async () => {
    const turns = await scene(20, priorities, 5 * minute);
    expect(busiest(Object.values(turns).flat())).toBeLessThanOrEqual(20);
    const counts = priorities.map((priority) => turns[priority].length);
    expect(counts[0]).toBeGreaterThan(counts[4]!);
  });

  it('R7: fills half of it in the first minute, for the process before may have used it up', async () => {
    const turns = await scene(20, ['poll', 'poll'], 3 * minute);
    const until = (end: number) => turns.poll.filter((at) => at < end).length;
    expect([until(minute), until(2 * minute)]).toEqual([10, 30]);
  });

  it('R7: lets a poll in at once, however much else is asked for', async () => {
    const stop = new AbortController();
    clock.now = 0;
    clock.waiting.length = 0;
    const quota = new Quota(20, () => clock.now);
    const others = priorities.slice(1).map(async (priority) => {
      for (;;) await quota.turn(priority, stop.signal);
    });
    await clock.pass(10_000);
    expect(clock.waiting).toHaveLength(4);
    let isIn = false;
    const poll = quota.turn('poll', stop.signal).then(() => {
      isIn = true;
    });
    await new Promise(setImmediate);
    expect(isIn).toBe(true);
    await poll;
    stop.abort();
    await Promise.allSettled(others);
  });

  it('lets at least one in, however small it is', async () => {
    const turns = await scene(1, ['reconcile'], 3 * minute);
    expect(turns.reconcile.length).toBeGreaterThanOrEqual(2);
    expect(busiest(turns.reconcile)).toBe(1);
  });

  it('ends with an AbortError at the signal, and counts nothing for it', async () => {
    clock.now = 0;
    clock.waiting.length = 0;
    const quota = new Quota(1, () => clock.now);
    const stop = new AbortController();
    await quota.turn('poll', stop.signal);
    const waiting = quota.turn('poll', stop.signal);
    stop.abort();
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
    clock.waiting.length = 0;
    clock.now = minute;
    await quota.turn('poll', new AbortController().signal);
    expect(clock.waiting).toEqual([]);
  });
});
