import type { Logger } from 'pino';
import type { Appended, Journal } from '../core/journal.ts';
import type { RelayRecord } from '../core/record.ts';
import type { TenantGraph } from '../net/graph.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { News } from '../observe/news.ts';
import type { Vitals } from '../observe/vitals.ts';

/** What all sources and sinks of a relay have in common. */
export interface PartContext {
  readonly version: string;
  readonly log: Logger;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Milliseconds of a clock that nobody sets. */
  readonly steady: () => number;
  /** From 0 to below 1. */
  readonly random: () => number;
  readonly metrics: Metrics;
  readonly vitals: Vitals;
  readonly news: News;
  readonly journal: Journal;
  readonly watch?: Watch | undefined;
}

/** Is told of what is kept and delivered. */
export interface Watch {
  kept?(appended: Appended): void;
  delivered?(sink: string, records: readonly RelayRecord[]): void;
}

/** The connection to Graph of each tenant, and its credential, by its name. */
export type Graphs = ReadonlyMap<string, TenantGraph>;

/** A source or a sink. Making one does no I/O and is not seen from outside; it begins with its `run`, once. */
export interface Part {
  /** It has left the config: nothing is told of it any more. */
  forget(): Promise<void>;
  /** Lets go of everything. Safe without `run` and safe twice. */
  close(): Promise<void> | void;
}
