import type { Append, Cursor, Journal } from '../src/core/journal.ts';
import type { Log } from '../src/core/log.ts';
import type { RelayRecord, SourceRecord } from '../src/core/record.ts';
import { openJournal } from '../src/journal/journal.ts';
import { alertRecord } from '../src/sources/graph-alerts/map.ts';
import type { Alerts } from './alerts.ts';
import { smallAlerts } from './small.ts';

const SINK = 'siem';
/** No source of a relay that is started on it: that has a checkpoint of its own. */
const PAGE_ORIGIN = { source: 'bench', tenant: 'simulator' } as const;
const MONTH_MS = 30 * 86_400_000;
/** Room for millions of records. */
const MOST_BYTES = 2 ** 35;

const troubles = (_: object, message: string) => console.error(message);
const log: Log = { debug() {}, info() {}, warn: troubles, error: troubles };

/** A journal that is open. */
export interface Opened {
  readonly journal: Journal;
  /** Where its sink stands. */
  readonly cursor: Cursor;
}

/** A journal with one sink, in a directory of its own, that lets go of nothing. */
export async function journalIn(directory: string): Promise<Opened> {
  const journal = await openJournal({ directory, maxBytes: MOST_BYTES, retentionMs: MONTH_MS, log });
  const positions = await journal.register([{ name: SINK, startFrom: 'journal', shape: '' }]);
  return { journal, cursor: positions.get(SINK)!.cursor };
}

/** Records as the relay makes them of an answer with these alerts. */
export function recordsOf(alerts: Pick<Alerts, 'page'>, from: number, to: number): SourceRecord[] {
  const { value } = JSON.parse(alerts.page({}, from, to).toString()) as { value: unknown[] };
  return value.map((row) => alertRecord(row)!);
}

export const pageOf = (records: readonly SourceRecord[]): Append => ({
  ...PAGE_ORIGIN,
  reading: 'poll',
  records,
  dateMs: undefined,
  checkpoint: '{}',
  floor: 0n,
  updates: 'all',
});

/** Most records of a loan, as a sink asks for them. */
const LOAN = 200;

/** Gives the sink so many records after a cursor, and notes that it has them. */
export async function deliver(
  journal: Journal,
  from: Cursor,
  count: number,
  look: (records: readonly RelayRecord[]) => void = () => {},
): Promise<Cursor> {
  let [cursor, left] = [from, count];
  while (left > 0) {
    const { records, ends } = await journal.take(
      cursor,
      Math.min(LOAN, left),
      AbortSignal.timeout(60_000),
      SINK,
    );
    cursor = ends.at(-1)!;
    left -= records.length;
    look(records);
    journal.advance({ sink: SINK, cursor, sequence: count - left, refused: [] });
  }
  return cursor;
}

/** Many: each page waits for the disk once. */
const FILL_PAGE = 10_000;

/** Puts these small records into the journal of a directory, all of them delivered. */
export async function fill(directory: string, from: number, to: number): Promise<void> {
  const { journal } = await journalIn(directory);
  let kept: Promise<unknown> = Promise.resolve();
  for (let at = from; at < to; at += FILL_PAGE) {
    const page = pageOf(recordsOf(smallAlerts, at, Math.min(to, at + FILL_PAGE)));
    await kept;
    kept = journal.append(page);
  }
  await kept;
  await journal.close();
  // One step to the end: to lend them all would take as long again.
  const again = (await journalIn(directory)).journal;
  const last = { batch: again.opening.lastBatch, index: -1 };
  const { ends } = await again.take(last, FILL_PAGE, AbortSignal.timeout(60_000), SINK);
  again.advance({ sink: SINK, cursor: ends.at(-1)!, sequence: to, refused: [] });
  await again.close();
}
