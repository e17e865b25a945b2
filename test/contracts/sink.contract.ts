import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UnavailableError } from '../../src/core/errors.ts';
import type { Rendered, Sink } from '../../src/core/sink.ts';
import { isAbort } from '../../src/lib/wait.ts';
import type { LogLine } from '../support/log.ts';
import { aRecord } from '../support/records.ts';
import { utf8 } from '../support/utf8.ts';

/** A sink and the far end that it sends to. */
export interface SinkHarness {
  readonly sink: Sink;
  /** Events that the far end has got, in order, as `messages` gives them. */
  arrived(): readonly string[];
  /** From now on the far end takes nothing, and what it has not answered for it never will. @param how one of `failures` */
  breakDown(how?: string): void;
  /** From now on the far end refuses this message, and takes all others. Absent where it has no way to say so. */
  refuse?(message: string): void;
  /** What may stand in no message, of a sink that shows who it is. */
  readonly secrets?: readonly string[];
  /** What the sink has logged. */
  readonly lines?: readonly LogLine[];
  /** The far end is back. Absent where it cannot come back. */
  mend?(): void;
  /** Lets go of the far end, after the sink has been closed. */
  stop(): Promise<void>;
}

export interface SinkTraits {
  /** A send is confirmed by the time it resolves, so there is nothing that a failure could leave unconfirmed. */
  readonly confirmsAtOnce: boolean;
  /** A receipt promises nothing: what was sent arrives some time later, and a failure is heard of with a later send. */
  readonly promisesNothing?: boolean;
  /** Further ways in which the far end breaks down. */
  readonly failures?: readonly string[];
}

/** Rendered records with events that tell which they are: `event 1`, `event 2`, … */
export function rendered(count: number, from = 1, text = (number: number) => `event ${number}`): Rendered[] {
  return Array.from({ length: count }, (_, index) => {
    const sequence = from + index;
    return {
      record: aRecord({ id: `alert-${sequence}` }),
      stream: 12_345,
      sequence,
      events: utf8(text(sequence)),
    };
  });
}

const never = new AbortController().signal;

