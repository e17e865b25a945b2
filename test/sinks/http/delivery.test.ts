import { expect, it } from 'vitest';
import type { Format } from '../../../src/core/format.ts';
import { deliverAll, deliverOptions } from '../../pipeline/delivering.ts';
import { aReceiver } from '../../support/http-receiver.ts';
import { MemoryJournal } from '../../support/memory-journal.ts';
import { aRecord } from '../../support/records.ts';
import { openSink } from './support.ts';

/** Two revisions of each of so many alerts, near to each other. */
const twice = (count: number) =>
  Array.from({ length: 2 * count }, (_, n) => {
    const id = `a${Math.floor(n / 4) * 2 + (n % 2)}`;
    return aRecord({ id, lastUpdateDateTime: `2025-03-04T10:00:00.${String(n).padStart(4, '0')}Z` });
  });
const format: Format = ({ id, revision }) => [JSON.stringify({ id, revision: String(revision) })];

/** Resolves after so many turns of the event loop. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise(setImmediate);
}

it('S1: with several requests under way skips nothing and keeps the order of each alert', async () => {
  const records = twice(30);
  const journal = new MemoryJournal(records);
  // The later a request comes of four, the sooner it is answered; some of them are not, or too late.
  const answered: string[] = [];
  const receiver = await aReceiver(({ n, lines }) => {
    const after = turns(8 * (3 - (n % 4)) + 1);
    if (n % 11 === 7) return { status: 503, after };
    if (n % 13 === 9) return { lost: true, after };
    answered.push(...lines);
    return { after };
  });
  const { sink } = await openSink({ url: receiver.origin });
  await deliverAll(journal, deliverOptions(journal, sink, { format, maxInFlight: 4, batchSize: 2 }));
  expect(receiver.most).toBeGreaterThan(1);
  expect(receiver.most).toBeLessThanOrEqual(4);
  const expected = records.map(
    (record) => format(record, { stream: 1, sequence: 1, sentMs: 0, maxBytes: 1 })[0],
  );
  expect(new Set(receiver.taken)).toEqual(new Set(expected));
  // Of the copies of an alert the last one is the newest revision.
  const last = new Map(receiver.taken.map((line) => [JSON.parse(line).id, line]));
  expect(last).toEqual(new Map(expected.map((line) => [JSON.parse(line!).id, line!])));
  // What was answered for never comes again.
  expect(new Set(answered).size).toBe(answered.length);
  const cursors = journal.advances.map(({ cursor }) => cursor.index);
  expect(cursors).toEqual(cursors.toSorted((a, b) => a - b));
  expect(cursors.at(-1)).toBe(records.length - 1);
});
