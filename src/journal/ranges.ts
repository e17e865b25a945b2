import type { SourceKey } from '../core/journal.ts';
import type { RelayRecord } from '../core/record.ts';

/** Records of one source and tenant whose revisions lie in a range of time, ends included. */
export interface Range extends SourceKey {
  /** Ticks. */
  readonly from: bigint;
  readonly to: bigint;
  readonly records: number;
}

/** What lies nearer to each other is one range: to read a day too much costs less than a range more. */
const NEAR = 86_400n * 10_000_000n;
/** More are not kept; each source and tenant has one at least. */
const MOST = 32;

export function rangeOf({
  source,
  tenant,
  revision,
}: Pick<RelayRecord, 'source' | 'tenant' | 'revision'>): Range {
  return { source, tenant, from: revision, to: revision, records: 1 };
}

/** The same in few ranges, none of which is long because of a single record of old. */
export function joined(ranges: readonly Range[]): Range[] {
  const sorted = ranges.toSorted(byPlace);
  const near = joinedWithin(sorted, NEAR);
  const gaps = near.slice(1).flatMap((range, index) => distance(near[index]!, range) ?? []);
  const excess = Math.min(near.length - MOST, gaps.length);
  if (excess <= 0) return near;
  const widest = gaps.toSorted((a, b) => (a < b ? -1 : 1))[excess - 1]!;
  return joinedWithin(near, widest);
}

function joinedWithin(sorted: readonly Range[], within: bigint): Range[] {
  const result: Range[] = [];
  for (const range of sorted) {
    const last = result.at(-1);
    const apart = last && distance(last, range);
    if (last === undefined || apart === undefined || apart > within) result.push(range);
    else {
      const to = range.to > last.to ? range.to : last.to;
      result[result.length - 1] = { ...last, to, records: last.records + range.records };
    }
  }
  return result;
}

/** From the end of one to the begin of a later one; `undefined` when they are not of one source and tenant. */
function distance(a: Range, b: Range): bigint | undefined {
  return a.source === b.source && a.tenant === b.tenant ? b.from - a.to : undefined;
}

function byPlace(a: Range, b: Range): number {
  const names = compare(a.source, b.source) || compare(a.tenant, b.tenant);
  return names || compare(a.from, b.from);
}

function compare<T extends string | bigint>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
