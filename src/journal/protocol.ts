import type { Coverage } from '../core/coverage.ts';
import type {
  Advance,
  Append,
  Appended,
  Cursor,
  Fault,
  JournalOpening,
  JournalStats,
  Position,
  RecordId,
  SinkRegistration,
  SourceKey,
} from '../core/journal.ts';

export interface StoreOptions {
  readonly directory: string;
  readonly maxBytes: number;
  readonly retentionMs: number;
}

/** Records after a place, as text: about as much as one full batch, whatever the size of the rows. */
export interface RawChunk {
  readonly before: Cursor;
  readonly batches: readonly { readonly id: number; readonly format: number; readonly text: string }[];
}

/** What the main thread asks of the worker that owns the database. */
export interface JournalMethods {
  /** Comes first, once: takes the directory, and makes a journal when there is none; says whether it has. */
  prepare(options: StoreOptions & { version: string }): boolean;
  /** Comes second, once. */
  open(): Omit<JournalOpening, 'created'>;
  checkpoint(key: SourceKey): string | undefined;
  append(page: Append): Promise<Appended>;
  register(sinks: readonly SinkRegistration[]): Promise<ReadonlyMap<string, Position>>;
  advance(steps: readonly Advance[]): Promise<void>;
  /** As of the last transaction. */
  follows(question: { sink: string; ids: readonly RecordId[] }): boolean[];
  /** `undefined`: nothing comes after the cursor yet. */
  read(cursor: Cursor): RawChunk | undefined;
  stats(): JournalStats;
  coverage(): readonly Coverage[];
  /** Nothing will be written any more but what `close` writes, which comes next. */
  leave(): void;
  close(): void;
}

/** What the worker tells unasked; always before the answer of the call that caused it. */
export type JournalNotice =
  | { readonly paused: boolean }
  /** All is well when there is none. */
  | { readonly fault: Fault | undefined }
  /** The journal cannot be used any more. */
  | { readonly lost: string }
  | { readonly level: 'info' | 'warn' | 'error'; readonly fields: object; readonly message: string };
