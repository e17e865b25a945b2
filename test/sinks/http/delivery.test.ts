import { expect, it } from 'vitest';
import type { Format } from '../../../src/core/format.ts';
import type { RelayRecord } from '../../../src/core/record.ts';
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

const linesOf = (records: readonly RelayRecord[]) =>
  records.flatMap((record) => format(record, { stream: 1, sequence: 1, sentMs: 0, maxBytes: 1 }));
/** By its alert: of the copies that a receiver gets the last one must be the newest revision. */
const newestOf = (lines: readonly string[]) => new Map(lines.map((line) => [JSON.parse(line).id, line]));

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
  const expected = linesOf(records);
  expect(new Set(receiver.taken)).toEqual(new Set(expected));
  expect(newestOf(receiver.taken)).toEqual(newestOf(expected));
  // What was answered for never comes again.
  expect(new Set(answered).size).toBe(answered.length);
  const cursors = journal.advances.map(({ cursor }) => cursor.index);
  expect(cursors).toEqual(cursors.toSorted((a, b) => a - b));
  expect(cursors.at(-1)).toBe(records.length - 1);
});

it('S4: with several requests under way sets aside what is refused, and nothing else, whatever comes late', async () => {
  const records = twice(30);
  const journal = new MemoryJournal(records);
  const isPoison = (line: string) => /"(a12|a25)"/.test(line);
  const receiver = await aReceiver(({ n, lines }) => {
    const after = turns(8 * (3 - (n % 4)) + 1);
    const [poison] = lines.filter(isPoison);
    if (poison !== undefined) return { status: poison.includes('a12') ? 400 : 413, after };
    if (n % 11 === 7) return { status: 503, after };
    if (n % 13 === 9) return { lost: true, after };
    return { after };
  });
  const { sink } = await openSink({ url: receiver.origin });
  await deliverAll(journal, deliverOptions(journal, sink, { format, maxInFlight: 4, batchSize: 3 }));
  const good = linesOf(records).filter((line) => !isPoison(line));
  expect(new Set(receiver.taken)).toEqual(new Set(good));
  expect(newestOf(receiver.taken)).toEqual(newestOf(good));
  const refused = journal.advances.flatMap((advance) => advance.refused);
  expect(refused.map(({ reason, record }) => `${record.id} ${reason}`)).toEqual([
    'a12 rejected',
    'a12 rejected',
    'a25 too-large',
    'a25 too-large',
  ]);
});
