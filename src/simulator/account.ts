import type { AlertRevision } from './revision.ts';

/** One revision of an alert that came to be; times in milliseconds since 1970. */
export interface Raised {
  readonly id: string;
  /** Its `lastUpdateDateTime` as served. */
  readonly revision: string;
  /** 0, or the how many-th other body under the same `lastUpdateDateTime` (fault `unrevised`). */
  readonly unrevised: number;
  readonly product: string;
  readonly raisedAt: number;
  /** From when on it could be read, unless a later revision came first. */
  readonly visibleAt: number;
  /** The whole alert, as it is served to who asks for all members of enumerations. */
  readonly body: () => object;
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
  /** When it was asked for, milliseconds since 1970. */
  readonly at: number;
  /** Path and query, the filter of a further page among it. */
  readonly request: string;
  /** Those that stand in it: what a fault has left out was not given. */
  readonly alerts: readonly Pick<Raised, 'id' | 'revision' | 'unrevised'>[];
}

/** What the simulator has done: the truth that a test compares a relay with. */
export interface Account {
  /** Every revision made so far, those that cannot be read yet among them. */
  readonly raised: readonly Raised[];
  readonly answers: readonly CompleteAnswer[];
  readonly requests: readonly RequestEntry[];
  /** Requests answered by 429, by quota or fault. */
  readonly throttled: number;
  /** Most requests in any sixty seconds. */
  readonly busiestMinute: number;
  /** The `lastUpdateDateTime` that cannot be read at present (fault `poison-page`), whatever `newest()` says. */
  readonly poisoned: string | undefined;
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
  complete({ ordinal, at, request }: RequestEntry, alerts: readonly AlertRevision[]): void {
    this.answers.push({ ordinal, at, request, alerts });
  }

  /** Most requests in any sixty seconds. */
  busiestMinute(): number {
    let most = 0;
    let first = 0;
    for (const [index, { at }] of this.requests.entries()) {
      while (this.requests[first]!.at <= at - 60_000) first += 1;
      most = Math.max(most, index - first + 1);
    }
    return most;
  }
}

/** The account for other processes. */
export function accountJson(account: Account): string {
  return JSON.stringify({
    raised: account.raised.map(({ id, revision, unrevised, product, raisedAt, visibleAt }) => ({
      id,
      revision,
      unrevised,
      product,
      raisedAt,
      visibleAt,
    })),
    newest: [...account.newest()],
    answers: account.answers.map(({ ordinal, at, request, alerts }) => ({
      ordinal,
      at,
      request,
      alerts: alerts.map(({ id, revision, unrevised }) => [id, revision, unrevised]),
    })),
    requests: account.requests,
    throttled: account.throttled,
    busiestMinute: account.busiestMinute,
    poisoned: account.poisoned,
    // JSON has no infinity: null is "without an end".
    pending: account.pending,
  });
}
