import type { Appended } from './journal.ts';
import type { SourceRecord } from './record.ts';

/** Why something is read: a poll for what is new, again for what became visible late, or for the first time. */
export const readingKinds = ['poll', 'overlap', 'sweep', 'backfill', 'retry'] as const;
export type ReadingKind = (typeof readingKinds)[number];

/** One answer of a source, and the checkpoint that is true once its records are kept. */
export interface Page {
  readonly reading: ReadingKind;
  readonly records: readonly SourceRecord[];
  /** The far end's time of the answer, milliseconds since 1970; `undefined` when it did not say, or nothing was asked. */
  readonly dateMs: number | undefined;
  /**
   * What was created before this (ticks) is new to us because reading began late, not because it was visible late;
   * without it: nothing.
   */
  readonly lateSince?: bigint;
  /** Stored in the same transaction as the records (K1); the source's own JSON text. */
  readonly checkpoint: string;
  /** Records older than this (ticks) need no longer be remembered as seen (K4). */
  readonly floor: bigint;
  /** The time up to which the source is known to have been read; ticks. For metrics. */
  readonly watermark: bigint;
  /** What cannot be read and is passed over for now: becomes dead letters of the source. */
  readonly unread?: readonly Unread[];
  /** `at` of what was unread and is so no longer, or in another way: these dead letters go before `unread` comes. */
  readonly readAgain?: readonly bigint[];
}

/** Kinds of not being readable; a closed set. */
export const unreadReasons = ['unreadable', 'too-large', 'too-many'] as const;
export type UnreadReason = (typeof unreadReasons)[number];

/** Records of one time, or of some, that a source cannot read while it can read others (R5). */
export interface Unread {
  /** Ticks: their revisions are this or later … */
  readonly at: bigint;
  /** … and before this. */
  readonly to: bigint;
  /** How many they are, as far as the far end has said. */
  readonly count?: number;
  readonly reason: UnreadReason;
  readonly detail: string;
}

/** A stretch of time as the far end shows it now. Windows follow each other without a hole. */
export interface Listed {
  /** Ticks: revisions from here … */
  readonly from: bigint;
  /** … until before here. */
  readonly to: bigint;
  /** All of them; with `unread`: those that came. */
  readonly records: readonly SourceRecord[];
  readonly unread?: Unread;
}

/** Times from `from` until before `to`; ticks. Without `to` there is no end. */
export interface Stretch {
  readonly from: bigint;
  readonly to?: bigint;
}

/** What a source owes by its checkpoint, and what it has not come to yet. */
export interface Standing {
  /** Nothing older is wanted: ticks. */
  readonly start: bigint;
  /** Up to here it has been read, but for what is open: ticks. */
  readonly watermark: bigint;
  /** It reads these by itself, for the first time or again: what is not there yet may come. */
  readonly open: readonly Stretch[];
}

/** Where a source stands, by its checkpoint: for status. Times are milliseconds since 1970. */
export interface Progress {
  /** Up to here it has been read, but for what is open. */
  readonly watermarkMs: number;
  /** Readings that have begun and not come to their end. */
  readonly open: readonly OpenReading[];
  /** How many times, and ranges of them, could not be read and are set aside. */
  readonly setAside: number;
}

/** `fromMs` moves towards `toMs`: what lies between is still to be read. */
export interface OpenReading {
  readonly reading: ReadingKind;
  readonly begunMs: number;
  readonly fromMs: number;
  readonly toMs: number;
}

/**
 * Something records are read from. The pipeline calls `read` again and again, one call at a time, and stores
 * each page before it asks for the next one, so an implementation needs no lock and no queue.
 */
export interface Source {
  /** The tenant it reads from, by its configured name. */
  readonly tenant: string;

  /**
   * One reading: what is new after `checkpoint`, page by page, and then, until the next one is due, what else is to
   * be read. Without a checkpoint it is the first reading ever. Passing faults (throttling, 5xx, network) are waited
   * out inside, without end.
   *
   * @throws {UnavailableError} this reading cannot go on; begin again from the last stored checkpoint
   */
  read(checkpoint: string | undefined, signal: AbortSignal): AsyncIterable<Page>;

  /**
   * Where a reading from `checkpoint` begins, for the log: `goes on from watermark 2026-11-23T02:00:00Z`; without a
   * checkpoint `reads for the first time, from …`. Does no I/O. A checkpoint that cannot be read is told by `read`.
   */
  describe?(checkpoint: string | undefined): string;

  /**
   * What the far end has with revisions from `from` until before `to`, oldest first, window by window. Moves nothing, and
   * leaves the quota to all others. Passing faults are waited out inside. Left out by a source that cannot list.
   *
   * @throws {UnavailableError} it cannot go on
   */
  list?(from: bigint, to: bigint, signal: AbortSignal): AsyncIterable<Listed>;

  /**
   * Where a checkpoint stands, for comparing what is listed; pure.
   *
   * @throws {Error} it is no checkpoint of this source
   */
  standing?(checkpoint: string): Standing;

  /** What an operator has to know about it as long as it is so: for status. */
  notes?(): readonly string[];

  /** Told what of a page it gave was news. */
  kept?(page: Page, appended: Appended): void;

  /** Lets go of everything. Safe twice. */
  close(): Promise<void>;
}
