import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UnavailableError } from '../../src/core/errors.ts';
import type { Advance, Position } from '../../src/core/journal.ts';
import type { SendResult, Sink } from '../../src/core/sink.ts';
import { delivery } from '../../src/pipeline/deliver.ts';
import { MemoryJournal } from '../support/memory-journal.ts';
import { custom, deliverOptions, records } from './delivering.ts';

const place = (index: number): Position => ({ cursor: { batch: 1, index }, stream: 8, sequence: 0 });

/**
 * A sink that keeps what it is written until the test confirms it, or until it breaks. What it was given is told as
 * id, stream and number.
 */
function aSlowSink(
  written: string[],
): Sink & { answer(result?: SendResult): void; breaks(): void; confirms: string } {
  let out: PromiseWithResolvers<SendResult>[] = [];
  let asked = Promise.withResolvers<void>();
  const all = (settle: (each: PromiseWithResolvers<SendResult>) => void) => {
    out.forEach(settle);
    out = [];
  };
  return {
    ...custom({
      async open() {
        asked = Promise.withResolvers();
        asked.promise.catch(() => {});
      },
      async send(batch) {
        written.push(...batch.map(({ record, stream, sequence }) => `${record.id} ${stream}#${sequence}`));
        const receipt = Promise.withResolvers<SendResult>();
        receipt.promise.catch(() => {});
        out.push(receipt);
        return { confirmed: receipt.promise };
      },
      confirm: () => (out.length === 0 ? Promise.resolve() : asked.promise),
      async close() {
        all(({ reject }) => reject(new UnavailableError('closed', { reason: 'network' })));
      },
    }),
    confirms: '',
    answer(result = { refused: [] }) {
      all(({ resolve }) => resolve(result));
      asked.resolve();
      asked = Promise.withResolvers();
      asked.promise.catch(() => {});
    },
    breaks: () => asked.reject(new UnavailableError('broken', { reason: 'network' })),
  };
}

function scene(count: number) {
  const journal = new MemoryJournal(records(count));
  const written: string[] = [];
  const sink = aSlowSink(written);
  const soft = new AbortController();
  const hard = new AbortController();
  const run = delivery(deliverOptions(journal, sink));
  /** One session, which ends when the sink breaks or `stop` is called. */
  const session = () => {
    const ended = run({ soft: soft.signal, hard: hard.signal }, () => {});
    ended.catch(() => {});
    return ended;
  };
  const settled = () => new Promise((resolve) => setTimeout(resolve));
  const ready = (length: number) => expect.poll(() => written).toHaveLength(length);
  const stop = () => {
    soft.abort();
    hard.abort();
  };
  return { journal, written, sink, session, ready, settled, stop };
}

