import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { UnavailableError } from '../../src/core/errors.ts';
import type { Rendered, Sink } from '../../src/core/sink.ts';
import { type DeliverOptions, delivery } from '../../src/pipeline/deliver.ts';
import { MemoryJournal } from '../support/memory-journal.ts';
import { aRecord } from '../support/records.ts';
import { custom, deliverOptions, records } from './delivering.ts';

const MINUTE = 60_000;
const NOW = Date.UTC(2025, 2, 4, 10);

describe('delivery() with heartbeats', () => {
  beforeEach(() => void vi.useFakeTimers({ now: NOW }));
  afterEach(() => void vi.useRealTimers());

  /** A delivery of two records with a heartbeat every five minutes. */
  function scene(overrides: Partial<DeliverOptions> = {}, sinkOverrides: Partial<Sink> = {}, beats = true) {
    const journal = new MemoryJournal(records(2));
    const sent: Rendered[] = [];
    const sink = custom({
      send: async (batch) => {
        sent.push(...batch);
        return { confirmed: Promise.resolve({ refused: [] }) };
      },
      ...sinkOverrides,
    });
    const waiting = { pending: 3, oldestPendingMs: NOW - MINUTE };
    const heartbeat = { everyMs: 5 * MINUTE, waiting: async () => waiting };
    const options = { now: Date.now, ...(beats && { heartbeat }), ...overrides };
    const run = delivery(deliverOptions(journal, sink, options));
    const soft = new AbortController();
    let healthy = 0;
    const session = () =>
      run({ soft: soft.signal, hard: new AbortController().signal }, () => {
        healthy++;
      });
    return {
      journal,
      session,
      stop: () => soft.abort(),
      pass: (ms: number) => vi.advanceTimersByTimeAsync(ms),
      /** What was sent, as `id#number`. */
      told: () => sent.map(({ record, sequence }) => `${record.id}#${sequence}`),
      sent,
      healthy: () => healthy,
    };
  }

  it('G12: says "still here" while nothing comes, after the last number, and moves nothing', async () => {
    const { session, told, sent, journal, stop, pass, healthy } = scene();
    const ended = session();
    await pass(4 * MINUTE);
    expect(told()).toEqual(['a0#1', 'a1#2']);
    const before = healthy();
    await pass(MINUTE);
    expect(told()).toEqual(['a0#1', 'a1#2', 'heartbeat#2']);
    expect(sent.at(-1)!.record).toMatchObject({
      kind: 'heartbeat',
      timeMs: NOW + 5 * MINUTE,
      body: { lastSequence: 2, pending: 3, oldestPending: '2025-03-04T09:59:00.000Z' },
    });
    expect(healthy()).toBe(before + 1);
    journal.append(aRecord({ id: 'a2' }));
    await pass(5 * MINUTE);
    expect(told().slice(3)).toEqual(['a2#3', 'heartbeat#3']);
    stop();
    await ended;
    expect(journal.cursor.index).toBe(2);
    expect(journal.advances.at(-1)).toMatchObject({ sequence: 3 });
  });

  it('says it between two batches when the records do not end', async () => {
    const told: string[] = [];
    const { session, journal, stop, pass } = scene(
      { batchSize: 1 },
      {
        send: async (batch) => {
          told.push(...batch.map(({ record, sequence }) => `${record.id}#${sequence}`));
          vi.setSystemTime(Date.now() + 2 * MINUTE);
          return { confirmed: Promise.resolve({ refused: [] }) };
        },
      },
    );
    journal.append(...['a2', 'a3', 'a4', 'a5'].map((id) => aRecord({ id })));
    const ended = session();
    await pass(10);
    stop();
    await ended;
    // One batch is made ready while another is written.
    const expected = ['a0#1', 'a1#2', 'a2#3', 'heartbeat#3', 'a3#4', 'a4#5', 'heartbeat#5', 'a5#6'];
    expect(told.slice(0, expected.length)).toEqual(expected);
  });

  it('takes one that is refused for no sign of health, and for nothing else', async () => {
    const refused = [{ index: 0, reason: 'rejected', detail: 'no' }] as const;
    const { session, journal, healthy, stop, pass } = scene(
      {},
      {
        send: async ([first]) => ({
          confirmed: Promise.resolve({ refused: first?.record.kind === 'heartbeat' ? refused : [] }),
        }),
      },
    );
    const ended = session();
    await pass(MINUTE);
    const before = healthy();
    await pass(10 * MINUTE);
    expect(healthy()).toBe(before);
    stop();
    await ended;
    expect(journal.advances.flatMap((advance) => advance.refused)).toEqual([]);
  });

  it('says none to a sink that wants none', async () => {
    const { session, told, stop, pass } = scene({}, {}, false);
    const ended = session();
    await pass(60 * MINUTE);
    expect(told()).toEqual(['a0#1', 'a1#2']);
    stop();
    await ended;
  });

  it('forgets one that broke the connection, and says the next one when it is due', async () => {
    let down = false;
    const told: string[] = [];
    const { session, pass, stop } = scene(
      {},
      {
        send: async (batch) => {
          if (down) throw new UnavailableError('reset', { reason: 'network' });
          told.push(...batch.map(({ record }) => record.id));
          return { confirmed: Promise.resolve({ refused: [] }) };
        },
      },
    );
    const first = session().catch((error) => error);
    await pass(MINUTE);
    down = true;
    await pass(4 * MINUTE);
    expect(await first).toMatchObject({ message: 'reset' });
    down = false;
    const second = session();
    await pass(4 * MINUTE);
    expect(told).toEqual(['a0', 'a1']);
    await pass(MINUTE);
    expect(told).toEqual(['a0', 'a1', 'heartbeat']);
    stop();
    await second;
  });
});
