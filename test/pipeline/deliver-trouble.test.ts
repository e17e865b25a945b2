import { describe, expect, it } from 'vitest';
import { UnavailableError } from '../../src/core/errors.ts';
import type { RelayRecord } from '../../src/core/record.ts';
import type { Rendered } from '../../src/core/sink.ts';
import { type DeliverOptions, delivery } from '../../src/pipeline/deliver.ts';
import { MemoryJournal } from '../support/memory-journal.ts';
import { aRecord } from '../support/records.ts';
import { type Temper, TouchySink } from '../support/touchy-sink.ts';
import { deliverOptions, lastCopies, records } from './delivering.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** A delivery that is run again and again as `restarted` would, by a clock of its own. */
function aDelivery(all: readonly RelayRecord[], temper: Temper, overrides: Partial<DeliverOptions> = {}) {
  const journal = new MemoryJournal(all);
  const sink = new TouchySink(temper);
  const clock = { ms: 0 };
  const failures: Error[] = [];
  const run = delivery(deliverOptions(journal, sink, { batchSize: 4, now: () => clock.ms, ...overrides }));

  /** One session: to its failure, or until all has been written and answered for. */
  const session = async (): Promise<Error | undefined> => {
    const soft = new AbortController();
    journal.idle = () => soft.abort();
    const stop = { soft: soft.signal, hard: new AbortController().signal };
    const error = await run(stop, () => {}).then(
      () => undefined,
      (failure: Error) => failure,
    );
    if (!error) return undefined;
    failures.push(error);
    clock.ms += (error instanceof UnavailableError && error.retryAfterMs) || 10_000;
    return error;
  };
  const sessions = async (
    most: number,
    until = () => journal.cursor.index === journal.records.length - 1,
  ) => {
    for (let count = 0; count < most && !until(); count++) await session();
  };
  const deadLetters = () => journal.advances.flatMap(({ refused }) => refused);
  const taken = () => sink.taken.map(({ events }) => String(events[0]));
  return { journal, sink, clock, failures, session, sessions, deadLetters, taken };
}

const numbered = (count: number, ...without: number[]) =>
  records(count).flatMap(({ id }, index) => (without.includes(index) ? [] : [`${id}#${index + 1}`]));
const has = (id: string) => (batch: readonly Rendered[]) => batch.some(({ record }) => record.id === id);