describe('a sink whose backlog the journal lets go of (K6)', () => {
  it('goes on at the new place in the new stream, when it starts again', async () => {
    const { journal, written, sink, session, ready, stop } = scene(9);
    const first = session();
    await ready(9);
    journal.moved = place(5);
    sink.breaks();
    journal.append(...records(10).slice(9));
    await expect(first).rejects.toThrow('broken');
    written.length = 0;
    session();
    await ready(4);
    expect(written).toEqual(['a6 8#1', 'a7 8#2', 'a8 8#3', 'a9 8#4']);
    sink.answer();
    await expect
      .poll(() => journal.advances.at(-1))
      .toMatchObject({ cursor: { index: 9 }, stream: 8, sequence: 4 });
    stop();
  });

  it('writes on at the new place only when all that is out is confirmed', async () => {
    const { journal, written, sink, session, ready, settled, stop } = scene(3);
    session();
    await ready(3);
    journal.append(...records(9).slice(3));
    journal.moved = place(5);
    await settled();
    expect(written).toHaveLength(3);
    sink.answer();
    await ready(6);
    expect(written.slice(3)).toEqual(['a6 8#1', 'a7 8#2', 'a8 8#3']);
    expect(journal.advances.at(-1)).toMatchObject({ cursor: { index: 2 }, stream: 7 });
    stop();
  });

  it('repeats nothing when it has been given all of it already', async () => {
    const { journal, written, sink, session, ready, settled, stop } = scene(6);
    session();
    await ready(6);
    journal.moved = place(2);
    // It waits for this one already.
    journal.append(...records(7).slice(6));
    await ready(7);
    journal.append(...records(9).slice(7));
    await settled();
    expect(written).toHaveLength(7);
    sink.answer();
    await ready(9);
    expect(written.slice(6)).toEqual(['a6 7#7', 'a7 8#1', 'a8 8#2']);
    stop();
  });

  it('S6: gives no number of the new stream while a refusal is in doubt', async () => {
    const { journal, written, sink, session, ready, stop } = scene(6);
    session();
    await ready(6);
    journal.moved = place(0);
    journal.append(...records(9).slice(6));
    sink.answer({ refused: [{ index: 2, reason: 'rejected', detail: 'no' }] });
    await ready(9);
    expect(written.slice(6)).toEqual(['a6 7#7', 'a7 7#8', 'a8 7#9']);
    sink.answer();
    journal.append(...records(10).slice(9));
    await ready(10);
    expect(written.at(-1)).toBe('a9 8#1');
    expect(journal.advances.at(-1)).toMatchObject({ cursor: { index: 8 }, stream: 7 });
    stop();
  });

  it('leaves to the gap what was refused, in doubt, and then let go of', async () => {
    const { journal, written, sink, session, ready, stop } = scene(3);
    session();
    await ready(3);
    journal.append(...records(9).slice(3));
    journal.moved = place(5);
    sink.answer({ refused: [{ index: 2, reason: 'rejected', detail: 'no' }] });
    await ready(6);
    expect(written.slice(3)).toEqual(['a6 8#1', 'a7 8#2', 'a8 8#3']);
    expect(journal.advances).toMatchObject([{ cursor: { index: 1 }, stream: 7, refused: [] }]);
    stop();
  });

  it('is not given what was let go of while it waited for it', async () => {
    const { journal, written, session, ready, stop } = scene(0);
    session();
    const take = journal.take.bind(journal);
    journal.take = async (...asked) => {
      const loan = await take(...asked);
      journal.moved ??= place(2);
      return loan;
    };
    journal.append(...records(6));
    await ready(3);
    expect(written).toEqual(['a3 8#1', 'a4 8#2', 'a5 8#3']);
    stop();
  });

  it('S6: gives each number to one record, and each record to the sink or to a gap, whatever comes when', async () => {
    const action = fc.constantFrom('append', 'append', 'answer', 'refuse', 'break', 'let go');
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 20 }), async (actions) => {
        const { journal, written, sink, session, settled, stop } = scene(4);
        /** As the worker keeps it. */
        let reached = -1;
        const accounted = new Set<number>();
        const account = (upTo: number) => {
          for (let index = reached + 1; index <= upTo; index++) accounted.add(index);
          reached = upTo;
        };
        const advance = journal.advance.bind(journal);
        journal.advance = (step: Advance) => {
          advance(step);
          if (step.cursor.index > reached) account(step.cursor.index);
        };
        let stopped = false;
        const running = (async () => {
          while (!stopped) await session().catch(() => {});
        })();
        const grow = (count: number) =>
          journal.append(...records(journal.records.length + count).slice(-count));
        let streams = 7;
        const act = {
          append: () => grow(3),
          answer: () => sink.answer(),
          refuse: () => sink.answer({ refused: [{ index: 0, reason: 'rejected', detail: 'no' }] }),
          break: () => sink.breaks(),
          'let go': () => {
            const upTo = Math.min(reached + 2, journal.records.length - 2);
            if (upTo <= reached) return;
            account(upTo);
            journal.moved = { ...place(upTo), stream: ++streams };
          },
        };
        for (const each of actions) {
          act[each]();
          await settled();
        }
        for (let turn = 0; turn < 40 && reached < journal.records.length - 1; turn++) {
          if (turn === 0) grow(1);
          sink.answer();
          await settled();
        }
        stopped = true;
        stop();
        await running;
        expect([...accounted]).toHaveLength(journal.records.length);
        const byNumber = new Map(written.map((each) => each.split(' ').toReversed() as [string, string]));
        for (const each of written) {
          const [id, number] = each.split(' ');
          expect(byNumber.get(number!)).toBe(id);
        }
      }),
      { numRuns: 60 },
    );
  });
});
