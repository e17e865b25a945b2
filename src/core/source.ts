import type { SourceRecord } from './record.ts';

/** One answer of a source, and the checkpoint that is true once its records are kept. */
export interface Page {
  readonly records: readonly SourceRecord[];
  /** Stored in the same transaction as the records (K1); the source's own JSON text. */
  readonly checkpoint: string;
  /** Records older than this (ticks) need no longer be remembered as seen (K4). */
  readonly floor: bigint;
  /** The time up to which the source is known to have been read; ticks. For metrics. */
  readonly watermark: bigint;
  /** Records left out on purpose (`updates: none` and the like), for the count `filtered`. */
  readonly filtered: number;
}

/**
 * Something records are read from. The pipeline calls `read` again and again, one call at a time, and stores
 * each page before it asks for the next one, so an implementation needs no lock and no queue.
 */
export interface Source {
  /** The tenant it reads from, by its configured name. */
  readonly tenant: string;

  /**
   * One reading: everything the source has after `checkpoint`, page by page. Without a checkpoint it is the
   * first reading ever. Passing faults (throttling, 5xx, network) are waited out inside, without end.
   *
   * @throws {UnavailableError} this reading cannot go on; begin again from the last stored checkpoint
   */
  read(checkpoint: string | undefined, signal: AbortSignal): AsyncIterable<Page>;

  /** Lets go of everything. Safe twice. */
  close(): Promise<void>;
}
