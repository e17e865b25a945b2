import { type BackoffOptions, backoffMs } from '../core/backoff.ts';
import { UnavailableError, type UnavailableReason } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { RereadOptions } from '../lib/reread.ts';
import { wait } from '../lib/wait.ts';
import { openAgent, type TenantAgent } from './agent.ts';
import { type Credential, openCredential } from './credential.ts';
import { claimsOf, type GraphPage, pageOf, refusalOf } from './graph-answer.ts';
import { defaultTimeouts, exchange, type HttpAnswer, type HttpTimeouts, TooLargeError } from './http.ts';
import { ListReader, type RowOf } from './list-reader.ts';
import { type Priority, Quota } from './quota.ts';
import { graphOrigin, graphScope, howToGrant, type TenantSettings, whoSignsIn } from './tenant.ts';
import { rolesOf } from './token.ts';

export type { GraphPage } from './graph-answer.ts';
export { TooLargeError } from './http.ts';
export type { Priority } from './quota.ts';

/** Graph of one tenant: requests with token, time-outs, throttling and retries. */
export interface Graph {
  /** Configured name of the tenant. */
  readonly tenant: string;
  /** The configured origin; nothing is ever sent to another. */
  readonly origin: string;

  /**
   * One page of a list. Passing faults (throttling, 5xx, network, broken answers, sign-in that cannot be reached)
   * are waited out inside, obeying `Retry-After`.
   *
   * @param url whole; a next link is given as it came
   * @throws {TooLargeError} the answer has more than `maxBytes`: ask for less
   * @throws {UnavailableError} `auth`, `request`: asking again as it is will not help; `answer`: the url is of
   *   another origin; any reason once `attempts` are used up
   * @throws AbortError at the signal
   */
  page<T>(url: string, options: PageOptions<T>): Promise<GraphPage<T>>;

  /** Lets go of connections; what is under way ends with an AbortError. Safe twice. */
  close(): Promise<void>;
}

export interface PageOptions<T = unknown> {
  /** What is made of each row, as it comes: also of rows of an answer that then turns out to be broken. */
  readonly row: RowOf<T>;
  /** Largest body that is read, after decompression. */
  readonly maxBytes: number;
  /** The application role that is enough for this, for the message when it is missing. */
  readonly role: string;
  readonly signal: AbortSignal;
  /** What it is for, when the quota is short; default `poll`. */
  readonly priority?: Priority;
  /** Most tries at passing faults but throttling, which no other url would fare better at; default: without end. */
  readonly attempts?: number;
  /** Told of each passing fault, and how long it is waited for before the next try, milliseconds. */
  readonly waits?: (error: UnavailableError, waitMs: number) => void;
}

/** Is told what happens, for metrics. */
export interface GraphObserver {
  /** A request to Graph has ended: with an HTTP status, or with the reason why there was none. */
  requested(status: string): void;
  /** Graph asked to slow down, and this long (seconds) is being waited. */
  throttled(seconds: number): void;
  /** When the tenant's secret or certificate expires, milliseconds since 1970; also when that has changed. */
  credentialExpires?(atMs: number): void;
  /** The same, once a day, when that is soon or past. */
  credentialExpiresSoon?(atMs: number): void;
}

export interface GraphOptions {
  readonly log: Log;
  readonly observer: GraphObserver;
  /** 0 ≤ n < 1, for jitter. */
  readonly random?: () => number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  readonly backoff?: BackoffOptions;
  /** Milliseconds of a clock that nobody sets. */
  readonly steady?: () => number;
  /** Most tries at any request, whatever it says itself; default: without end. */
  readonly attempts?: number;
  readonly timeouts?: HttpTimeouts;
  /** Bounds one token, milliseconds. */
  readonly tokenTimeoutMs?: number;
  /** For `HTTPS_PROXY` and `NO_PROXY`. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** When CA file and certificate are read again. */
  readonly reread?: RereadOptions;
}

/**
 * Makes the Graph of a tenant; reads its CA and certificate files, asks for nothing yet.
 *
 * @throws {UsageError} one of them cannot be used
 */
export function openGraph(settings: TenantSettings, options: GraphOptions): TenantGraph {
  return new TenantGraph(settings, options);
}

/** These pass by themselves; the others need somebody, or another request. */
const passing: ReadonlySet<UnavailableReason> = new Set([
  'throttled',
  'timeout',
  'network',
  'server',
  'answer',
]);

/** Whether a failure passes by itself, as far as anybody can tell. */
export function isPassing(error: unknown): error is UnavailableError {
  return error instanceof UnavailableError && passing.has(error.reason);
}

/** With the credential that it signs in with, for others who sign in to the same tenant. */
export class TenantGraph implements Graph {
  readonly tenant: string;
  readonly origin: string;
  readonly #settings: TenantSettings;
  readonly #scope: string;
  readonly #agent: TenantAgent;
  readonly credential: Credential;
  readonly #log: Log;
  readonly #observer: GraphObserver;
  readonly #random: () => number;
  readonly #now: () => number;
  readonly #backoff: BackoffOptions;
  readonly #attempts: number;
  readonly #timeouts: HttpTimeouts;
  readonly #quota: Quota;
  readonly #closed = new AbortController();
  /** It has been told that the token allows nothing. */
  #powerless = false;
  /** When it began to fail, and how often it has since; `undefined` when it works. */
  #failing: { readonly sinceMs: number; tries: number } | undefined;

