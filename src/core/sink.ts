import type { RelayRecord } from './record.ts';

/**
 * A record with the events (parts) that a format made of it, as bytes: as text they would be in the heap until they are
 * sent, and its collector would have to move them.
 */
export interface Rendered {
  readonly record: RelayRecord;
  readonly stream: number;
  /** Number of the first of `events`; the others count on. */
  readonly sequence: number;
  /** In UTF-8. */
  readonly events: readonly Buffer[];
}

/** Room for more before the next confirmation. */
export interface Room {
  readonly records: number;
  readonly bytes: number;
}

/** Room as a sink sees it. */
export interface Window extends Room {
  /** It bounds by itself what is unconfirmed, and the window of the config does not (S3). */
  readonly isOwnBound?: true;
}

/**
 * Why the far end will never be given a record; a closed set, because it is a metric label. `poison`: it breaks the
 * sink each time that it is sent; `crash`: the relay died of it.
 */
export const refusalReasons = ['format', 'too-large', 'rejected', 'poison', 'crash'] as const;
export type RefusalReason = (typeof refusalReasons)[number];

/** What became of a batch that the far end has answered for: all is accepted but what is named here. */
export interface SendResult {
  readonly refused: readonly {
    readonly index: number;
    readonly reason: RefusalReason;
    readonly detail: string;
  }[];
}

/** What a sink gives for a batch that it has written. */
export interface Receipt {
  /**
   * Settles when the far end has taken responsibility, as far as its protocol can tell. Rejects with an
   * {@link UnavailableError} when that can no longer be known: the batch is then sent again.
   */
  readonly confirmed: Promise<SendResult>;
}

/** How a confirmation is asked for. */
export interface Confirming {
  /** Nothing will be sent after it: it may cost the connection, if it comes sooner by that. */
  readonly isLast: boolean;
}

/**
 * A destination. The pipeline opens before the first send and again after a failed one, has one send running
 * at a time (unless its plugin allows more), and closes when nothing is in flight: an implementation needs no queue, no retry and no time
 * limit of its own. `confirm` may be called while a `send` runs; the sink orders the two.
 */
export interface Sink {
  /** Bytes that the sink adds to one event (a header), at most; framing does not count (S5). */
  readonly headerBytes: number;

  /** What it takes for the far end's word that it has a batch, in a word, as of now: for status. */
  readonly confirms?: string;

  /** What an operator has to know about it as long as it is so: for status. */
  notes?(): readonly string[];

  /** Connect, or throw. No-op when connected. */
  open(signal: AbortSignal): Promise<void>;

  /**
   * Write a batch. Resolves when it is written, not when it has arrived: see {@link Receipt}. Receipts settle
   * in the order of the sends.
   *
   * @throws {UnavailableError} nothing is known to have been accepted; keep the batch
   */
  send(batch: readonly Rendered[], signal: AbortSignal): Promise<Receipt>;

  /** The events of a record exactly as they go out, with the sink's header and without framing. Pure. */
  messages(rendered: Rendered): readonly Buffer[];

  /** Present room; the pipeline cuts batches to it. A record larger than all room is sent alone. */
  window(): Window;

  /** Ask for the confirmation of everything written, now. Resolves when it came; no-op when nothing is open. */
  confirm(signal: AbortSignal, how?: Confirming): Promise<void>;

  /**
   * Somebody may have put another file, or the like, in the place of what it writes to: go over to that now. Never
   * rejects: what goes wrong is heard of at the next send. No-op when nothing is open. Left out: there is no such thing.
   */
  reopen?(): Promise<void>;

  /** Let go of everything; what is unconfirmed rejects. Safe without `open` and safe twice. */
  close(): Promise<void>;
}
