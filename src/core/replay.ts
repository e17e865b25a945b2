/** What is to be told again, and how fast. Times are ISO 8601 in UTC: by the update time of the records. */
export interface ReplayRequest {
  readonly sink: string;
  readonly from: string;
  /** Before here. */
  readonly to: string;
  readonly maxPerSecond: number;
}

/** How far a replay is. */
export interface ReplayProgress {
  readonly doing:
    | 'looking'
    | 'appending'
    /** The sink has not come so far yet. */
    | 'waiting-for-sink'
    /** The journal has no free room at present, or its disk is at fault. */
    | 'waiting-for-room';
  /** Records put in the journal for the sink. */
  readonly records: number;
  /** All before this time are. */
  readonly upTo: string;
}

/** What a replay came to. */
export interface ReplayResult {
  /** `full`: no relay runs, and the journal has no free room. */
  readonly ended: 'done' | 'stopped' | 'full';
  readonly records: number;
  /** From here on it may be gone on with; all before is in the journal for the sink. */
  readonly upTo: string;
  /** Records that the journal had at first, and let go of before it was their turn. */
  readonly gone: number;
  /**
   * The journal has all that was journaled since then, of older times only some; `null`: it has all that it ever got, or
   * has never got anything.
   */
  readonly journalSince: string | null;
}