  constructor(settings: TenantSettings, options: GraphOptions) {
    this.#settings = settings;
    this.tenant = settings.name;
    this.origin = graphOrigin(settings);
    this.#scope = graphScope(settings);
    this.#log = options.log;
    this.#observer = options.observer;
    this.#random = options.random ?? Math.random;
    this.#now = options.now ?? Date.now;
    this.#agent = openAgent(settings, options.env, options.reread);
    this.credential = openCredential(settings, {
      agent: this.#agent,
      timeoutMs: options.tokenTimeoutMs ?? 10_000,
      log: this.#log,
      now: this.#now,
      expires: (atMs) => options.observer.credentialExpires?.(atMs),
      expiresSoon: (atMs) => options.observer.credentialExpiresSoon?.(atMs),
      ...(options.reread && { reread: options.reread }),
    });
    this.#backoff = options.backoff ?? { initialMs: 1000, maxMs: 30_000 };
    this.#attempts = options.attempts ?? Number.POSITIVE_INFINITY;
    this.#timeouts = options.timeouts ?? defaultTimeouts;
    this.#quota = new Quota(settings.requestsPerMinute, options.steady ?? performance.now.bind(performance));
  }

  async page<T>(url: string, asked: PageOptions<T>): Promise<GraphPage<T>> {
    this.#checkOrigin(url);
    const attempts = Math.min(asked.attempts ?? Number.POSITIVE_INFINITY, this.#attempts);
    const signal = AbortSignal.any([asked.signal, this.#closed.signal]);
    const options = { ...asked, signal };
    let tries = 0;
    for (let attempt = 0; ; attempt++) {
      try {
        const page = await this.#once(url, options);
        this.#tellHealed();
        return page;
      } catch (error) {
        if (!isPassing(error) || error instanceof TooLargeError) throw error;
        this.#tellFailing(error);
        if (error.reason !== 'throttled' && ++tries >= attempts) throw error;
        const waitMs = Math.max(backoffMs(attempt, this.#backoff, this.#random), error.retryAfterMs ?? 0);
        if (error.reason === 'throttled') this.#observer.throttled(waitMs / 1000);
        asked.waits?.(error, waitMs);
        await wait(waitMs, signal);
      }
    }
  }

  async close(): Promise<void> {
    this.#closed.abort();
    this.credential.close();
    this.#agent.close();
  }

  /** One try; a refused token (expired, revoked, or older than a consent) is renewed once in it (R9). */
  async #once<T>(url: string, options: PageOptions<T>): Promise<GraphPage<T>> {
    const { signal, role } = options;
    let token = await this.credential.token(this.#scope, { signal });
    this.#tellPowerless(token, role);
    let { answer, reader } = await this.#get(url, token, options);
    if (answer.status === 401 || answer.status === 403) {
      token = await this.credential.token(this.#scope, { signal, fresh: true, claims: claimsOf(answer) });
      ({ answer, reader } = await this.#get(url, token, options));
    }
    if (answer.status === 200) return pageOf(answer, reader, [token]);
    const { credential } = this.#settings;
    const [who, grant] = [whoSignsIn(credential), howToGrant(credential, role)];
    throw refusalOf(answer, { role, token, who, grant, nowMs: this.#now() });
  }

  async #get<T>(
    url: string,
    token: string,
    { maxBytes, signal, row, priority = 'poll' }: PageOptions<T>,
  ): Promise<{ readonly answer: HttpAnswer; readonly reader: ListReader<T> }> {
    await this.#quota.turn(priority, signal);
    let reader = new ListReader(row);
    try {
      const answer = await exchange({
        url,
        headers: {
          Authorization: `Bearer ${token}`,
          Accept: 'application/json',
          // Without it all newer members of an enum come as one word, `unknownFutureValue` (trap G23).
          Prefer: 'include-unknown-enum-members',
          'User-Agent': 'defender-relay',
        },
        agent: this.#agent.current(),
        via: this.#agent.via,
        maxBytes,
        reader: () => {
          reader = new ListReader(row);
          return reader;
        },
        timeouts: this.#timeouts,
        signal,
      });
      this.#observer.requested(String(answer.status));
      return { answer, reader };
    } catch (error) {
      if (error instanceof UnavailableError) this.#observer.requested(error.reason);
      throw error;
    }
  }

  /** A next link comes from outside, and decides where the token goes. */
  #checkOrigin(url: string): void {
    if (URL.canParse(url) && new URL(url).origin === this.origin) return;
    const where = URL.canParse(url) ? new URL(url).origin : 'no address';
    const message = `Graph gave a link to another server (${where} in place of ${this.origin}); it is not followed`;
    throw new UnavailableError(message, { reason: 'answer' });
  }

  /** A token is given also to an app that may do nothing; some of Graph then answers as if there were no alerts (G12). */
  #tellPowerless(token: string, role: string): void {
    const isPowerless = rolesOf(token)?.length === 0;
    if (isPowerless && !this.#powerless) {
      const { credential } = this.#settings;
      const grant = howToGrant(credential, role);
      this.#log.warn(
        { role },
        `the token of ${whoSignsIn(credential)} has no role, and ${role} is needed; ${grant}`,
      );
    }
    this.#powerless = isPowerless;
  }

  #tellFailing(error: UnavailableError): void {
    if (this.#failing) {
      this.#failing.tries += 1;
      return;
    }
    this.#failing = { sinceMs: this.#now(), tries: 1 };
    const patience = Number.isFinite(this.#attempts) ? '' : ' until it works';
    this.#log.warn({ reason: error.reason }, `${error.message}; it is tried again${patience}`);
  }

  #tellHealed(): void {
    if (!this.#failing) return;
    const { sinceMs, tries } = this.#failing;
    this.#failing = undefined;
    const seconds = Math.max(0, Math.round((this.#now() - sinceMs) / 1000));
    this.#log.info({ seconds, tries }, 'Graph answers again');
  }
}
