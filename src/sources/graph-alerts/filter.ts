import type { SourceRecord } from '../../core/record.ts';

/** Which alerts are wanted; an empty list wants all. */
export interface Filter {
  /** The product: left to Graph, because it never changes. */
  readonly serviceSource: readonly string[];
  readonly severity: readonly string[];
  readonly status: readonly string[];
}

/**
 * Whether an alert is wanted by itself. Severity and status change, so this is not left to Graph: the journal tells
 * an alert that was wanted once from then on, also when it is lowered, else it could never be closed in the SIEM (R8).
 */
export function isWanted({ severity }: SourceRecord, row: unknown, filter: Filter): boolean {
  const { status } = row as { status?: unknown };
  return isIn(filter.severity, severity) && isIn(filter.status, status);
}

const isIn = (wanted: readonly string[], value: unknown): boolean =>
  wanted.length === 0 || (typeof value === 'string' && wanted.includes(value));
