import type { Cursor, Moved } from '../core/journal.ts';
import { spellCount } from '../lib/spell.ts';
import { readRecords } from './batch.ts';
import { newNumbering } from './numbering.ts';
import { joined, type Range, rangeOf } from './ranges.ts';
import type { BatchTable } from './tables/batches.ts';
import type { GapTable } from './tables/gaps.ts';
import type { SinkRow, SinkTable } from './tables/sinks.ts';

export interface LossesOptions {
  readonly batches: BatchTable;
  readonly sinks: SinkTable;
  readonly gaps: GapTable;
  readonly warn: (fields: object, message: string) => void;
}

interface Loss {
  readonly row: SinkRow;
  to: Cursor;
  ranges: Range[];
}

/** What sinks that are not required lose in one transaction (K6), until it is written down as gaps of theirs. */
export class Losses {
  readonly #options: LossesOptions;
  readonly #losses = new Map<string, Loss>();

  constructor(options: LossesOptions) {
    this.#options = options;
  }

  /** These sinks, which stand in a batch or before it, lose what they still need of it. */
  add(rows: readonly SinkRow[], id: number): void {
    const { head, text } = this.#options.batches.read(id);
    const ranges = readRecords(head.format, text()).map(rangeOf);
    for (const row of rows) {
      const loss = this.#losses.get(row.name) ?? { row, to: row.cursor, ranges: [] };
      const from = row.cursor.batch === id ? row.cursor.index + 1 : 0;
      const isMeant = head.target === null || head.target === row.name;
      if (isMeant) loss.ranges = joined([...loss.ranges, ...ranges.slice(from)]);
      loss.to = { batch: id, index: head.records - 1 };
      this.#losses.set(row.name, loss);
    }
  }

  /** Each of these sinks stands behind what it has lost from now on. Returns those that have lost anything. */
  write(at: number): Moved[] {
    return [...this.#losses.values()].flatMap((loss) => this.#write(loss, at));
  }

  #write({ row, to, ranges }: Loss, at: number): Moved[] {
    const { sinks, gaps, warn } = this.#options;
    const { name: sink } = row;
    const cursor = { batch: to.batch + 1, index: -1 };
    const records = ranges.reduce((sum, range) => sum + range.records, 0);
    if (records === 0) {
      sinks.put({ ...row, cursor });
      return [];
    }
    // In new streams: what comes next does not follow on what was numbered before (S6).
    const numbers = newNumbering();
    const apart = newNumbering();
    sinks.put({ ...row, cursor, ...numbers });
    sinks.putApart(sink, apart);
    if (gaps.add({ sink, from: row.cursor, to, records, ranges, reason: 'full' }, at) === 'begun')
      warn(
        { sink, records, from: row.cursor },
        `the journal is full of what waits for sink ${sink}, which is not required: the oldest of it ` +
          `(${spellCount(records, 'record')} so far) is let go of and written down as a gap, until the sink takes some again`,
      );
    return [{ sink, position: { cursor, ...numbers, apart } }];
  }
}
