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
    | 'listing'
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
  /** `failed`: a source cannot list; `full`: no relay runs, and the journal has no free room. */
  readonly ended: 'done' | 'stopped' | 'failed' | 'full';
  /** Why it failed, for people. */
  readonly problem?: string;
  readonly from: string;
  readonly to: string;
  /** All before this time is in the journal for the sink: from here it may be gone on with. */
  readonly upTo: string;
  readonly records: number;
  /** So many of them came from the sources, because the journal does not have them. */
  readonly listed: number;
  /** Records that the journal had at first, and let go of before it was their turn. */
  readonly gone: number;
  /** At most so many are missing because they are broken in the journal. */
  readonly broken: number;
  /** The journal has all that came since then; `null`: nothing ever came. */
  readonly journalSince: string | null;
  /** What of the range lies before that, and was not listed: of it there is only what the journal has by chance. */
  readonly notListed: { readonly from: string; readonly to: string } | null;
  /** What a source could not read of it. */
  readonly unread: readonly {
    readonly source: string;
    readonly tenant: string;
    readonly from: string;
    readonly to: string;
    readonly detail: string;
  }[];
}
