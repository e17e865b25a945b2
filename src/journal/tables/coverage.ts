import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { type Coverage, covered, type Sighting } from '../../core/coverage.ts';
import type { SourceKey } from '../../core/journal.ts';
import { one } from './row.ts';

interface CoverageRow {
  readonly source: string;
  readonly tenant: string;
  readonly product: string;
  readonly first_seen: number;
  readonly last_seen: number;
  readonly records: number;
  readonly alerts: number;
  readonly first_created: number;
  readonly last_created: number;
  readonly longest_gap: number;
  readonly lateness: string;
}

/** Which products each source has shown. A product is one of a closed set, so the table stays small. */
export class CoverageTable {
  readonly #all: StatementSync;
  readonly #of: StatementSync;
  readonly #put: StatementSync;

  constructor(database: DatabaseSync) {
    const rows = `
      SELECT source.source, source.tenant, product, first_seen, last_seen, records, alerts, first_created,
             last_created, longest_gap, lateness
      FROM coverage JOIN source ON source.id = coverage.source`;
    this.#all = database.prepare(`${rows} ORDER BY source.source, source.tenant, product`);
    this.#of = database.prepare(`${rows} WHERE coverage.source = ? AND product = ?`);
    this.#put = database.prepare('INSERT OR REPLACE INTO coverage VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)');
  }

  /** Notes what was news of an answer. @param source the number of the source */
  add(source: number, key: SourceKey, sightings: readonly Sighting[]): void {
    for (const [product, each] of Map.groupBy(sightings, (sighting) => sighting.product)) {
      const row = one<CoverageRow>(this.#of, source, product);
      let known = row && coverageOf(row);
      for (const sighting of each) known = covered(known, key, sighting);
      if (known) this.#store(source, known);
    }
  }

  all(): Coverage[] {
    return (this.#all.all() as unknown as CoverageRow[]).map(coverageOf);
  }

  #store(source: number, { product, firstSeenMs, lastSeenMs, records, rhythm, lateness }: Coverage): void {
    const { alerts = 0, firstMs = 0, lastMs = 0, longestGapMs = 0 } = rhythm ?? {};
    const times = [firstSeenMs, lastSeenMs].map(Math.trunc) as [number, number];
    const counts = JSON.stringify(lateness);
    this.#put.run(source, product, ...times, records, alerts, firstMs, lastMs, longestGapMs, counts);
  }
}

function coverageOf(row: CoverageRow): Coverage {
  const { source, tenant, product, records, alerts } = row;
  return {
    source,
    tenant,
    product,
    firstSeenMs: row.first_seen,
    lastSeenMs: row.last_seen,
    records,
    rhythm:
      alerts > 0
        ? { alerts, firstMs: row.first_created, lastMs: row.last_created, longestGapMs: row.longest_gap }
        : undefined,
    lateness: countsOf(row.lateness),
  };
}

/** Nothing that is worth losing a journal for. */
function countsOf(text: string): number[] {
  try {
    const found: unknown = JSON.parse(text);
    return Array.isArray(found) ? found : [];
  } catch {
    return [];
  }
}
