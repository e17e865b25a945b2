import type { Coverage } from './coverage.ts';
import type { Mark } from './mark.ts';
import type { OwnEvent } from './own-event.ts';
import type { Outcome, RelayRecord, Retold, SourceRecord } from './record.ts';
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
  /** They may be known already: that has been forgotten for want of room (K6). Left out: none. */
  readonly unknown?: number;
  /** The ones put in the journal, by their index among the records, and as what. */
  readonly told: readonly { readonly index: number; readonly outcome: Outcome }[];
}

/** How far one sink has come: everything up to and including `index` of batch `batch` is done (K5). */
export interface Cursor {
  readonly batch: number;
  readonly index: number;
}

/** A run of numbers for events (S6). */
export interface Numbering {
  /** Its identity. */
  readonly stream: number;
  /** The last number that was given. */
  readonly sequence: number;
}

/** A window that a source has listed, to be compared with what is known of it. */
export interface Comparison extends SourceKey {
  /** Ticks: revisions from here … */
  readonly from: bigint;
  /** … until before here. */
  readonly to: bigint;
  /** What the far end has now. */
  readonly records: readonly Pick<SourceRecord, 'id' | 'revision' | 'created' | 'unwanted'>[];
  /** As for {@link Append}. */
  readonly updates: 'all' | 'none';
}

/** What has become of a record that a source lists, for one sink. */
export const fates = [
  'given',
  /** It waits in the journal. */
  'waiting',
  /** The sink does not want it. */
  'filtered',
  /** The sink did not want it, by another `match` or format than the present ones. */
  'filtered-before',
  /** The sink has refused it: a dead letter, or it was one. */
  'refused',
  /** It lies in a gap of the sink. */
  'in-gap',
  /** It has never been put in the journal. */
  'unread',
  /** The source's filter does not want it, or its `updates`. */
  'unwanted',
  /** A newer revision of it is known. */
  'replaced',
  /** What is remembered does not go back so far, or the sink was not there. */
  'unknown',
] as const;
export type Fate = (typeof fates)[number];

/** What is known of a window. */
export interface Compared {
  /** Of each record, for each sink that is in the config. */
  readonly fates: ReadonlyMap<string, readonly Fate[]>;
  /** What was put in the journal, and is not listed any more; by the hour of its revision (milliseconds since 1970). */
  readonly extra: readonly Extra[];
}

export interface Extra {
  readonly hourMs: number;
  /** A newer revision has taken its place: that is as it should be. */
  readonly replaced: number;
  /** The far end does not show it any more. */
  readonly gone: number;
}

/** Records that were found missing, to be kept and marked as `repair`. */
export interface Repair extends SourceKey {
  readonly records: readonly SourceRecord[];
  /** The only sink that was not given them. Left out: they were never read, and are for all. */
  readonly sink?: string;
  /** As for {@link Append}. */
  readonly updates: 'all' | 'none';
}

export interface Repaired {
  /** So many were kept; the others were not missing any more. */
  readonly records: number;
  /**
   * Why none was. `no-room`: there is no free room at present; `not-back`: the sink has taken nothing since its gap;
   * `no-sink`: the journal has no such sink, or it is not in the config.
   */
  readonly why?: 'no-room' | 'not-back' | 'no-sink';
}

/** What a sink was knowingly not given, until it has been refilled (K6). */
export interface Gap {
  readonly id: number;
  readonly sink: string;
  /** At most. */
  readonly records: number;
  /** By their revisions (ticks), ends included. */
  readonly ranges: readonly (SourceKey & {
    readonly from: bigint;
    readonly to: bigint;
    readonly records: number;
  })[];
  /** When records were let go of last, milliseconds since 1970. */
  readonly grownMs: number;
  /** The sink has not come on since. */
  readonly open: boolean;
}