describe('delivery() to a sink that breaks', () => {
  it.each(['send', 'confirm'] as const)(
    'S15: finds the record that breaks every connection, sets it aside, and gives it all others (answers at %s)',
    async (answers) => {
      const room = { records: 12, bytes: 1_000_000 };
      const part = aDelivery(records(30), { breaks: has('a17'), answers, room });
      await part.sessions(100);
      expect(lastCopies(part.taken())).toEqual(numbered(30, 17));
      expect(part.deadLetters()).toMatchObject([{ record: { id: 'a17' }, reason: 'poison' }]);
      expect(part.clock.ms).toBeGreaterThanOrEqual(10 * MINUTE_MS);
      // Each try costs one copy of the next record; and what is out when it breaks is sent again.
      const copies = part.taken().filter((event) => event === 'a18#19').length;
      expect(copies).toBeGreaterThanOrEqual(10);
      expect(copies).toBeLessThan(15);
      expect(part.sink.sends.length).toBeLessThan(60);
    },
  );

  it('S14: a batch that is too large is sent in smaller ones, and nothing is set aside', async () => {
    const part = aDelivery(records(40), { breaks: (batch) => batch.length > 3 }, { batchSize: 40 });
    await part.sessions(60);
    expect(part.taken()).toEqual(numbered(40));
    expect(part.deadLetters()).toEqual([]);
  });

  it('S14: a record that is too large by itself is not tried for ever', async () => {
    const huge = (batch: readonly Rendered[]) => batch.some(({ sequence }) => sequence === 3);
    const part = aDelivery(records(5), { breaks: huge });
    await part.sessions(40);
    expect(lastCopies(part.taken())).toEqual(numbered(5, 2));
    expect(part.deadLetters()).toMatchObject([{ record: { id: 'a2' }, reason: 'poison' }]);
  });

  it('Q8 S9: an outage that looks like it, for months, sets nothing aside and loses nothing', async () => {
    const part = aDelivery(records(20), { breaks: () => true });
    for (let day = 0; day < 40; day++) {
      await part.session();
      part.clock.ms += DAY_MS;
    }
    expect(part.journal.advances).toEqual([]);
    part.sink.temper = {};
    await part.sessions(10);
    expect(lastCopies(part.taken())).toEqual(numbered(20));
    expect(part.taken().length).toBeLessThanOrEqual(21);
    expect(part.deadLetters()).toEqual([]);
  });

  it('S9: a record that breaks the sink, with no other one behind it, is kept until there is one', async () => {
    const part = aDelivery(records(2), { breaks: has('a1') });
    await part.sessions(60);
    expect(part.clock.ms).toBeGreaterThan(9 * MINUTE_MS);
    expect(part.deadLetters()).toEqual([]);
    part.journal.append(aRecord({ id: 'a2' }));
    await part.sessions(60);
    expect(part.deadLetters()).toMatchObject([{ record: { id: 'a1' } }]);
    expect(lastCopies(part.taken())).toEqual(['a0#1', 'a2#3']);
  });

  it.each([2, 7])('S9: finds %i records on end that each break the sink', async (count) => {
    const poison = (batch: readonly Rendered[]) =>
      batch.some(({ record }) => Number(record.id.slice(1)) >= 5 && Number(record.id.slice(1)) < 5 + count);
    const part = aDelivery(records(40), { breaks: poison }, { batchSize: 20 });
    await part.sessions(400);
    const bad = Array.from({ length: count }, (_, index) => 5 + index);
    expect(part.deadLetters().map(({ record }) => record.id)).toEqual(bad.map((number) => `a${number}`));
    expect(lastCopies(part.taken())).toEqual(numbered(40, ...bad));
  });

  it('S9: a heartbeat proves the sink well when there is no other record, or all of them break it', async () => {
    const isPoison = ({ record }: Rendered) => ['a1', 'a2', 'a3'].includes(record.id);
    const heartbeat = { everyMs: DAY_MS, waiting: async () => ({ pending: 1, oldestPendingMs: 0 }) };
    const part = aDelivery(records(4), { breaks: (batch) => batch.some(isPoison) }, { heartbeat });
    await part.sessions(300);
    expect(part.deadLetters().map(({ record }) => record.id)).toEqual(['a1', 'a2', 'a3']);
    expect(part.clock.ms).toBeGreaterThanOrEqual(30 * MINUTE_MS);
    const dead = aDelivery(records(4), { breaks: () => true }, { heartbeat });
    await dead.sessions(300);
    expect(dead.deadLetters()).toEqual([]);
  });

  it('S9: a sink that refuses the other one has not taken it, and proves nothing', async () => {
    const part = aDelivery(records(3), { breaks: has('a0'), refuses: () => 'nothing today' });
    await part.sessions(100);
    expect(part.clock.ms).toBeGreaterThan(15 * MINUTE_MS);
    expect(part.journal.advances).toEqual([]);
  });

  it('proves by another alert, never by a later revision of the same one, and under its own number', async () => {
    const match = { severity: ['high'] };
    const all = [
      aRecord({ id: 'bad', severity: 'high' }, { revision: 1n, outcome: 'new' }),
      aRecord({ id: 'bad', severity: 'low' }, { revision: 2n, outcome: 'update' }),
      aRecord({ id: 'unwanted', severity: 'low' }, { revision: 3n }),
      aRecord({ id: 'good', severity: 'high' }, { revision: 4n }),
    ];
    const isFirst = ({ record }: Rendered) => record.revision === 1n;
    const part = aDelivery(all, { breaks: (batch) => batch.some(isFirst) }, { match });
    await part.sessions(40);
    expect(lastCopies(part.taken())).toEqual(['bad#2', 'good#3']);
    expect(new Set(part.taken())).toEqual(new Set(['bad#2', 'good#3']));
    expect(part.taken().indexOf('bad#2')).toBe(part.taken().length - 2);
    expect(part.deadLetters()).toMatchObject([{ record: { id: 'bad', revision: 1n } }]);
  });
});

