import type { Coverage } from '../core/coverage.ts';
import type {
  Advance,
  Append,
  Appended,
  Cursor,
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
  /** Comes first, once. */
  open(options: StoreOptions & { version: string }): JournalOpening;
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
  close(): void;
}

/** What the worker tells unasked; always before the answer of the call that caused it. */
export type JournalNotice =
  | { readonly paused: boolean }
  | { readonly level: 'info' | 'warn'; readonly fields: object; readonly message: string };