/** A sink's committed position: where it goes on from. Its numbers are those of the events up to the cursor. */
export interface Position extends Numbering {
  readonly cursor: Cursor;
  /** Of what is told by somebody's wish: retry, replay, repair. Left out: these have no numbers of their own. */
  readonly apart?: Numbering;
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

/** Consecutive records that a sink is not given: all after `after` up to and with `upTo` that it was lent. */
export interface Withheld {
  readonly after: Cursor;
  readonly upTo: Cursor;
  readonly why: 'filtered' | 'refused';
}

/** A step of a sink's cursor over records that are confirmed, refused or filtered. */
export interface Advance {
  readonly sink: string;
  readonly cursor: Cursor;
  /** Of these numbers. When the journal has put the sink in others meanwhile (see {@link Moved}), those stay. Left out: its own. */
  readonly stream?: number;
  readonly sequence: number;
  /** Left out: as it was. */
  readonly apart?: Numbering;
  /** Become dead letters in the same transaction. */
  readonly refused: readonly Refusal[];
  /** Which of the records the sink was not given, for the ledger (K5); in order. Left out: it was given all. */
  readonly withheld?: readonly Withheld[];
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
  /** Name that it had: one that the journal does not know by its present name goes on where that one stood (K8). */
  readonly formerly?: string | undefined;
  /** `false`: when what waits for it fills the journal, the oldest of it is let go of, as a gap (K6). */
  readonly required?: boolean;
}

/** Dead letters that somebody means. */
export type DeadLetterChoice = { readonly ids: readonly number[] } | { readonly sink: string };

/** What became of dead letters. */
export interface Handled {
  /** Their ids. */
  readonly done: readonly number[];
  /** Those that stay, and why, for people. */
  readonly left: readonly { readonly id: number; readonly why: string }[];
}

/**
 * What became of records for one sink alone; `no-room`: there is no free room at present; `no-sink`: the journal has no
 * such sink, or it is not in the config. Of these nothing was appended.
 */
export type AppendedFor = 'appended' | 'no-room' | 'no-sink';

/** Which records are looked for: those whose update time lies in the range, behind batch `after`. Times are in ticks. */
export interface Search {
  readonly from: bigint;
  /** Before here. */
  readonly to: bigint;
  readonly after: number;
}

/** What was found in one piece of the journal. */
export interface Searched {
  /** In the order of the journal. */
  readonly found: readonly Found[];
  /** So many records could not be looked at: they are not as they were written. */
  readonly broken: number;
  /** Where to look next; `undefined`: that was all there is. */
  readonly after: number | undefined;
  /**
   * All that was journaled since then is there, milliseconds since 1970; `undefined`: nothing was ever journaled. What was
   * updated earlier and came before that is not.
   */
  readonly sinceMs: number | undefined;
}

/** A record that the journal has. */
export interface Found {
  readonly revision: bigint;
  readonly place: Cursor;
}

/** What became of a sink that was to be forgotten; `configured`: it is one of the config's, and stays. */
export type Forgotten = 'forgotten' | 'configured' | 'unknown';

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
  /** It makes nobody wait: see {@link SinkRegistration}. */
  readonly required?: false;
  /** What it was knowingly not given. */
  readonly gaps?: GapStats;
}

/** The gaps of one sink. */
export interface GapStats {
  readonly count: number;
  /** At most: some of them may have been on their way. */
  readonly records: number;
  /** Times of the records, milliseconds since 1970. */
  readonly oldestMs: number;
  readonly newestMs: number;
  /** When records were let go of last, milliseconds since 1970. */
  readonly grownMs: number;
  /** The sink has not come on since. */
  readonly open: boolean;
}

/** The journal has let go of what a sink was to be given next: the sink goes on here, in a new stream (K6). */
export interface Moved {
  readonly sink: string;
  readonly position: Position;
}

/** What was found at opening; for the first log lines (D16). */
export interface JournalOpening {
  /** `true`: there was no journal, this is a first start. */
  readonly created: boolean;
  /** Whoever had it last has closed it: it was not killed. */
  readonly clean: boolean;
  readonly schema: number;
  readonly lastBatch: number;
  readonly records: number;
}

/** The disk under the journal is full or at fault, and the journal waits for it. */
export interface Fault {
  /** For people: what it is, and what to do. */
  readonly message: string;
  /** Sinks go on, and only sources wait: it is full, and some room was kept for that. */
  readonly usable: boolean;
}

/**
 * The bounded, durable queue on disk (rules K1 to K8). All methods but `close` throw {@link JournalError} when
 * the journal cannot be used any more; nothing may then be polled or sent until it has been opened again.
 *
 * A fault of the disk is no such end: the journal opens itself again as soon as it can. Meanwhile `append`, `stats`
 * and `flush` throw {@link JournalUnavailableError}, what reads waits, and what `advance` has noted is kept.
 */
export interface Journal {
  readonly opening: JournalOpening;

  /** What is wrong with the disk at present. */
  readonly fault: Fault | undefined;

  /** For work on records that the process may die of. */
  readonly mark: Mark;

  /**
   * Rejects with the {@link JournalError} when the journal is lost (an I/O error, a broken row, its thread died);
   * never settles otherwise. Need not be listened to.
   */
  readonly failed: Promise<never>;

  /** Resolves when the journal can be read and written; at once when no fault is in the way. */
  available(): Promise<void>;

  /** The checkpoint of a source, or `undefined` before its first answer. */
  checkpoint(key: SourceKey): Promise<string | undefined>;

