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
  readonly #told: StatementSync;
  readonly #tell: StatementSync;

  constructor(database: DatabaseSync) {
    const rows = `
      SELECT source.source, source.tenant, product, first_seen, last_seen, records, alerts, first_created,
             last_created, longest_gap, lateness
      FROM coverage JOIN source ON source.id = coverage.source`;
    this.#all = database.prepare(`${rows} ORDER BY source.source, source.tenant, product`);
    this.#of = database.prepare(`${rows} WHERE coverage.source = ? AND product = ?`);
    this.#told = database.prepare("SELECT value FROM meta WHERE key = 'coverage-told'");
    this.#tell = database.prepare("INSERT OR REPLACE INTO meta (key, value) VALUES ('coverage-told', ?)");
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

  /** When the sinks were told of it last, and how many records of each product there were then. */
  told(): { readonly at: number; records(key: ProductKey): number } | undefined {
    const row = one<{ value: string }>(this.#told);
    const found = row && toldOf(row.value);
    if (!found) return undefined;
    return { at: found.at, records: (key) => found.counts[nameOf(key)] ?? 0 };
  }

  /** They are told now. */
  tell(at: number, all: readonly Coverage[]): void {
    const counts = Object.fromEntries(all.map((each) => [nameOf(each), each.records]));
    this.#tell.run(JSON.stringify({ at, counts }));
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

type ProductKey = Pick<Coverage, 'source' | 'tenant' | 'product'>;

const nameOf = ({ source, tenant, product }: ProductKey) => JSON.stringify([source, tenant, product]);

/** What cannot be read is forgotten: it is told anew from now on. */
function toldOf(text: string): { at: number; counts: Record<string, number> } | undefined {
  try {
    const { at, counts } = JSON.parse(text) as { at?: unknown; counts?: unknown };
    if (typeof at !== 'number' || typeof counts !== 'object' || counts === null) return undefined;
    return { at, counts: counts as Record<string, number> };
  } catch {
    return undefined;
  }
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
