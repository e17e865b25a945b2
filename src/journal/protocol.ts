import type { Change } from '../core/changes.ts';
import type { Coverage } from '../core/coverage.ts';
import type {
  Advance,
  Append,
  Appended,
  AppendedFor,
  Compared,
  Comparison,
  Cursor,
  DeadLetterChoice,
  Fault,
  Forgotten,
  Gap,
  Handled,
  JournalOpening,
  JournalStats,
  Moved,
  Position,
  RecordId,
  Repair,
  Repaired,
  Search,
  Searched,
  SinkRegistration,
  SourceKey,
} from '../core/journal.ts';
import type { Retold } from '../core/record.ts';
import type { OwnNote } from './telling.ts';

export interface StoreOptions {
  readonly directory: string;
  readonly maxBytes: number;
  readonly retentionMs: number;
}

/** What became of it, with all that is needed to go on with its records without reading them. */
export interface Kept extends Appended {
  readonly told: readonly (Appended['told'][number] & {
    readonly place: Cursor;
    readonly unrevised: number;
    readonly changed?: readonly Change[];
  })[];
  /** The end of the journal before they came. */
  readonly before: Cursor;
}

/**
 * Records after a place, as text: about as much as one full batch, whatever the size of the rows. What is for one sink
 * only comes by itself, and nothing of it is passed over, so that all sinks can share a chunk.
 */
export interface RawChunk {
  readonly before: Cursor;
  /** The only sink that is given it; `null`: every sink. */
  readonly target: string | null;
  readonly batches: readonly { readonly id: number; readonly format: number; readonly data: Uint8Array }[];
}

/** Records for one sink alone. */
export interface AppendFor {
  readonly sink: string;
  readonly outcome: 'repair' | 'replay';
  readonly records: readonly Retold[];
}

/** What the main thread asks of the worker that owns the database. */
export interface JournalMethods {
  /** Comes first, once: takes the directory, and makes a journal when there is none; says whether it has. */
  prepare(options: StoreOptions & { version: string }): boolean;
  /** Comes second, once. */
  open(): Omit<JournalOpening, 'created'>;
  checkpoint(key: SourceKey): string | undefined;
  append(page: Append): Promise<Kept>;
  appendFor(which: AppendFor): Promise<AppendedFor>;
  search(search: Search): Searched;
  recordsAt(places: readonly Cursor[]): { places: number; records: readonly Retold[] };
  register(sinks: readonly SinkRegistration[]): Promise<ReadonlyMap<string, Position>>;
  advance(steps: readonly Advance[]): Promise<void>;
  /** `false`: there was no room. */
  tell(notes: readonly OwnNote[]): Promise<boolean>;
  /** Whether anything was told. */
  tellCoverage(): Promise<boolean>;
  /** As of the last transaction. */
  follows(question: { sink: string; ids: readonly RecordId[] }): boolean[];
  /** `undefined`: nothing comes after the cursor yet. */
  read(cursor: Cursor): RawChunk | undefined;
  compare(window: Comparison): Compared;
  repair(missing: Repair): Promise<Repaired>;
  gaps(): readonly Gap[];
  closeGap(gap: Pick<Gap, 'id' | 'grownMs'>): Promise<boolean>;
  reconciledAt(key: SourceKey): number | undefined;
  noteReconciled(what: SourceKey & { readonly atMs: number }): Promise<void>;
  stats(): JournalStats;
  coverage(): readonly Coverage[];
  forget(which: { sink: string; always: boolean }): Promise<Forgotten>;
  retry(choice: DeadLetterChoice): Promise<Handled>;
  drop(choice: DeadLetterChoice): Promise<Handled>;
  /** Nothing will be written any more but what `close` writes, which comes next. */
  leave(): void;
  close(): void;
}

/** What the worker tells unasked; always before the answer of the call that caused it. */
export type JournalNotice =
  | { readonly paused: boolean }
  | { readonly moved: readonly Moved[] }
  /** All is well when there is none. */
  | { readonly fault: Fault | undefined }
  /** The journal cannot be used any more. */
  | { readonly lost: string }
  | { readonly level: 'info' | 'warn' | 'error'; readonly fields: object; readonly message: string };