  /**
   * Keeps an answer: records that are not known, their `seen` rows, and the checkpoint, in one transaction.
   * Resolves when that is on disk.
   *
   * @throws {JournalUnavailableError} what became of it is not known; the checkpoint tells
   */
  append(page: Append): Promise<Appended>;

  /**
   * Keeps records for one sink alone (K3), in the order given, all in one transaction: outside of the order per id, and
   * of what is known as seen. Takes free room only (K6): it makes no source wait and costs no sink its backlog, but what
   * was delivered may go for it. Waits for nothing; give it no more than some hundred records.
   *
   * @throws {JournalUnavailableError} what became of it is not known
   */
  appendFor(sink: string, outcome: 'repair' | 'replay', records: readonly Retold[]): Promise<AppendedFor>;

  /**
   * Looks for records that sources have read and that were for every sink, in one small piece of the journal; what was
   * told again to one sink is a copy, and is not found. Nothing is held between two calls.
   */
  search(search: Search): Promise<Searched>;

  /**
   * What stands at these places, in their order; of what has been let go of nothing. From the first place on it gives as many as make
   * about one batch, and says for how many places that is: at least one.
   */
  recordsAt(
    places: readonly Cursor[],
  ): Promise<{ readonly places: number; readonly records: readonly Retold[] }>;

  /** Resolves when there is room for more records (K6); at once when neither journal nor disk is full. */
  room(signal: AbortSignal): Promise<void>;

  /**
   * Makes a cursor for each sink that has none and returns where each goes on from. Called once, with all
   * configured sinks, before the first `append` (K8).
   */
  register(sinks: readonly SinkRegistration[]): Promise<ReadonlyMap<string, Position>>;

  /**
   * The next records after `cursor`, at most `limit`; waits until there are some. What is meant for one sink only
   * (K3) is lent to that `sink`, all others pass it over.
   */
  take(cursor: Cursor, limit: number, signal: AbortSignal, sink?: string): Promise<Loan>;

  /** The next records as {@link take} gives them; `undefined` when there are none yet. */
  peek(cursor: Cursor, limit: number, signal: AbortSignal, sink?: string): Promise<Loan | undefined>;

  /**
   * Where the journal has put a sink by itself (see {@link Moved}); `undefined`: nowhere. Up to date for all that was lent,
   * when it was lent. It matters to a sink that is in another stream, and does not lie before it.
   */
  movedTo(sink: string): Position | undefined;

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

  /**
   * Notes something to be told to the sinks of the relay itself: it is journaled as a record for all of them, within 100
   * ms, or after `flush`; while the disk is at fault, later. Never throws and never waits. Some room is kept for it when
   * the journal is full (K6). Of what would be too much the next event of the kind says how many were not told.
   */
  tell(event: OwnEvent): void;

  /** Once a day, however often it is asked for: tells the sinks of each product how it was seen since the last time. */
  tellCoverage(): Promise<void>;

  stats(): Promise<JournalStats>;

  /** What has become of what a source lists (K5); of none of it, when the source has never been read. */
  compare(window: Comparison): Promise<Compared>;

  /**
   * Keeps what was found missing, in one transaction; what has come meanwhile is left out. For one sink it takes free
   * room only. Waits for nothing; give it no more than some hundred records.
   *
   * @throws {JournalUnavailableError} what became of it is not known; comparing again tells
   */
  repair(missing: Repair): Promise<Repaired>;

  /** The gaps of all sinks that are in the config. */
  gaps(): Promise<readonly Gap[]>;

  /** A gap has been refilled as far as that can be. `false`: it has grown since, and stays. */
  closeGap(gap: Pick<Gap, 'id' | 'grownMs'>): Promise<boolean>;

  /** When a source was last compared by schedule, milliseconds since 1970. */
  reconciledAt(key: SourceKey): Promise<number | undefined>;

  /** It was, now. A source that has never been read is passed over. */
  noteReconciled(key: SourceKey, atMs: number): Promise<void>;

  /** Which products were seen, and how. */
  coverage(): Promise<readonly Coverage[]>;

  /** Lets go of a sink that is not in the config, with what waits for it; with `always` also of another one (K8). */
  forget(sink: string, always?: 'always'): Promise<Forgotten>;

  /** Appends what sinks refused for each of these sinks alone, marked as `retry`; it is no dead letter any more. */
  retry(choice: DeadLetterChoice): Promise<Handled>;

  /** Lets go of what sinks refused. */
  drop(choice: DeadLetterChoice): Promise<Handled>;

  /** Flushes and closes. Safe twice. */
  close(): Promise<void>;
}
