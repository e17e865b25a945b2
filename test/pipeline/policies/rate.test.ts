import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Rate } from '../../../src/pipeline/policies/rate.ts';

const never = new AbortController().signal;

/** A rate whose waiting takes no time but lets its clock go on. */
function aRate(perSecond: number) {
  const clock = { ms: 0, waited: [] as number[] };
  const rate = new Rate(
    perSecond,
    () => clock.ms,
    async (ms) => {
      clock.ms += ms;
      clock.waited.push(ms);
    },
  );
  return { rate, clock };
}

describe('Rate', () => {
  it('never waits without a limit', async () => {
    const { rate, clock } = aRate(0);
    await rate.take(1_000_000, never);
    expect(clock.waited).toEqual([]);
    expect(rate.burst).toBe(Number.POSITIVE_INFINITY);
  });

  it('lets a tenth of a second go at once, and then keeps to the rate', async () => {
    const { rate, clock } = aRate(100);
    expect(rate.burst).toBe(10);
    await rate.take(10, never);
    expect(clock.ms).toBe(0);
    for (let count = 0; count < 20; count++) await rate.take(10, never);
    expect(clock.ms).toBe(2_000);
  });

  it('lets the parts of a record travel together, and pays for them by waiting', async () => {
    const { rate, clock } = aRate(10);
    await rate.take(25, never);
    expect(clock.ms).toBe(2_400);
    await rate.take(1, never);
    expect(clock.ms).toBe(2_500);
  });

  it('keeps rates below one a second', async () => {
    const { rate, clock } = aRate(0.5);
    expect(rate.burst).toBe(1);
    for (let count = 0; count < 3; count++) await rate.take(1, never);
    expect(clock.ms).toBe(4_000);
  });

  it('saves nothing up while it is idle, and is not led astray by a clock that is set back', async () => {
    const { rate, clock } = aRate(100);
    clock.ms += 3_600_000;
    await rate.take(10, never);
    clock.ms -= 7_200_000;
    await rate.take(10, never);
    expect(clock.waited).toEqual([100]);
  });

  it('ends waiting at the signal', async () => {
    const stop = new AbortController();
    const rate = new Rate(1, () => 0);
    await rate.take(1, never);
    const waiting = rate.take(3_600, stop.signal);
    stop.abort();
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('whatever is sent when, never goes above the rate by more than what goes at once', async () => {
    const send = fc.record({
      events: fc.integer({ min: 1, max: 40 }),
      pauseMs: fc.integer({ min: 0, max: 500 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 200 }), fc.array(send), async (perSecond, sends) => {
        const { rate, clock } = aRate(perSecond);
        const sent: { ms: number; events: number }[] = [];
        for (const { events, pauseMs } of sends) {
          clock.ms += pauseMs;
          await rate.take(events, never);
          sent.push({ ms: clock.ms, events });
        }
        // From any send to any later one: the last is what goes at once.
        for (const [first, { ms }] of sent.entries()) {
          let since = 0;
          for (const later of sent.slice(first + 1)) {
            since += later.events;
            expect(since).toBeLessThanOrEqual(rate.burst + ((later.ms - ms) * perSecond) / 1000 + 1e-6);
          }
        }
      }),
    );
  });
});
