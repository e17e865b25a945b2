import { JournalError } from '../core/errors.ts';
import type { Cursor, Found, Search, Searched } from '../core/journal.ts';
import { isOwn, type Retold } from '../core/record.ts';
import { msOfTicks } from '../core/ticks.ts';
import { stringOf } from '../lib/json.ts';
import { MAX_BYTES, MAX_RECORDS, readRecords } from './batch.ts';
import type { JournalNotice } from './protocol.ts';
import type { BatchTable } from './tables/batches.ts';

/** A record is looked for only in batches that were written at its time or later; so far clocks may differ. */
const AHEAD_MS = 24 * 3_600_000;
/** Most batches of which only the head is looked at in one piece. */
const MOST_LOOKED = 1_000;

/** Finds records by their time, and reads them as they came: for a replay. */
export class Searching {
  readonly #batches: BatchTable;
  readonly #notify: (notice: JournalNotice) => void;

  constructor(batches: BatchTable, notify: (notice: JournalNotice) => void) {
    this.#batches = batches;
    this.#notify = notify;
  }

  search({ from, to, after }: Search): Searched {
    const first = this.#batches.first();
    const earliest = msOfTicks(from) - AHEAD_MS;
    const found: Found[] = [];
    let id = Math.max(after, (first?.id ?? 1) - 1);
    let missing = 0;
    let bytes = 0;
    for (let looked = 0; id < this.#batches.last && looked < MOST_LOOKED && bytes < MAX_BYTES; looked++) {
      const head = this.#batches.head(++id);
      if (!head || head.target !== null || head.at < earliest) continue;
      bytes += head.bytes;
      const records = this.#unread(id);
      if (!records) missing += head.records;
      for (const [index, record] of (records ?? []).entries()) {
        const { revision } = record;
        if (revision < from || revision >= to || isOwn(record)) continue;
        found.push({ revision, place: { batch: id, index } });
      }
    }
    return { found, broken: missing, after: id < this.#batches.last ? id : undefined, sinceMs: first?.at };
  }

  recordsAt(places: readonly Cursor[]): { places: number; records: Retold[] } {
    const batches = new Map<number, readonly Retold[] | undefined>();
    const records: Retold[] = [];
    let characters = 0;
    let count = 0;
    for (const { batch, index } of places) {
      if (!batches.has(batch)) batches.set(batch, this.#unread(batch));
      const record = batches.get(batch)?.[index];
      characters += record?.json.length ?? 0;
      if (count > 0 && (count >= MAX_RECORDS || characters > MAX_BYTES)) break;
      count++;
      if (record) records.push(record);
    }
    return { places: count, records };
  }

  /**
   * The records of a batch, with their bodies as they came; `undefined`: it is not there, or not as it was written. What
   * was delivered is no reason to end the relay.
   */
  #unread(id: number): Retold[] | undefined {
    if (!this.#batches.head(id)) return undefined;
    try {
      const { head, text } = this.#batches.read(id);
      return readRecords(head.format, text()).map(({ outcome: _, json, ...record }) => ({
        ...record,
        json: stringOf(json),
      }));
    } catch (error) {
      if (!(error instanceof JournalError)) throw error;
      this.#notify({ level: 'error', fields: { batch: id }, message: error.message });
      return undefined;
    }
  }
}
