import type { Repaired, SourceKey } from './journal.ts';

/** A range that somebody wants compared; times as ISO 8601 with zone. */
export interface ReconcileWish {
  /** Revisions from here … */
  readonly from: string;
  /** … until before here. */
  readonly to: string;
  /** What is missing is put in the journal, so that it is delivered. */
  readonly fix: boolean;
}

/** A gap that has been refilled as far as that can be. */
export interface RefilledGap {
  readonly sink: string;
  /** At most so many records were in it. */
  readonly records: number;
  /** At most so many of them cannot be had again: their source is not in the config any more, or lists nothing. */
  readonly lost: number;
}

/** What came of a wish. */
export interface ReconcileResult {
  readonly sources: readonly Reconciled[];
  readonly gaps: readonly RefilledGap[];
}

/** How far it is. */
export interface ReconcileStep extends SourceKey {
  /** Times as ISO 8601 in UTC: of what is compared, it has come to `at`. */
  readonly from: string;
  readonly to: string;
  readonly at: string;
  readonly listed: number;
  readonly missing: number;
}

/** What can have become of a record that is listed, at a sink. */
export const verdicts = [
  'given',
  'waiting',
  'filtered',
  'refused',
  'missing',
  'unknown',
  'replaced',
] as const;
export type Verdict = (typeof verdicts)[number];

/** What became of all records at one sink. */
export interface SinkCounts extends Readonly<Record<Verdict, number>> {
  readonly sink: string;
  /** So many of the missing ones have been put in the journal. */
  readonly repaired: number;
}

/** Of one sink, product and hour: what is not simply there. */
export interface Deviation {
  readonly sink: string;
  readonly product: string;
  readonly hour: string;
  readonly missing: number;
  /** Lies in the journal, or the source comes to it by itself. */
  readonly waiting: number;
  /** Not known: what is remembered does not go back so far, or the sink was not there. */
  readonly unknown: number;
}

/** What was compared and came out. Times are ISO 8601 in UTC. */
export interface Reconciled extends SourceKey {
  readonly from: string;
  /** How far it came. */
  readonly to: string;
  /** All that could be compared was. */
  readonly complete: boolean;
  /** Records that the source lists. */
  readonly listed: number;
  readonly sinks: readonly SinkCounts[];
  /** What is missing and was not put in the journal, though it should have been. */
  readonly left: readonly {
    readonly sink: string;
    readonly why: NonNullable<Repaired['why']>;
    readonly records: number;
  }[];
  readonly deviations: readonly Deviation[];
  /** Was told, and is not listed any more: a newer revision took its place (as it should be), or it is gone. */
  readonly extra: readonly { readonly hour: string; readonly replaced: number; readonly gone: number }[];
  /** What could not be read, and so is not compared. */
  readonly unread: readonly {
    readonly from: string;
    readonly to: string;
    readonly count: number | null;
    readonly detail: string;
  }[];
  /** What was asked for beyond that, and why it is not compared; for people. */
  readonly notes: readonly string[];
}
