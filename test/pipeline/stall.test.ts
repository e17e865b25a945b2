import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { UnavailableError } from '../../src/core/errors.ts';
import { wait } from '../../src/lib/wait.ts';
import { Activity, unlessStalled } from '../../src/pipeline/stall.ts';

const MINUTE = 60_000;
/** By the clock of the test. */
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('unlessStalled()', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  /** A task that may be silent for ten minutes. */
  function scene(task: (signal: AbortSignal, activity: Activity) => Promise<void>) {
    const activity = new Activity(() => performance.now());
    const stop = new AbortController();
    const options = { activity, limitMs: 10 * MINUTE, signal: stop.signal };
    const ended = unlessStalled((signal) => task(signal, activity), options).then(
      () => 'ended',
      (error: Error) => error,
    );
    let result: unknown;
    void ended.then((how) => {
      result = how;
    });
    return { stop, ended, result: () => result, pass: (ms: number) => vi.advanceTimersByTimeAsync(ms) };
  }

  it('G25: gives up a task that does nothing, also when it does not heed its signal', async () => {
    let given: AbortSignal | undefined;
    const { result, pass } = scene((signal) => {
      given = signal;
      return new Promise(() => {});
    });
    await pass(9 * MINUTE);
    expect(result()).toBeUndefined();
    await pass(2 * MINUTE);
    expect(result()).toBeInstanceOf(UnavailableError);
    expect(result()).toMatchObject({
      reason: 'timeout',
      message: 'stalled: nothing was done for 10m, and no reason to wait is known; starting again',
    });
    expect(given!.aborted).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('leaves one alone that does something now and then', async () => {
    const { result, pass } = scene(async (_, activity) => {
      for (let time = 0; time < 6; time++) {
        await pause(9 * MINUTE);
        activity.note();
      }
    });
    await pass(53 * MINUTE);
    expect(result()).toBeUndefined();
    await pass(MINUTE);
    expect(result()).toBe('ended');
  });

  it('leaves one alone that waits for a reason, and looks again afterwards', async () => {
    const room = Promise.withResolvers<void>();
    const { result, pass } = scene(async (_, activity) => {
      activity.note(30 * MINUTE);
      await pause(30 * MINUTE);
      await activity.during(room.promise);
      await new Promise(() => {});
    });
    await pass(90 * MINUTE);
    expect(result()).toBeUndefined();
    room.resolve();
    await pass(9 * MINUTE);
    expect(result()).toBeUndefined();
    await pass(2 * MINUTE);
    expect(result()).toBeInstanceOf(UnavailableError);
  });

  it('passes on what the task throws, and its end at the signal', async () => {
    const broken = scene(() => Promise.reject(new Error('broken')));
    expect(await broken.ended).toMatchObject({ message: 'broken' });
    const stopped = scene((signal) => wait(MINUTE, signal));
    stopped.stop.abort();
    expect(await stopped.ended).toMatchObject({ name: 'AbortError' });
    expect(vi.getTimerCount()).toBe(0);
  });
});
