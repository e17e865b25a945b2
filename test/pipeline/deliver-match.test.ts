import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Withheld } from '../../src/core/journal.ts';
import type { RelayRecord } from '../../src/core/record.ts';
import { delivery } from '../../src/pipeline/deliver.ts';
import { MemoryJournal } from '../support/memory-journal.ts';
import { aRecord } from '../support/records.ts';
import { ScriptedSink, type Step } from '../support/scripted-sink.ts';
import { deliverAll, deliverOptions, lastCopies } from './delivering.ts';

const high = { severity: ['high'] };
const alert = (id: string, severity: string, status = 'new') =>
  aRecord({ id, severity, status }, { outcome: 'update' });
const sent = (sink: ScriptedSink) => sink.confirmed.map(({ events }) => String(events[0]));

describe('delivery() to a sink with a match', () => {
  it('R8: passes over what the sink does not want: the cursor moves on, no number is used, and it is counted', async () => {
    const journal = new MemoryJournal([
      alert('a', 'low'),
      alert('b', 'high'),
      alert('c', 'low'),
      alert('d', 'high'),
      alert('e', 'low'),
    ]);
    const sink = new ScriptedSink();
    const filtered: number[] = [];
    const options = deliverOptions(journal, sink, { match: high });
    const observer = { ...options.observer, filtered: (count: number) => void filtered.push(count) };
    await deliverAll(journal, { ...options, observer });
    expect(sent(sink)).toEqual(['b#1', 'd#2']);
    expect(journal.advances.at(-1)).toMatchObject({ cursor: { index: 4 }, sequence: 2, refused: [] });
    expect(filtered.reduce((sum, count) => sum + count)).toBe(3);
  });

  it('R8: an alert that was lowered is still closed at the sink', async () => {
    const journal = new MemoryJournal([
      alert('a', 'high'),
      alert('b', 'low'),
      alert('a', 'low'),
      alert('b', 'low', 'resolved'),
      alert('a', 'low', 'resolved'),
      alert('a', 'low', 'resolved'),
    ]);
    const sink = new ScriptedSink();
    await deliverAll(journal, deliverOptions(journal, sink, { match: high, batchSize: 1 }));
    expect(sent(sink)).toEqual(['a#1', 'a#2', 'a#3']);
    expect(journal.advances.flatMap(({ follow = [] }) => follow.map(({ id, on }) => [id, on]))).toEqual([
      ['a', true],
      ['a', true],
      ['a', false],
    ]);
  });

  it('is not healthy for having passed over records: only the far end can say so', async () => {
    const journal = new MemoryJournal([alert('a', 'low')]);
    const soft = new AbortController();
    const stop = { soft: soft.signal, hard: new AbortController().signal };
    let healthy = 0;
    const running = delivery(deliverOptions(journal, new ScriptedSink(), { match: high }))(
      stop,
      () => void healthy++,
    );
    await expect.poll(() => journal.cursor.index).toBe(0);
    soft.abort();
    await running;
    expect(healthy).toBe(0);
  });

  it('R8 Q8 K5: whatever fails whenever, gives the same records the same numbers, and all that is owed', async () => {
    const life = fc.record({
      id: fc.constantFrom('a', 'b', 'c'),
      severity: fc.constantFrom('low', 'high'),
      status: fc.constantFrom('new', 'resolved'),
    });
    const steps = fc.infiniteStream(
      fc.oneof(
        { weight: 4, arbitrary: fc.constant<Step>('ok') },
        { weight: 1, arbitrary: fc.constant<Step>('fail') },
      ),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(life, { minLength: 1, maxLength: 25 }),
        steps,
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 6 }),
        fc.boolean(),
        async (lives, script, batchSize, window, autoConfirm) => {
          const records = lives.map(({ id, severity, status }, index) =>
            aRecord({ id, severity, status }, { outcome: 'update', revision: BigInt(index) }),
          );
          const journal = new MemoryJournal(records);
          const room = { records: window, bytes: 10_000 };
          const sink = new ScriptedSink({ room, script: () => script.next().value, autoConfirm });
          await deliverAll(journal, deliverOptions(journal, sink, { match: high, batchSize }));
          const owed = owedOf(records);
          const told = (some: readonly { record: RelayRecord; sequence: number }[]) =>
            some.map(({ record, sequence }) => `${record.revision}#${sequence}`);
          const expected = owed.map(({ revision }, index) => `${revision}#${index + 1}`);
          expect(lastCopies(told(sink.confirmed))).toEqual(expected);
          // Also what was written and never answered for had its number.
          expect(expected).toEqual(expect.arrayContaining(told(sink.written)));
          // The journal is told exactly which ones were passed over.
          const passed = journal.advances.flatMap(({ withheld = [] }) => withheld.flatMap(indexesOf));
          const notOwed = records.flatMap((record, index) => (owed.includes(record) ? [] : index));
          expect(passed).toEqual(notOwed);
        },
      ),
      { numRuns: 60 },
    );
  });
});

const indexesOf = ({ after, upTo }: Withheld): number[] =>
  Array.from({ length: upTo.index - after.index }, (_, count) => after.index + 1 + count);

/** R8 in its plainest form. */
function owedOf(records: readonly RelayRecord[]): RelayRecord[] {
  const open = new Set<string>();
  return records.filter(({ id, severity, body }) => {
    const given = severity === 'high' || open.has(id);
    if (given) body.status === 'resolved' ? open.delete(id) : open.add(id);
    return given;
  });
}
