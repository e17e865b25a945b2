import { describe, expect, it } from 'vitest';
import { runTogether } from '../../src/lib/group.ts';
import { abortError, wait } from '../../src/lib/wait.ts';

const untilStopped = (signal: AbortSignal) => wait(2 ** 30, signal);

describe('runTogether()', () => {
  it('stops all at the signal, and ends well', async () => {
    const stop = new AbortController();
    const running = runTogether([untilStopped, untilStopped], stop.signal);
    stop.abort();
    await expect(running).resolves.toBeUndefined();
  });

  it('ends well when the signal came before it began', async () => {
    await expect(runTogether([untilStopped], AbortSignal.abort())).resolves.toBeUndefined();
  });

  it('lets the others go on when one ends well', async () => {
    const stop = new AbortController();
    let other = 'running';
    const running = runTogether(
      [async () => {}, (signal) => untilStopped(signal).finally(() => (other = 'stopped'))],
      stop.signal,
    );
    await new Promise(setImmediate);
    expect(other).toBe('running');
    stop.abort();
    await running;
    expect(other).toBe('stopped');
  });

  it('stops the rest at the first failure, waits for them, and throws it', async () => {
    let other = 'running';
    const slow = async (signal: AbortSignal) => {
      await untilStopped(signal).catch(() => {});
      await new Promise(setImmediate);
      other = 'ended';
    };
    const failing = async () => {
      throw new Error('the journal is lost');
    };
    await expect(runTogether([slow, failing], new AbortController().signal)).rejects.toThrow(
      'the journal is lost',
    );
    expect(other).toBe('ended');
  });

  it('survives a task that throws before it has begun', async () => {
    const failing = () => {
      throw new Error('at once');
    };
    await expect(runTogether([failing, untilStopped], new AbortController().signal)).rejects.toThrow(
      'at once',
    );
  });

  it('tells all failures when there were several', async () => {
    const failing = (text: string) => async () => {
      throw new Error(text);
    };
    const running = runTogether([failing('one'), failing('two')], new AbortController().signal);
    await expect(running).rejects.toMatchObject({ errors: [new Error('one'), new Error('two')] });
  });

  it('tells one failure once that several have met', async () => {
    const lost = new Error('the journal is lost');
    const failing = () => Promise.reject(lost);
    await expect(runTogether([failing, failing], new AbortController().signal)).rejects.toBe(lost);
  });

  it('takes an AbortError for a failure when nobody asked for the end', async () => {
    // A library's own, say of its time-out: the relay must not end as if all were well.
    const failing = async () => {
      throw abortError(AbortSignal.abort());
    };
    await expect(runTogether([failing, untilStopped], new AbortController().signal)).rejects.toThrow(
      'stopped',
    );
  });

  it('tells a failure that comes after the signal', async () => {
    const stop = new AbortController();
    const running = runTogether(
      [
        async (signal) => {
          await untilStopped(signal).catch(() => {});
          throw new Error('the last commit failed');
        },
      ],
      stop.signal,
    );
    stop.abort();
    await expect(running).rejects.toThrow('the last commit failed');
  });
});
