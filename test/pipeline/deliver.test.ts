import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Format } from '../../src/core/format.ts';
import type { Sink } from '../../src/core/sink.ts';
import { type DeliverOptions, delivery } from '../../src/pipeline/deliver.ts';
import { withTimeout } from '../../src/pipeline/policies/timeout.ts';
import { MemoryJournal } from '../support/memory-journal.ts';
import { aRecord } from '../support/records.ts';
import { ScriptedSink, type Step } from '../support/scripted-sink.ts';

const format: Format = (record, { sequence }) => [`${record.id}#${sequence}`];
const records = (count: number) => Array.from({ length: count }, (_, index) => aRecord({ id: `a${index}` }));
const start = { cursor: { batch: 1, index: -1 }, stream: 7, sequence: 0 };

function options(
  journal: MemoryJournal,
  sink: Sink,
  overrides: Partial<DeliverOptions> = {},
): DeliverOptions {
  const nothing = () => {};
  return {
    name: 'siem',
    sink,
    format,
    journal,
    from: start,
    batchSize: 3,
    window: { records: 1000, bytes: 1_000_000 },
    maxInFlight: 1,
    maxEventBytes: 8000,
    now: () => 0,
    observer: {
      connected: nothing,
      sent: nothing,
      delivered: nothing,
      refused: nothing,
      unconfirmed: nothing,
    },
    ...overrides,
  };
}

/** Runs sessions, as `restarted` would without its waits, until the cursor is at the last record. */
async function deliverAll(journal: MemoryJournal, opts: DeliverOptions, sessions = 500): Promise<number> {
  const run = delivery(opts);
  for (let count = 1; count <= sessions; count++) {
    const soft = new AbortController();
    const hard = new AbortController();
    const last = journal.records.length - 1;
    const watched = setInterval(() => journal.cursor.index === last && soft.abort(), 1);
    const checked = setImmediate(() => journal.cursor.index === last && soft.abort());
    // All is written and nothing asks for a confirmation: a stop does.
    const idle = setInterval(() => soft.abort(), 20);
    await run({ soft: soft.signal, hard: hard.signal }, () => {}).catch(() => {});
    clearInterval(watched);
    clearInterval(idle);
    clearImmediate(checked);
    if (journal.cursor.index === last) return count;
  }
  throw new Error(`not done after ${sessions} sessions`);
}

describe('delivery()', () => {
  it('hands over every record once and in order, and moves the cursor to the end', async () => {
    const journal = new MemoryJournal(records(10));
    const sink = new ScriptedSink();
    await deliverAll(journal, options(journal, sink));
    expect(sink.confirmed.map(({ events }) => events[0])).toEqual(
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
    const running = delivery(options(journal, sink))({ soft: soft.signal, hard: hard.signal }, () => {});
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
    await deliverAll(journal, options(journal, sink));
    expect(sink.written.map(({ events }) => events[0])).toEqual([
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
      ...options(journal, sink).observer,
      unconfirmed: (count: number) => {
        most = Math.max(most, count);
      },
    };
    await deliverAll(journal, options(journal, sink, { observer }));
    expect(most).toBe(4);
  });

  it('sends a record that is larger than all room by itself', async () => {
    const journal = new MemoryJournal(records(3));
    const sink = new ScriptedSink({ room: { records: 10, bytes: 2 } });
    await deliverAll(journal, options(journal, sink));
    expect(sink.confirmed).toHaveLength(3);
  });

  it('S8: sets aside a record that the format cannot take, keeps its number, and goes on', async () => {
    const journal = new MemoryJournal(records(4));
    const sink = new ScriptedSink();
    const odd: Format = (record, stamp) => {
      if (record.id === 'a1') throw new Error('odd');
      return format(record, stamp);
    };
    await deliverAll(journal, options(journal, sink, { format: odd }));
    expect(sink.confirmed.map(({ events }) => events[0])).toEqual(['a0#1', 'a2#3', 'a3#4']);
    const refused = journal.advances.flatMap((advance) => advance.refused);
    expect(refused).toMatchObject([{ record: { id: 'a1' }, reason: 'format', detail: 'Error: odd' }]);
  });

  it('asks for a last confirmation when it is stopped, so that nothing is sent twice', async () => {
    const journal = new MemoryJournal(records(2));
    const sink = new ScriptedSink();
    const soft = new AbortController();
    const running = delivery(options(journal, sink))(
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
    await deliverAll(journal, options(journal, sink));
    expect(sink.opened).toBe(1);
  });

  it('ends with what broke it when a sink hangs longer than its time-out', async () => {
    const journal = new MemoryJournal(records(1));
    const sink = new ScriptedSink({ script: (action) => (action === 'send' ? 'hang' : 'ok') });
    const stop = { soft: new AbortController().signal, hard: new AbortController().signal };
    const running = delivery(options(journal, withTimeout(sink, 20)))(stop, () => {});
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
          const sessions = await deliverAll(journal, options(journal, sink, { batchSize }));
          const wanted = records(count).map(({ id }, n) => `${id}#${n + 1}`);
          // What the far end answered for is everything, once, in order.
          expect(sink.confirmed.map(({ events }) => events[0])).toEqual(wanted);
          // First sights are in order too, and a repeat goes back at most one window for each session.
          expect([...new Set(sink.written.map(({ events }) => events[0]))]).toEqual(wanted);
          expect(sink.written.length).toBeLessThanOrEqual(count + sessions * Math.max(window, 1));
          // The cursor never went back, and never ahead of what was confirmed.
          const cursors = journal.advances.map(({ cursor }) => cursor.index);
          expect(cursors).toEqual(cursors.toSorted((a, b) => a - b));
        },
      ),
      { numRuns: 100 },
    );
  });
});
