import type { Format } from '../../src/core/format.ts';
import type { Sink } from '../../src/core/sink.ts';
import { type DeliverOptions, delivery } from '../../src/pipeline/deliver.ts';
import type { MemoryJournal } from '../support/memory-journal.ts';
import { aRecord } from '../support/records.ts';

export const format: Format = (record, { sequence }) => [`${record.id}#${sequence}`];
export const records = (count: number) =>
  Array.from({ length: count }, (_, index) => aRecord({ id: `a${index}` }));
const start = { cursor: { batch: 1, index: -1 }, stream: 7, sequence: 0 };

/** Options of a delivery for which a test says only what it is about. */
export function deliverOptions(
  journal: MemoryJournal,
  sink: Sink,
  overrides: Partial<DeliverOptions> = {},
): DeliverOptions {
  const nothing = () => {};
  return {
    name: 'siem',
    sink,
    format,
    match: {},
    selfEvents: true,
    journal,
    from: start,
    batchSize: 3,
    window: { records: 1000, bytes: 1_000_000 },
    maxInFlight: 1,
    maxEventBytes: 8000,
    maxPerSecond: 0,
    now: () => 0,
    observer: {
      connected: nothing,
      sent: nothing,
      delivered: nothing,
      refused: nothing,
      filtered: nothing,
      unconfirmed: nothing,
    },
    ...overrides,
  };
}

/** A sink that takes all and answers at once, but for what the test says. */
export function custom(overrides: Partial<Sink>): Sink {
  return {
    headerBytes: 0,
    open: async () => {},
    send: async () => ({ confirmed: Promise.resolve({ refused: [] }) }),
    messages: ({ events }) => events,
    window: () => ({ records: 1000, bytes: 1_000_000 }),
    confirm: async () => {},
    close: async () => {},
    ...overrides,
  };
}

/** Runs sessions, as `restarted` would without its waits, until the cursor is at the last record. */
export async function deliverAll(
  journal: MemoryJournal,
  opts: DeliverOptions,
  sessions = 500,
): Promise<number> {
  const run = delivery(opts);
  for (let count = 1; count <= sessions; count++) {
    const soft = new AbortController();
    const hard = new AbortController();
    const last = journal.records.length - 1;
    // All is written, and nothing asks for a confirmation any more: a stop does.
    journal.idle = () => soft.abort();
    await run({ soft: soft.signal, hard: hard.signal }, () => {}).catch(() => {});
    if (journal.cursor.index === last) return count;
  }
  throw new Error(`not done after ${sessions} sessions`);
}

/**
 * Each once, where its last copy stands: a record that proves that the sink is well is sent early once,
 * and again when it is its turn.
 */
export function lastCopies<T>(all: readonly T[]): T[] {
  return all.filter((each, index) => all.lastIndexOf(each) === index);
}
