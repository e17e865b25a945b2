import type { Coverage } from './coverage.ts';
import type { Mark } from './mark.ts';
import type { Outcome, RelayRecord, SourceRecord } from './record.ts';
import type { RefusalReason } from './sink.ts';
import type { ReadingKind, Unread } from './source.ts';

/** A source as the journal knows it: a source runs once per tenant (R1). */
export interface SourceKey {
  readonly source: string;
  readonly tenant: string;
}

/** An answer of a source, to be kept in one transaction (K1). */
export interface Append extends SourceKey {
  readonly records: readonly SourceRecord[];
  /** Which reading the answer belongs to, its time, and since when something can be late (see `Page`): for coverage. */
  readonly reading: ReadingKind;
  readonly dateMs: number | undefined;
  readonly lateSince?: bigint;
  readonly checkpoint: string;
  /** `seen` rows of an older revision (ticks) may go (K4). */
  readonly floor: bigint;
  /** `none`: only the first sight of an id is kept (design D14). */
  readonly updates: 'all' | 'none';
  /** Become dead letters of the source, in the same transaction. */
  readonly unread?: readonly Unread[];
  /** Times of which the source's dead letters go, in the same transaction, before those of `unread` come. */
  readonly readAgain?: readonly bigint[];
}

/** What became of the records of an answer; the sum is `records.length`. */
export interface Appended {
  /** Put in the journal. */
  readonly new: number;
  /** Known already: same id, revision and fingerprint, or the limit of `unrevised` bodies was reached. */
  readonly duplicate: number;
  /** Not wanted (`updates: none`, or by the source's filter). */
  readonly filtered: number;
  /** The ones put in the journal, by their index among the records, and as what. */
  readonly told: readonly { readonly index: number; readonly outcome: Outcome }[];
}

/** How far one sink has come: everything up to and including `index` of batch `batch` is done (K5). */
export interface Cursor {
  readonly batch: number;
  readonly index: number;
}

/** A sink's committed position: where it goes on from. */
export interface Position {
  readonly cursor: Cursor;
  /** Identity of the run of numbers (S6). */
  readonly stream: number;
  /** Running number of the last event up to the cursor (S6). */
  readonly sequence: number;
}

/** Some consecutive records after a cursor. */
export interface Loan {
  /** Never empty; `ends[i]` is the cursor that says "done up to and with records[i]". */
  readonly records: readonly RelayRecord[];
  readonly ends: readonly Cursor[];
}

/** An id, whatever its revision (R1). */
export interface RecordId extends SourceKey {
  readonly id: string;
}

/** Whether a sink goes on with an id, whatever becomes of it, from this record on (R8). */
export interface Follow extends RecordId {
  readonly revision: bigint;
  /** `true`: it goes on with it. `false`: no longer, it has been told the end. */
  readonly on: boolean;
}

/** A record that a sink will never be given, with the reason. */
export interface Refusal {
  readonly record: RelayRecord;
  readonly reason: RefusalReason;
  readonly detail: string;
}

/** A step of a sink's cursor over records that are confirmed, refused or filtered. */
export interface Advance {
  readonly sink: string;
  readonly cursor: Cursor;
  readonly sequence: number;
  /** Become dead letters in the same transaction. */
  readonly refused: readonly Refusal[];
  /** Noted in the same transaction, in the order of the records. Left out by a sink that follows no ids. */
  readonly follow?: readonly Follow[];
}

/** A sink that is in the config. */
export interface SinkRegistration {
  readonly name: string;
  /** Where a sink begins that the journal has never seen (K8). */
  readonly startFrom: 'now' | 'journal';
  /** Hash of what makes its events (match, format, budget): another one begins a new stream (S6). */
  readonly shape: string;
}

export interface JournalStats {
  /** Records that some sink still needs. */
  readonly pending: number;
  /** Records in the journal. */
  readonly records: number;
  /** Size by K6: used pages and WAL. */
  readonly bytes: number;
  readonly limitBytes: number;
  readonly paused: boolean;
  readonly sinks: readonly SinkStats[];
  readonly deadLetters: readonly {
    readonly kind: 'sink' | 'source';
    readonly name: string;
    readonly count: number;
  }[];
}

export interface SinkStats {
  readonly name: string;
  readonly pending: number;
  /** When the oldest pending record was journaled, milliseconds since 1970. */
  readonly oldestPendingMs: number | undefined;
}

/** What was found at opening; for the first log lines (D16). */
export interface JournalOpening {
  /** `true`: there was no journal, this is a first start. */
  readonly created: boolean;
  readonly schema: number;
  readonly lastBatch: number;
  readonly records: number;
}

/**
 * The bounded, durable queue on disk (rules K1 to K8). All methods but `close` throw {@link JournalError} when
 * the journal cannot be used any more; nothing may then be polled or sent until it has been opened again.
 */
export interface Journal {
  readonly opening: JournalOpening;

  /** For work on records that the process may die of. */
  readonly mark: Mark;

  /**
   * Rejects with the {@link JournalError} when the journal is lost (an I/O error, a broken row, its thread died);
   * never settles otherwise. Need not be listened to.
   */
  readonly failed: Promise<never>;

  /** The checkpoint of a source, or `undefined` before its first answer. */
  checkpoint(key: SourceKey): Promise<string | undefined>;

  /**
   * Keeps an answer: records that are not known, their `seen` rows, and the checkpoint, in one transaction.
   * Resolves when that is on disk.
   */
  append(page: Append): Promise<Appended>;

  /** Resolves when there is room for more records (K6); at once when the journal is not full. */
  room(signal: AbortSignal): Promise<void>;

  /**
   * Makes a cursor for each sink that has none and returns where each goes on from. Called once, with all
   * configured sinks, before the first `append` (K8).
   */
  register(sinks: readonly SinkRegistration[]): Promise<ReadonlyMap<string, Position>>;

  /** The next records after `cursor`, at most `limit`; waits until there are some. */
  take(cursor: Cursor, limit: number, signal: AbortSignal): Promise<Loan>;

  /** The next records as {@link take} gives them; `undefined` when there are none yet. */
  peek(cursor: Cursor, limit: number, signal: AbortSignal): Promise<Loan | undefined>;

  /**
   * Notes a sink's progress; it is on disk within 100 ms, or after `flush`. A cursor never moves back: a step
   * that does not go beyond the newest one of its sink is passed over, with its refusals.
   */
  advance(step: Advance): void;

  /**
   * Of each id: does the sink go on with it? As of the newest step that was given to `advance`, on disk or not.
   */
  follows(sink: string, ids: readonly RecordId[]): Promise<readonly boolean[]>;

  /** Resolves when everything noted by `advance` is on disk. */
  flush(): Promise<void>;

  stats(): Promise<JournalStats>;

  /** Which products were seen, and how. */
  coverage(): Promise<readonly Coverage[]>;

  /** Flushes and closes. Safe twice. */
  close(): Promise<void>;
}
