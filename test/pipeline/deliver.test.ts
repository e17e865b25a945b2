import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JournalError, UnavailableError } from '../../src/core/errors.ts';
import type { Format } from '../../src/core/format.ts';
import type { Rendered, SendResult } from '../../src/core/sink.ts';
import { delivery } from '../../src/pipeline/deliver.ts';
import { withTimeout } from '../../src/pipeline/policies/timeout.ts';
import { MemoryJournal } from '../support/memory-journal.ts';
import { aRecord } from '../support/records.ts';
import { ScriptedSink, type Step } from '../support/scripted-sink.ts';
import { custom, deliverAll, deliverOptions, format, lastCopies, records } from './delivering.ts';

describe('delivery()', () => {
  it('hands over every record once and in order, and moves the cursor to the end', async () => {
    const journal = new MemoryJournal(records(10));
    const sink = new ScriptedSink();
    await deliverAll(journal, deliverOptions(journal, sink));
    expect(sink.confirmed.map(({ events }) => String(events[0]))).toEqual(
      records(10).map(({ id }, n) => `${id}#${n + 1}`),
    );
    expect(sink.written).toHaveLength(10);
    expect(journal.advances.at(-1)).toMatchObject({
      sink: 'siem',
      cursor: { index: 9 },
      sequence: 10,
      refused: [],
    });
  });

  it('S13: moves the cursor only after the far end has confirmed', async () => {
    const journal = new MemoryJournal(records(4));
    const sink = new ScriptedSink({ script: (action) => (action === 'confirm' ? 'hang' : 'ok') });
    const soft = new AbortController();
    const hard = new AbortController();
    const running = delivery(deliverOptions(journal, sink))(
      { soft: soft.signal, hard: hard.signal },
      () => {},
    );
    await expect.poll(() => sink.written.length).toBe(4);
    soft.abort();
    await new Promise(setImmediate);
    hard.abort();
    await expect(running).rejects.toThrow();
    expect(journal.advances).toEqual([]);
  });

  it('goes on from the first unconfirmed record after a failure, under the same running numbers', async () => {
    const journal = new MemoryJournal(records(6));
    let confirms = 0;
    const sink = new ScriptedSink({
      room: { records: 2, bytes: 1000 },
      script: (action) => (action === 'confirm' && ++confirms === 2 ? 'fail' : 'ok'),
    });
    await deliverAll(journal, deliverOptions(journal, sink));
    expect(sink.written.map(({ events }) => String(events[0]))).toEqual([
      'a0#1',
      'a1#2',
      'a2#3',
      'a3#4',
      'a2#3',
      'a3#4',
      'a4#5',
      'a5#6',
    ]);
  });

  it('asks for a confirmation when the window is full, and never writes beyond it', async () => {
    const journal = new MemoryJournal(records(20));
    const sink = new ScriptedSink({ room: { records: 4, bytes: 1000 } });
    let most = 0;
    const observer = {
      ...deliverOptions(journal, sink).observer,
      unconfirmed: (count: number) => {
        most = Math.max(most, count);
      },
    };
    await deliverAll(journal, deliverOptions(journal, sink, { observer }));
    expect(most).toBe(4);
  });

  it('leaves it to a sink how much may be unconfirmed that bounds it by itself, whatever the window', async () => {
    const journal = new MemoryJournal(records(20));
    const { promise: confirmed, resolve } = Promise.withResolvers<SendResult>();
    const outAtConfirm: number[] = [];
    let out = 0;
    const sink = custom({
      async send(batch) {
        out += batch.length;
        return { confirmed };
      },
      window: () => ({ records: 15 - out, bytes: 1000, isOwnBound: true }),
      async confirm() {
        outAtConfirm.push(out);
        out = 0;
        resolve({ refused: [] });
      },
    });
    const window = { records: 1, bytes: 1 };
    await deliverAll(journal, deliverOptions(journal, sink, { window, batchSize: 5 }));
    expect(outAtConfirm[0]).toBeGreaterThanOrEqual(10);
    expect(Math.max(...outAtConfirm)).toBeLessThanOrEqual(15);
  });

  it('sends a record that is larger than all room by itself', async () => {
    const journal = new MemoryJournal(records(3));
    const sink = new ScriptedSink({ room: { records: 10, bytes: 2 } });
    await deliverAll(journal, deliverOptions(journal, sink));
    expect(sink.confirmed).toHaveLength(3);
  });

  it('S8: sets aside a record that the format cannot take, keeps its number, and goes on', async () => {
    const journal = new MemoryJournal(records(4));
    const sink = new ScriptedSink();
    const odd: Format = (record, stamp) => {
      if (record.id === 'a1') throw new Error('odd');
      return format(record, stamp);
    };
    await deliverAll(journal, deliverOptions(journal, sink, { format: odd }));
    expect(sink.confirmed.map(({ events }) => String(events[0]))).toEqual(['a0#1', 'a2#3', 'a3#4']);
    const refused = journal.advances.flatMap((advance) => advance.refused);
    expect(refused).toMatchObject([{ record: { id: 'a1' }, reason: 'format', detail: 'Error: odd' }]);
  });

  it('asks for a last confirmation also while it waits for one because there is no room', async () => {
    const journal = new MemoryJournal(records(3));
    const { promise: confirmed, resolve } = Promise.withResolvers<SendResult>();
    const soft = new AbortController();
    let out = 0;
    const sink = custom({
      async send(batch) {
        out += batch.length;
        return { confirmed };
      },
      window: () => ({ records: 2 - out, bytes: 1000 }),
      async confirm(_, how) {
        if (how?.isLast) return resolve({ refused: [] });
        soft.abort();
        await new Promise(() => {});
      },
    });
    const stop = { soft: soft.signal, hard: new AbortController().signal };
    await delivery(deliverOptions(journal, sink))(stop, () => {});
    expect(journal.advances.at(-1)).toMatchObject({ cursor: { index: 1 } });
  });

  it('asks for a last confirmation when it is stopped, so that nothing is sent twice', async () => {
    const journal = new MemoryJournal(records(2));
    const sink = new ScriptedSink();
    const soft = new AbortController();
    const running = delivery(deliverOptions(journal, sink))(
      { soft: soft.signal, hard: new AbortController().signal },
      () => {},
    );
    await expect.poll(() => sink.written.length).toBe(2);
    expect(journal.advances).toEqual([]);
    soft.abort();
    await running;
    expect(journal.cursor.index).toBe(1);
    expect(sink.closed).toBe(1);
  });

  it('S5: sends batch after batch over one opening', async () => {
    const journal = new MemoryJournal(records(30));
    const sink = new ScriptedSink();
    await deliverAll(journal, deliverOptions(journal, sink));
    expect(sink.opened).toBe(1);
  });

  it('ends with what broke it when a sink hangs longer than its time-out', async () => {
    const journal = new MemoryJournal(records(1));
    const sink = new ScriptedSink({ script: (action) => (action === 'send' ? 'hang' : 'ok') });
    const stop = { soft: new AbortController().signal, hard: new AbortController().signal };
    const running = delivery(deliverOptions(journal, withTimeout(sink, 20)))(stop, () => {});
    await expect(running).rejects.toMatchObject({ name: 'UnavailableError', reason: 'timeout' });
    expect(journal.advances).toEqual([]);
  });

  it('Q8: loses nothing, whatever fails whenever, and repeats at most its window', async () => {
    const steps = fc.infiniteStream(
      fc.oneof(
        { weight: 4, arbitrary: fc.constant<Step>('ok') },
        { weight: 1, arbitrary: fc.constant<Step>('fail') },
      ),
    );
    await fc.assert(
      fc.asyncProperty(
        steps,
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 1, max: 7 }),
        fc.integer({ min: 1, max: 9 }),
        fc.boolean(),
        async (script, count, batchSize, window, autoConfirm) => {
          const journal = new MemoryJournal(records(count));
          const sink = new ScriptedSink({
            room: { records: window, bytes: 10_000 },
            script: () => script.next().value,
            autoConfirm,
          });
          const sessions = await deliverAll(journal, deliverOptions(journal, sink, { batchSize }));
          const wanted = records(count).map(({ id }, n) => `${id}#${n + 1}`);
          // What the far end answered for is everything, in order; at most one a session was only to prove something.
          const confirmed = sink.confirmed.map(({ events }) => String(events[0]));
          expect(lastCopies(confirmed)).toEqual(wanted);
          expect(confirmed.length).toBeLessThan(count + sessions);
          // So is what was written, and a repeat goes back at most one window for each session.
          expect(lastCopies(sink.written.map(({ events }) => String(events[0])))).toEqual(wanted);
          expect(sink.written.length).toBeLessThanOrEqual(count + sessions * (window + 1));
          // The cursor never went back, and never ahead of what was confirmed.
          const cursors = journal.advances.map(({ cursor }) => cursor.index);
          expect(cursors).toEqual(cursors.toSorted((a, b) => a - b));
        },
      ),
      { numRuns: 100 },
    );
  });

  it('keeps the order of the revisions of one alert, whatever fails', async () => {
    let steps = 0;
    const revisions = Array.from({ length: 40 }, (_, n) =>
      aRecord({}, { id: `a${n % 3}`, revision: BigInt(n) }),
    );
    const journal = new MemoryJournal(revisions);
    const sink = new ScriptedSink({
      room: { records: 5, bytes: 10_000 },
      script: () => (++steps % 7 === 0 ? 'fail' : 'ok'),
    });
    await deliverAll(journal, deliverOptions(journal, sink));
    for (const id of ['a0', 'a1', 'a2']) {
      const own = ({ record }: Rendered) => record.id === id;
      const accepted = sink.confirmed.filter(own).map(({ record }) => record.revision);
      expect(accepted).toEqual(
        revisions.filter((record) => record.id === id).map(({ revision }) => revision),
      );
      // Of all copies that the far end has seen, the last one is the newest.
      expect(sink.written.findLast(own)?.record.revision).toBe(accepted.at(-1));
    }
  });

  it('never has two sends at a time', async () => {
    const journal = new MemoryJournal(records(30));
    let sending = 0;
    let most = 0;
    const sink = custom({
      async send() {
        most = Math.max(most, ++sending);
        await new Promise(setImmediate);
        sending--;
        return { confirmed: Promise.resolve({ refused: [] }) };
      },
    });
    await deliverAll(journal, deliverOptions(journal, sink));
    expect(most).toBe(1);
  });

  it('S9: sets aside what the far end refuses for good, and counts only the rest as delivered', async () => {
    const journal = new MemoryJournal(records(3));
    const delivered: string[] = [];
    const sink = custom({
      send: async () => ({
        confirmed: Promise.resolve({
          refused: [
            { index: 1, reason: 'rejected', detail: 'too odd' },
            { index: 99, reason: 'rejected', detail: 'there is no such record' },
          ],
        }),
      }),
    });
    const { observer } = deliverOptions(journal, sink);
    const told = {
      ...observer,
      delivered: (some: readonly { id: string }[]) => delivered.push(...some.map(({ id }) => id)),
    };
    await deliverAll(journal, deliverOptions(journal, sink, { observer: told }));
    expect(delivered).toEqual(['a0', 'a2']);
    expect(journal.advances.flatMap(({ refused }) => refused)).toMatchObject([
      { record: { id: 'a1' }, reason: 'rejected', detail: 'too odd' },
    ]);
    expect(journal.cursor.index).toBe(2);
  });

  it.each(['open', 'send', 'window', 'confirm', 'close'] as const)(
    'ends with the error of a sink that throws in %s() before it has begun, and lets go of it',
    async (method) => {
      const journal = new MemoryJournal(records(3));
      let closed = 0;
      const sink = custom({
        close: async () => void closed++,
        [method]: () => {
          closed++;
          throw new TypeError(`a bug in ${method}`);
        },
      });
      const stop = { soft: AbortSignal.timeout(20), hard: new AbortController().signal };
      await expect(delivery(deliverOptions(journal, sink))(stop, () => {})).rejects.toThrow(
        `a bug in ${method}`,
      );
      expect(closed).toBeGreaterThan(0);
    },
  );

  it.each([
    ['no receipt', undefined],
    ['a receipt without a promise', {}],
    ['a receipt with a broken result', { confirmed: Promise.resolve(undefined) }],
  ])('moves no cursor when a sink gives %s', async (_, receipt) => {
    const journal = new MemoryJournal(records(3));
    const sink = custom({ send: async () => receipt as never });
    const stop = { soft: new AbortController().signal, hard: new AbortController().signal };
    await expect(delivery(deliverOptions(journal, sink))(stop, () => {})).rejects.toThrow(TypeError);
    expect(journal.advances).toEqual([]);
  });

  it('lets no rejected receipt end the process, also not those that nobody waits for any more', async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => void unhandled.push(reason);
    process.on('unhandledRejection', note);
    const journal = new MemoryJournal(records(9));
    const rejects: ((error: Error) => void)[] = [];
    const sink = custom({
      send: async () => {
        const { promise, reject } = Promise.withResolvers<SendResult>();
        rejects.push(reject);
        return { confirmed: promise };
      },
    });
    const stop = { soft: new AbortController().signal, hard: new AbortController().signal };
    const running = delivery(deliverOptions(journal, sink))(stop, () => {});
    await expect.poll(() => rejects.length).toBe(3);
    for (const reject of rejects) reject(new UnavailableError('reset', { reason: 'network' }));
    await expect(running).rejects.toThrow('reset');
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });

  it('K5: moves the cursor over an unbroken run only, when a later receipt settles before a failed one', async () => {
    const journal = new MemoryJournal(records(9));
    const receipts: PromiseWithResolvers<SendResult>[] = [];
    const sink = custom({
      send: async () => {
        receipts.push(Promise.withResolvers());
        return { confirmed: receipts.at(-1)!.promise };
      },
    });
    const stop = { soft: new AbortController().signal, hard: new AbortController().signal };
    const running = delivery(deliverOptions(journal, sink))(stop, () => {});
    await expect.poll(() => receipts.length).toBe(3);
    receipts[0]!.resolve({ refused: [] });
    receipts[2]!.resolve({ refused: [] });
    await expect.poll(() => journal.cursor.index).toBe(2);
    receipts[1]!.reject(new UnavailableError('reset', { reason: 'network' }));
    await expect(running).rejects.toThrow('reset');
    expect(journal.cursor.index).toBe(2);
  });

  it('does not end before its receipts have settled, so that none moves the cursor under the next session', async () => {
    for (const closing of ['well', 'badly']) {
      const journal = new MemoryJournal(records(6));
      const first = Promise.withResolvers<SendResult>();
      let sends = 0;
      const sink = custom({
        send: async () => {
          if (++sends > 1) throw new UnavailableError('reset', { reason: 'network' });
          return { confirmed: first.promise };
        },
        close: async () => {
          if (closing === 'badly') throw new Error('cannot be closed');
        },
      });
      const stop = { soft: new AbortController().signal, hard: new AbortController().signal };
      let ended = false;
      const running = delivery(deliverOptions(journal, sink))(stop, () => {}).finally(() => (ended = true));
      running.catch(() => {});
      await expect.poll(() => sends).toBe(2);
      await new Promise(setImmediate);
      await new Promise(setImmediate);
      expect(ended).toBe(false);
      first.resolve({ refused: [] });
      await expect(running).rejects.toThrow(closing === 'well' ? 'reset' : 'cannot be closed');
      // It was confirmed, if late: that may be used, and nothing after it.
      expect(journal.advances.map(({ cursor }) => cursor.index)).toEqual([2]);
    }
  });

  it.each(['open', 'send', 'confirm'] as const)(
    'S2: at a hard stop abandons a sink that hangs in %s() and heeds no signal',
    async (method) => {
      const journal = new MemoryJournal(records(3));
      let entered = false;
      const close = Promise.withResolvers<never>();
      close.promise.catch(() => {});
      const sink = custom({
        send: async () => ({ confirmed: close.promise }),
        close: async () => close.reject(new UnavailableError('closed', { reason: 'other' })),
        [method]: () => {
          entered = true;
          return new Promise<never>(() => {});
        },
      });
      const soft = new AbortController();
      const hard = new AbortController();
      const stop = { soft: soft.signal, hard: hard.signal };
      const running = delivery(deliverOptions(journal, withTimeout(sink, 2 ** 30)))(stop, () => {});
      if (method === 'confirm') soft.abort();
      await expect.poll(() => entered).toBe(true);
      soft.abort();
      hard.abort();
      await expect(running).rejects.toMatchObject({ name: 'AbortError' });
      expect(journal.advances).toEqual([]);
    },
  );

  it('passes a lost journal on as what it is', async () => {
    const journal = new MemoryJournal(records(3));
    journal.advance = () => {
      throw new JournalError('the disk is gone');
    };
    const sink = new ScriptedSink({ autoConfirm: true });
    const stop = { soft: new AbortController().signal, hard: new AbortController().signal };
    const running = delivery(deliverOptions(journal, sink))(stop, () => {});
    await expect(running).rejects.toThrow(JournalError);
    expect(sink.closed).toBe(1);
  });

  it('waits for records without end, and takes those that come', async () => {
    const journal = new MemoryJournal([]);
    const sink = new ScriptedSink({ autoConfirm: true });
    const soft = new AbortController();
    const stop = { soft: soft.signal, hard: new AbortController().signal };
    const running = delivery(deliverOptions(journal, sink))(stop, () => {});
    await new Promise(setImmediate);
    journal.append(...records(2));
    await expect.poll(() => journal.cursor.index).toBe(1);
    soft.abort();
    await running;
    expect(sink.opened).toBe(1);
  });

  it('tells that it is healthy only when the far end has answered, and that it is open while it is', async () => {
    const journal = new MemoryJournal(records(3));
    const sink = new ScriptedSink();
    const told: (string | boolean)[] = [];
    const { observer } = deliverOptions(journal, sink);
    const telling = { ...observer, connected: (connected: boolean) => void told.push(connected) };
    const soft = new AbortController();
    const stop = { soft: soft.signal, hard: new AbortController().signal };
    const run = delivery(deliverOptions(journal, sink, { observer: telling }));
    const running = run(stop, () => told.push('healthy'));
    await expect.poll(() => sink.written.length).toBe(3);
    expect(told).toEqual([true]);
    soft.abort();
    await running;
    expect(told).toEqual([true, 'healthy', false]);
  });
});
