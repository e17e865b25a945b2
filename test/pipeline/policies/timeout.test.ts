import { describe, expect, it } from 'vitest';
import type { Receipt, Sink } from '../../../src/core/sink.ts';
import { withTimeout } from '../../../src/pipeline/policies/timeout.ts';
import { aRecord } from '../../support/records.ts';
import { ScriptedSink } from '../../support/scripted-sink.ts';
import { utf8 } from '../../support/utf8.ts';

const never = () => new AbortController().signal;
const hang = () => new Promise<never>(() => {});
const batch = [{ record: aRecord(), stream: 7, sequence: 1, events: utf8('x') }];

/** A sink that heeds nothing, but for what the test says. */
function stubborn(overrides: Partial<Sink>): Sink {
  return Object.assign(new ScriptedSink(), overrides);
}

describe('withTimeout()', () => {
  it('gives back what a prompt sink gives', async () => {
    const inner = new ScriptedSink();
    const sink = withTimeout(inner, 10_000);
    await sink.open(never());
    const { confirmed } = await sink.send(batch, never());
    await sink.confirm(never());
    await expect(confirmed).resolves.toEqual({ refused: [] });
    await sink.close();
    expect(inner).toMatchObject({ opened: 1, closed: 1, written: batch });
    expect(sink.headerBytes).toBe(inner.headerBytes);
    expect(sink.window()).toEqual(inner.window());
    expect(sink.messages(batch[0]!)).toEqual(utf8('x'));
  });

  it.each([
    ['connecting', stubborn({ open: hang }), (sink: Sink) => sink.open(never())],
    ['sending', stubborn({ send: hang }), (sink: Sink) => sink.send(batch, never())],
  ])('S3: ends %s with a sink that heeds no signal', async (what, inner, run) => {
    await expect(run(withTimeout(inner, 5))).rejects.toMatchObject({
      name: 'UnavailableError',
      reason: 'timeout',
      message: `${what} did not end within 5 ms`,
    });
  });

  it('tells the sink that its time is over', async () => {
    let reason: unknown;
    const heeds = stubborn({
      send: (_, signal) =>
        new Promise<Receipt>((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            reason = signal.reason;
            reject(signal.reason);
          });
        }),
    });
    await expect(withTimeout(heeds, 5).send(batch, never())).rejects.toMatchObject({ reason: 'timeout' });
    expect(reason).toMatchObject({ name: 'TimeoutError' });
  });

  it('bounds one try only: the next one has its whole time', async () => {
    let sends = 0;
    const sink = withTimeout(
      stubborn({ send: () => (++sends === 1 ? hang() : Promise.resolve({ confirmed: hang() })) }),
      5,
    );
    await expect(sink.send(batch, never())).rejects.toMatchObject({ reason: 'timeout' });
    await expect(sink.send(batch, never())).resolves.toBeDefined();
  });

  it("passes on the sink's own failure as it is", async () => {
    const failure = new TypeError('a bug');
    const sink = withTimeout(stubborn({ send: () => Promise.reject(failure) }), 10_000);
    await expect(sink.send(batch, never())).rejects.toBe(failure);
  });

  it('rejects when the sink throws before it has begun', async () => {
    const inner = stubborn({
      send: () => {
        throw new TypeError('at once');
      },
    });
    await expect(withTimeout(inner, 10_000).send(batch, never())).rejects.toThrow('at once');
  });

  it('is stopped by the signal, which is not a time-out', async () => {
    const stop = new AbortController();
    const sending = withTimeout(stubborn({ send: hang }), 10_000).send(batch, stop.signal);
    stop.abort();
    await expect(sending).rejects.toMatchObject({ name: 'AbortError' });
    await expect(withTimeout(stubborn({ open: hang }), 10_000).open(stop.signal)).rejects.toMatchObject({
      name: 'AbortError',
    });
  });

  it('swallows what a sink throws after its time is over', async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => void unhandled.push(reason);
    process.on('unhandledRejection', note);
    const late = Promise.withResolvers<Receipt>();
    await withTimeout(stubborn({ send: () => late.promise }), 5)
      .send(batch, never())
      .catch(() => {});
    late.reject(new Error('late'));
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });
});
