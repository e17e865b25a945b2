import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { abortError, isAbort, orAbort, wait } from '../../src/lib/wait.ts';

const never = new Promise<never>(() => {});

describe('wait()', () => {
  it('ends by itself', async () => {
    await expect(wait(1)).resolves.toBeUndefined();
    await expect(wait(1, new AbortController().signal)).resolves.toBeUndefined();
  });

  it.each([
    ['during the wait', false],
    ['before it', true],
  ])('throws an AbortError at a signal %s, and leaves no listener', async (_, before) => {
    const stop = new AbortController();
    if (before) stop.abort(new Error('why'));
    const waiting = wait(2 ** 30, stop.signal);
    stop.abort(new Error('why'));
    const error = await waiting.catch((reason: unknown) => reason);
    expect(isAbort(error)).toBe(true);
    expect(getEventListeners(stop.signal, 'abort')).toEqual([]);
  });
});

describe('orAbort()', () => {
  it('settles with the promise', async () => {
    const { signal } = new AbortController();
    await expect(orAbort(Promise.resolve(7), signal)).resolves.toBe(7);
    await expect(orAbort(Promise.reject(new Error('no')), signal)).rejects.toThrow('no');
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('throws an AbortError at the signal, which tells the reason', async () => {
    const stop = new AbortController();
    const reason = new Error('the sink broke');
    const waiting = orAbort(never, stop.signal);
    stop.abort(reason);
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError', cause: reason });
  });

  it('throws when the signal has been given already, even if the promise is settled', async () => {
    await expect(orAbort(Promise.resolve(7), AbortSignal.abort())).rejects.toMatchObject({
      name: 'AbortError',
    });
  });

  it('swallows what the promise throws after the signal', async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => void unhandled.push(reason);
    process.on('unhandledRejection', note);
    const late = Promise.withResolvers<never>();
    await orAbort(late.promise, AbortSignal.abort()).catch(() => {});
    late.reject(new Error('late'));
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });
});

describe('isAbort()', () => {
  it.each([
    ['our own', abortError(AbortSignal.abort()), true],
    ["the platform's", AbortSignal.abort().reason, true],
    ['a time-out', new DOMException('late', 'TimeoutError'), false],
    ['another error', new Error('AbortError'), false],
    ['an object that says so', { name: 'AbortError' }, false],
    ['nothing', undefined, false],
  ])('knows %s', (_, error, expected) => {
    expect(isAbort(error)).toBe(expected);
  });
});