/** What every sink promises (`core/sink.ts`), as code. `start` gives a sink that has not been opened. */
export function describeSinkContract(
  name: string,
  traits: SinkTraits,
  start: () => Promise<SinkHarness>,
): void {
  describe(`${name} sink contract`, () => {
    let harness: SinkHarness;
    let sink: Sink;
    const unhandled: unknown[] = [];
    const onUnhandled = (reason: unknown) => void unhandled.push(reason);

    beforeEach(async () => {
      unhandled.length = 0;
      process.on('unhandledRejection', onUnhandled);
      harness = await start();
      sink = harness.sink;
    });

    afterEach(async () => {
      await sink.close();
      await harness.stop();
      await twoTurns();
      process.off('unhandledRejection', onUnhandled);
      expect(unhandled).toEqual([]);
    });

    const messages = (batch: readonly Rendered[]) => batch.flatMap((one) => sink.messages(one).map(String));
    const expectArrived = async (expected: readonly string[]) => {
      if (traits.promisesNothing) await expect.poll(() => harness.arrived()).toEqual(expected);
      else expect(harness.arrived()).toEqual(expected);
    };

    it('close() is safe without open() and safe twice', async () => {
      await sink.close();
      await sink.close();
    });

    it('open() is a no-op when open', async () => {
      await sink.open(never);
      await sink.open(never);
      const receipt = await sink.send(rendered(1), never);
      await sink.confirm(never);
      await receipt.confirmed;
      await expectArrived(messages(rendered(1)));
    });

    it('open() rejects at once when already aborted', async () => {
      await expect(sink.open(AbortSignal.abort())).rejects.toSatisfy(isAbort);
    });

    it('send() delivers in order and accounts for every record', async () => {
      await sink.open(never);
      const batches = [rendered(3), rendered(1, 4), rendered(200, 5)];
      const receipts = [];
      for (const batch of batches) receipts.push(await sink.send(batch, never));
      await sink.confirm(never);
      for (const { confirmed } of receipts) expect(await confirmed).toEqual({ refused: [] });
      await expectArrived(messages(batches.flat()));
    });

    it('send() keeps the parts of a record together', async () => {
      await sink.open(never);
      const [record] = rendered(1);
      const batch = [{ ...record!, events: utf8('part 1', 'part 2') }, ...rendered(1, 3)];
      const receipt = await sink.send(batch, never);
      await sink.confirm(never);
      await receipt.confirmed;
      await expectArrived(messages(batch));
      expect(harness.arrived()).toHaveLength(3);
    });

    it('what the far end refuses is named, and all else is delivered, in order', async ({ skip }) => {
      if (!harness.refuse) return skip('it cannot refuse');
      const batches = [rendered(20), rendered(3, 21)];
      const [bad] = messages(rendered(1, 8));
      harness.refuse(bad!);
      await sink.open(never);
      const receipts = [];
      for (const batch of batches) receipts.push(await sink.send(batch, never));
      await sink.confirm(never);
      const results = await Promise.all(receipts.map(({ confirmed }) => confirmed));
      const reason = expect.stringMatching(/^(rejected|too-large)$/);
      expect(results).toMatchObject([{ refused: [{ index: 7, reason }] }, { refused: [] }]);
      expect(harness.arrived()).toEqual(messages(batches.flat()).filter((message) => message !== bad));
    });

    it('send() rejects at once when already aborted, and sends nothing', async () => {
      await sink.open(never);
      await expect(sink.send(rendered(1), AbortSignal.abort())).rejects.toSatisfy(isAbort);
      const receipt = await sink.send(rendered(1, 2), never);
      await sink.confirm(never);
      await receipt.confirmed;
      await expectArrived(messages(rendered(1, 2)));
    });

    it('send() ends when it is aborted midway, and all can be sent again', async () => {
      await sink.open(never);
      const stop = new AbortController();
      const ended = sink.send(rendered(50), stop.signal).catch((error: unknown) => error);
      stop.abort();
      const outcome = await ended;
      if (outcome instanceof Error) expect(outcome).toSatisfy(isAbort);
      await sink.close();
      await sink.open(never);
      const receipt = await sink.send(rendered(50), never);
      await sink.confirm(never);
      expect(await receipt.confirmed).toEqual({ refused: [] });
      await expect.poll(() => harness.arrived().slice(-50)).toEqual(messages(rendered(50)));
    });

    it('send() rejects when the sink is not open', async () => {
      await expect(sink.send(rendered(1), never)).rejects.toThrow(UnavailableError);
      await sink.open(never);
      await sink.close();
      await expect(sink.send(rendered(1), never)).rejects.toThrow(UnavailableError);
    });

    it('open() after close() works again', async () => {
      await sink.open(never);
      await sink.close();
      await sink.open(never);
      const receipt = await sink.send(rendered(2), never);
      await sink.confirm(never);
      await receipt.confirmed;
      await expectArrived(messages(rendered(2)));
    });

    it('confirm() resolves with nothing written, and without open()', async () => {
      await sink.confirm(never);
      await sink.open(never);
      await sink.confirm(never);
      await sink.confirm(never);
    });

    it('a last confirm() confirms, and nothing is lost by a send that comes all the same', async () => {
      await sink.open(never);
      const first = await sink.send(rendered(2), never);
      await sink.confirm(never, { isLast: true });
      expect(await first.confirmed).toEqual({ refused: [] });
      const second = await sink.send(rendered(2, 3), never);
      await sink.confirm(never, { isLast: true });
      expect(await second.confirmed).toEqual({ refused: [] });
      await expect.poll(() => harness.arrived()).toEqual(messages(rendered(4)));
    });

    it('confirm() may be called while a send runs', async () => {
      await sink.open(never);
      const sends = [sink.send(rendered(50), never)];
      const confirm = sink.confirm(never);
      await Promise.all([...sends, confirm]);
      await sink.confirm(never);
      for (const send of sends) await (await send).confirmed;
      await expectArrived(messages(rendered(50)));
    });

    it('receipts settle in the order of the sends', async () => {
      await sink.open(never);
      const settled: number[] = [];
      const receipts = [];
      for (const index of [0, 1, 2, 3]) {
        const { confirmed } = await sink.send(rendered(1, index + 1), never);
        receipts.push(confirmed.then(() => settled.push(index)));
        if (index === 1) void sink.confirm(never);
      }
      await sink.confirm(never);
      await Promise.all(receipts);
      expect(settled).toEqual([0, 1, 2, 3]);
    });

    it.each(['failure', ...(traits.failures ?? [])])(
      'S11, S13: a %s is seen: everything unconfirmed rejects, or the send does, and no message has a secret',
      async (how) => {
        const failures: unknown[] = [];
        const expectFailure = async (promise: Promise<unknown>) => {
          const failure = await promise.then(
            () => undefined,
            (error: unknown) => error,
          );
          failures.push(failure);
          expect(failure).toBeInstanceOf(UnavailableError);
        };
        await sink.open(never);
        const receipts = traits.confirmsAtOnce
          ? []
          : [await sink.send(rendered(1), never), await sink.send(rendered(1, 2), never)];
        harness.breakDown(how);
        if (traits.promisesNothing && traits.confirmsAtOnce) {
          await expect
            .poll(() => sink.send(rendered(1), never).catch((error) => error))
            .toBeInstanceOf(UnavailableError);
        } else if (traits.confirmsAtOnce) {
          await expectFailure(sink.send(rendered(1), never));
        } else {
          for (const { confirmed } of receipts) await expectFailure(confirmed);
          // What comes later must not overtake what has to be sent again.
          await expectFailure(sink.send(rendered(1, 3), never));
        }
        const told = inspect([failures, harness.lines, sink.notes?.()], { depth: 20, showHidden: true });
        for (const secret of harness.secrets ?? []) expect(told).not.toContain(secret);
        if (!harness.mend) return;
        harness.mend();
        await sink.open(never);
        const again = await sink.send(rendered(3), never);
        await sink.confirm(never);
        await again.confirmed;
        await expect.poll(() => harness.arrived().slice(-3)).toEqual(messages(rendered(3)));
      },
    );

    it.runIf(!traits.confirmsAtOnce)(
      'close() rejects what is unconfirmed, and nobody has to listen',
      async () => {
        await sink.open(never);
        const heard = await sink.send(rendered(1), never);
        await sink.send(rendered(1, 2), never);
        const outcome = expect(heard.confirmed).rejects.toThrow(UnavailableError);
        await sink.close();
        await outcome;
      },
    );

    it('messages() fit in their text and `headerBytes`, and never span lines', () => {
      const [one] = rendered(1, 2 ** 40, () => 'CEF:0|é\r\nforged\n');
      const [message] = sink.messages(one!);
      expect(String(message)).not.toMatch(/[\r\n]/);
      expect(message!.length).toBeLessThanOrEqual(one!.events[0]!.length + sink.headerBytes);
    });
  });
}

/** Long enough for Node to have told of a rejection that nobody handles. */
async function twoTurns(): Promise<void> {
  await new Promise(setImmediate);
  await new Promise(setImmediate);
}
