import type { AlertRevision } from './revision.ts';

/** One revision of an alert that came to be; times in milliseconds since 1970. */
export interface Raised {
  readonly id: string;
  /** Its `lastUpdateDateTime` as served. */
  readonly revision: string;
  readonly product: string;
  readonly raisedAt: number;
  /** From when on it could be read, unless a later revision came first. */
  readonly visibleAt: number;
}

/** A request for alerts. */
export interface RequestEntry {
  /** In the order of their coming, from 1. */
  readonly ordinal: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Path and query. */
  readonly request: string;
  /** Running number of its token, 0 without a good one: another process has another token. */
  readonly token: number;
  /** 0 while it is not answered. */
  readonly status: number;
}

/** An answer with alerts that was sent to its last byte, unharmed. */
export interface CompleteAnswer {
  /** Of its request. */
  readonly ordinal: number;
  readonly request: string;
  readonly alerts: readonly Pick<Raised, 'id' | 'revision'>[];
}

/** What the simulator has done: the truth that a test compares a relay with. */
export interface Account {
  /** Every revision made so far, those that cannot be read yet among them. */
  readonly raised: readonly Raised[];
  readonly answers: readonly CompleteAnswer[];
  readonly requests: readonly RequestEntry[];
  /** Requests answered by 429, by quota or fault. */
  readonly throttled: number;
  /** What is still to come: alerts to be raised, updates, late revisions; `Infinity` without an end. */
  readonly pending: number;
  /** Id to revision of every alert that can be read now. */
  newest(): Map<string, string>;
}

type Open = { -readonly [Name in keyof RequestEntry]: RequestEntry[Name] };

/** Writes the account. */
export class Ledger {
  readonly raised: AlertRevision[] = [];
  readonly answers: CompleteAnswer[] = [];
  readonly requests: Open[] = [];
  throttled = 0;

  request(at: number, request: string): Open {
    const entry = { ordinal: this.requests.length + 1, at, request, token: 0, status: 0 };
    this.requests.push(entry);
    return entry;
  }

  /** `entry` was answered to the last byte with `alerts`. */
  complete({ ordinal, request }: RequestEntry, alerts: readonly AlertRevision[]): void {
    this.answers.push({ ordinal, request, alerts });
  }
}

/** The account for other processes. */
export function accountJson(account: Account): string {
  return JSON.stringify({
    raised: account.raised.map(({ id, revision, product, raisedAt, visibleAt }) => ({
      id,
      revision,
      product,
      raisedAt,
      visibleAt,
    })),
    newest: [...account.newest()],
    answers: account.answers.map(({ ordinal, request, alerts }) => ({
      ordinal,
      request,
      alerts: alerts.map(({ id, revision }) => [id, revision]),
    })),
    requests: account.requests,
    throttled: account.throttled,
    // JSON has no infinity: null is "without an end".
    pending: account.pending,
  });
}
