import type { Repair, Repaired } from '../core/journal.ts';
import { retold, type SourceRecord } from '../core/record.ts';
import { compareTicks } from '../core/ticks.ts';
import type { Bounds } from './bounds.ts';
import type { Comparing } from './compare.ts';
import { changesOf } from './outcome.ts';
import type { BatchTable } from './tables/batches.ts';
import type { GapTable } from './tables/gaps.ts';
import type { MemoryTable } from './tables/memory.ts';
import type { RepairedTable } from './tables/repaired.ts';
import type { SinkTable } from './tables/sinks.ts';

export interface RepairingOptions {
  readonly batches: BatchTable;
  readonly sinks: SinkTable;
  readonly gaps: GapTable;
  readonly memory: MemoryTable;
  readonly repaired: RepairedTable;
  readonly comparing: Comparing;
  readonly bounds: Bounds;
}

/**
 * Puts in the journal what was found missing (K6). What has come meanwhile is left out: whoever found it looked at an
 * earlier time.
 */
export class Repairing {
  readonly #options: RepairingOptions;

  constructor(options: RepairingOptions) {
    this.#options = options;
  }

  /** Part of a transaction. Records that were never read are for all sinks, by the ordinary path. */
  forAll(source: number, { records, updates, ...key }: Repair, at: number): Repaired {
    const { batches, memory, comparing } = this.#options;
    const filling = batches.fill(at);
    let count = 0;
    for (const record of byRevision(records)) {
      const recalled = comparing.recall(source, record);
      if (!comparing.isUnread(recalled, updates)) continue;
      const changed = changesOf(record, recalled.known);
      const { json, ...told } = retold(key, record);
      const place = filling.add({ ...told, outcome: 'repair', ...(changed && { changed }) }, json);
      memory.remember(source, record, recalled.known, place);
      count++;
    }
    memory.store();
    filling.end();
    return { records: count };
  }

  /** Part of a transaction. Records that one sink was not given are for that one, in free room. */
  forSink(source: number, { sink: name = '', records, ...question }: Repair, at: number): Repaired {
    const { batches, sinks, gaps, repaired, comparing, bounds } = this.#options;
    const sink = sinks.all().get(name);
    if (!sink || sink.orphaned !== null) return { records: 0, why: 'no-sink' };
    // It would be let go of again.
    if (gaps.of(name).some(({ ended }) => ended === null)) return { records: 0, why: 'not-back' };
    const fates = comparing.fates(
      sink,
      question,
      records.map((record) => comparing.recall(source, record)),
    );
    const missing = records.filter((_, n) => fates[n] === 'in-gap' || fates[n] === 'filtered-before');
    const characters = missing.reduce((sum, { json }) => sum + json.length, 0);
    if (missing.length > 0 && !bounds.hasFreeRoom(characters)) return { records: 0, why: 'no-room' };
    const filling = batches.fill(at, name);
    for (const record of byRevision(missing)) {
      const { json, ...told } = retold(question, record);
      repaired.put(source, name, record, filling.add({ ...told, outcome: 'repair' }, json));
    }
    filling.end();
    return { records: missing.length };
  }
}

const byRevision = (records: readonly SourceRecord[]): SourceRecord[] =>
  records.toSorted((a, b) => compareTicks(a.revision, b.revision));