describe('delivery() to a sink that refuses', () => {
  it('S9: sets a record aside when a later one is accepted, not before', async () => {
    const part = aDelivery(records(3), {
      refuses: ({ record }) => (record.id === 'a2' ? 'too odd' : undefined),
    });
    await part.session();
    expect(part.journal.cursor.index).toBe(1);
    expect(part.deadLetters()).toEqual([]);
    part.journal.append(aRecord({ id: 'a3' }));
    await part.session();
    expect(part.deadLetters()).toMatchObject([
      { record: { id: 'a2' }, reason: 'rejected', detail: 'too odd' },
    ]);
    expect(part.taken()).toEqual(['a0#1', 'a1#2', 'a3#4']);
    expect(part.failures).toEqual([]);
    const place = (index: number) => ({ batch: 1, index });
    expect(part.journal.advances.flatMap(({ withheld = [] }) => withheld)).toEqual([
      { after: place(1), upTo: place(2), why: 'refused' },
    ]);
  });

  it('S9: sets a record aside when a heartbeat is accepted after it', async () => {
    const journal = new MemoryJournal(records(1));
    const isHeartbeat = ({ record }: Rendered) => record.kind === 'heartbeat';
    const sink = new TouchySink({ refuses: (one) => (isHeartbeat(one) ? undefined : 'not today') });
    const soft = new AbortController();
    journal.idle = () => sink.taken.filter(isHeartbeat).length > 1 && soft.abort();
    const heartbeat = { everyMs: 5, waiting: async () => ({ pending: 1, oldestPendingMs: 0 }) };
    const options = deliverOptions(journal, sink, { heartbeat, now: () => performance.now() });
    await delivery(options)({ soft: soft.signal, hard: new AbortController().signal }, () => {});
    expect(journal.advances.flatMap(({ refused }) => refused)).toMatchObject([
      { record: { id: 'a0' }, reason: 'rejected', detail: 'not today' },
    ]);
  });

  it('S9: keeps everything when ten were refused and none was accepted between, and gives it when that is mended', async () => {
    const part = aDelivery(records(30), { refuses: () => 'index is read-only' });
    await part.sessions(20);
    expect(part.failures).toHaveLength(20);
    expect(part.failures[0]).toMatchObject({
      name: 'UnavailableError',
      message: expect.stringContaining('index is read-only'),
    });
    expect(part.journal.advances).toEqual([]);
    part.sink.temper = {};
    await part.sessions(3);
    expect(part.taken()).toEqual(numbered(30));
    expect(part.deadLetters()).toEqual([]);
  });

  it('S4: pauses when more than a hundred were set aside within an hour, and goes on when the hour is over', async () => {
    const refuses = ({ record }: Rendered) =>
      Number(record.id.slice(1)) % 2 === 0 ? 'every second one' : undefined;
    const part = aDelivery(records(240), { refuses });
    const error = await part.session();
    expect(error).toMatchObject({ name: 'UnavailableError', retryAfterMs: 3_600_000 });
    expect(part.deadLetters()).toHaveLength(100);
    expect(part.journal.cursor.index).toBe(199);
    await part.session();
    expect(part.deadLetters()).toHaveLength(120);
    expect(lastCopies(part.taken())).toHaveLength(120);
  });
});

describe('delivery()', () => {
  it('Q5: of a dead sink stops no other one', async () => {
    const journal = new MemoryJournal(records(12));
    const dead = new TouchySink({ breaks: () => true });
    const well = new TouchySink();
    const soft = new AbortController();
    const stop = { soft: soft.signal, hard: new AbortController().signal };
    const failing = (async () => {
      const run = delivery(deliverOptions(journal, dead, { name: 'dead' }));
      while (!soft.signal.aborted) await run(stop, () => {}).catch(() => new Promise(setImmediate));
    })();
    const running = delivery(deliverOptions(journal, well, { name: 'well' }))(stop, () => {});
    await expect.poll(() => journal.cursor.index).toBe(11);
    soft.abort();
    await Promise.all([failing, running]);
    expect(new Set(journal.advances.map(({ sink }) => sink))).toEqual(new Set(['well']));
    expect(well.taken).toHaveLength(12);
  });

  it('keeps to the events a second that a receiver is licensed for, in even sends', async () => {
    const part = aDelivery(records(30), {}, { batchSize: 30, maxPerSecond: 2_000, now: Date.now });
    const pieces = (record: RelayRecord) => [`${record.id} 1/2`, `${record.id} 2/2`];
    await part.sessions(3);
    expect(Math.max(...part.sink.sends)).toBe(30);
    const slow = aDelivery(
      records(30),
      {},
      { batchSize: 30, maxPerSecond: 100, now: Date.now, format: pieces },
    );
    await slow.sessions(2);
    expect(Math.max(...slow.sink.sends)).toBe(10);
    for (const { events } of slow.sink.taken) expect(events).toHaveLength(2);
  });
});
