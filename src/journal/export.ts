import type { RelayRecord } from '../core/record.ts';
import { isoOfTicks } from '../core/ticks.ts';
import { decodeRecords } from './batch.ts';
import { type Checked, checkJournal } from './check.ts';
import { refusedRecord, type StoredDeadLetter } from './tables/dead-letters.ts';
import { numbered } from './tables/kept.ts';

/** A record as it stands in the journal. */
export interface Exported extends Omit<RelayRecord, 'revision' | 'body'> {
  /** The source's own update time, ISO 8601 in UTC with seven digits. */
  readonly revision: string;
  /** Where it stands; left out for what is kept as a dead letter. */
  readonly batch?: number;
  readonly index?: number;
  /** The only sink that is given it. */
  readonly target?: string;
  readonly deadLetter?: {
    readonly id: number;
    readonly sink: string;
    readonly reason: string;
    readonly detail: string;
  };
  readonly body: RelayRecord['body'];
}

/**
 * All records of a journal that are whole, in pieces: first what sinks refused, then the batches in their order.
 * Returns what was found on the way.
 */
export function* exportJournal(directory: string): Generator<readonly Exported[], Checked> {
  let piece: Exported[] = [];
  const going = checkJournal(directory, {
    keep: {
      rows(table, rows) {
        if (table !== 'dead_letter') return;
        const letters = rows.map((row) => numbered(row) as unknown as StoredDeadLetter);
        for (const letter of letters.filter(({ kind }) => kind === 'sink')) {
          const { id, name, reason, detail } = letter;
          piece.push({
            ...told(refusedRecord(letter, true)),
            deadLetter: { id, sink: name, reason, detail },
          });
        }
      },
      batch({ id, format, target }, _, text) {
        for (const [index, record] of decodeRecords(format, text).entries())
          piece.push({ batch: id, index, ...(target !== null && { target }), ...told(record) });
      },
    },
  });
  for (;;) {
    const step = going.next();
    if (piece.length > 0) yield piece;
    piece = [];
    if (step.done) return step.value;
  }
}

function told({ revision, body, ...head }: RelayRecord) {
  return { ...head, revision: isoOfTicks(revision), body };
}
