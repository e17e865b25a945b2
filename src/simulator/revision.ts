/** Fields of an alert that `$filter` may name, times as keys. */
export interface FilterFields {
  readonly createdDateTime: string;
  readonly lastUpdateDateTime: string;
  readonly severity: string;
  readonly status: string;
  readonly serviceSource: string;
  readonly classification: string | null;
  readonly determination: string | null;
  readonly assignedTo: string | null;
}

/** One state of an alert, from its `lastUpdateDateTime` until the next. Never changed. */
export interface AlertRevision {
  readonly id: string;
  /** `lastUpdateDateTime` as it is served. */
  readonly revision: string;
  readonly product: string;
  /** How often the body has changed since `lastUpdateDateTime` did (fault `unrevised`). */
  readonly unrevised: number;
  /** Milliseconds since 1970. */
  readonly raisedAt: number;
  /** When it can be read at last (fault `late`); milliseconds since 1970. */
  readonly visibleAt: number;
  readonly fields: FilterFields;
  /** The whole alert, made when somebody asks: a hundred thousand of them are cheap until then. */
  readonly body: () => object;
  /** The alert after one more change. With the key of now the change is `unrevised`: more evidence, no new time. */
  readonly next: (key: string, seen: Seen) => AlertRevision;
}

/** When a revision came to be, and from when on it can be read; milliseconds since 1970. */
export type Seen = Pick<AlertRevision, 'raisedAt' | 'visibleAt'>;
