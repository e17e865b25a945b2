import { closest } from 'fastest-levenshtein';
import { type Answer, GraphError } from './answer.ts';
import type { Random } from './random.ts';
import { html, transientAnswers } from './transient.ts';

/** What a fault does to one request. */
export type Harm =
  /** Something else is answered; with `revokes` the token is worth nothing from then on. */
  | { readonly kind: 'instead'; readonly answer: Answer | GraphError; readonly revokes?: boolean }
  /** The connection is reset when `after` (0..1) of the body has been sent; at 0 not even the head. */
  | { readonly kind: 'reset'; readonly after: number }
  /** The body ends after `after` of it: as if it were whole, or before what Content-Length says. */
  | { readonly kind: 'cut'; readonly after: number; readonly framing: 'whole' | 'short' }
  /** Whole, and after it so many bytes of white space: legal JSON, and too much for who does not want it. */
  | { readonly kind: 'pad'; readonly bytes: number }
  /** Nothing is answered, and the connection stays open until the client gives up. */
  | { readonly kind: 'silence' };

interface Fault {
  /** For `--help`. */
  readonly meaning: string;
  /** What the probability is of. */
  readonly per: 'request' | 'further page' | 'alert' | 'revision';
  /** Requests for a token suffer too, or they alone. */
  readonly tokens?: true | 'only';
  /** For a fault that harms a single answer: how. The others are looked up by name where they act. */
  readonly harm?: (random: Random, nowMs: number) => Harm;
}

/** More than any reader should take. */
const BIG_PAGE_BYTES = 50 * 2 ** 20;

/** Every fault there is. To add one: describe it here and, unless it harms a single answer, act on it by its name. */
export const faultTable = {
  throttle: {
    meaning: '429, with Retry-After in seconds, as a date, or absent',
    per: 'request',
    tokens: true,
    harm: (random, nowMs) => {
      const seconds = random.int(1, 3);
      const date = new Date(nowMs + seconds * 1000).toUTCString();
      const headers = random.pick([{ 'Retry-After': String(seconds) }, { 'Retry-After': date }, {}]);
      return { kind: 'instead', answer: tooManyRequests(headers) };
    },
  },
  unavailable: {
    meaning: '500, 502, 503 or 504, with a message, with an empty one, or with HTML',
    per: 'request',
    tokens: true,
    harm: (random) => unavailable(random),
  },
  outage: {
    meaning: 'all requests fail for a while: 5xx, or the connection is reset',
    per: 'request',
    tokens: true,
    harm: (random) => (random.chance(0.3) ? { kind: 'reset', after: 0 } : unavailable(random)),
  },
  errors: {
    meaning: 'odder answers: a nested 429, no body, an error inside of a 200, a 206 without rows',
    per: 'request',
    harm: (random, nowMs) => ({ kind: 'instead', answer: random.pick(transientAnswers(nowMs)) }),
  },
  timeout: {
    meaning: 'the answer never comes, the connection stays open',
    per: 'request',
    harm: () => ({ kind: 'silence' }),
  },
  'mute-authority': {
    meaning: 'the token endpoint takes the request and never answers',
    per: 'request',
    tokens: 'only',
    harm: () => ({ kind: 'silence' }),
  },
  reset: {
    meaning: 'the connection is reset before or in the middle of an answer',
    per: 'request',
    tokens: true,
    harm: (random) => ({ kind: 'reset', after: random.chance(0.3) ? 0 : inside(random) }),
  },
  truncate: {
    meaning: 'the JSON ends in the middle, with or without Content-Length telling',
    per: 'request',
    harm: (random) => ({ kind: 'cut', after: inside(random), framing: random.pick(['whole', 'short']) }),
  },
  html: {
    meaning: '200 with a web page in the place of JSON',
    per: 'request',
    harm: () => ({ kind: 'instead', answer: html(200, 'Sign in to your account') }),
  },
  'expire-token': {
    meaning: 'the token is revoked early: 401, sometimes with a claims challenge',
    per: 'request',
    harm: (random) => ({
      kind: 'instead',
      revokes: true,
      answer: random.pick([unauthorized('Lifetime validation failed, the token is expired.'), challenge()]),
    }),
  },
  'big-page': {
    meaning: 'the answer has 50 MiB, most of it white space',
    per: 'request',
    harm: () => ({ kind: 'pad', bytes: BIG_PAGE_BYTES }),
  },
  quota: {
    meaning: 'counts as ten of the 150 a minute, also with --quota off; no Retry-After',
    per: 'request',
  },
  partial: {
    meaning: '206 with Warning: some rows are missing',
    per: 'request',
  },
  'count-off': {
    meaning: '@odata.count is absent or wrong',
    per: 'request',
  },
  'skip-limit': {
    meaning: 'beyond 500 or 2,000 rows no further page is offered, though there is more',
    per: 'request',
  },
  'poison-page': {
    meaning: 'a tick breaks, once: from then on 500 for each window that holds it',
    per: 'request',
  },
  ties: {
    meaning: 'thousands of alerts with one lastUpdateDateTime are raised, once',
    per: 'request',
  },
  'shift-pages': {
    meaning: 'alerts are raised or changed before it is served: rows move over its border',
    per: 'further page',
  },
  leave: {
    meaning: 'alerts are changed out of a closed window before it is served: a row is skipped',
    per: 'further page',
  },
  late: {
    meaning: 'an alert, or a change of it, can be read only some time after its lastUpdateDateTime',
    per: 'revision',
  },
  'very-late': {
    meaning: 'the same, hours later',
    per: 'revision',
  },
  future: {
    meaning: 'an alert is dated tomorrow',
    per: 'alert',
  },
  unrevised: {
    meaning: 'evidence is added later, up to three times, and lastUpdateDateTime stays',
    per: 'alert',
  },
  update: {
    meaning: 'an alert changes later, up to three times: status, severity, comments, evidence',
    per: 'alert',
  },
} as const satisfies Readonly<Record<string, Fault>>;

export type FaultName = keyof typeof faultTable;
export type Faults = Readonly<Partial<Record<FaultName, number>>>;

export const faultNames = Object.keys(faultTable) as FaultName[];

/** Probability of a fault that is named without one. */
export const DEFAULT_PROBABILITY = 0.05;

/**
 * `throttle,reset=0.2`, `all`, `all=0.1,late=0`: what comes later counts.
 *
 * @throws {Error} that says what is wrong, and which fault may have been meant
 */
export function parseFaults(text: string): Faults {
  const parsed: Partial<Record<FaultName, number>> = {};
  for (const part of text.split(',')) {
    const [name = '', probability] = part.trim().split('=', 2);
    if (name === '') continue;
    const value = probability === undefined ? DEFAULT_PROBABILITY : parseProbability(name, probability);
    if (name === 'all') for (const each of faultNames) parsed[each] = value;
    else if (isFault(name)) parsed[name] = value;
    else {
      const meant = closest(name, ['all', ...faultNames]);
      throw new Error(
        `unknown fault "${name}": did you mean "${meant}"? There are: all, ${faultNames.join(', ')}`,
      );
    }
  }
  return parsed;
}

function isFault(name: string): name is FaultName {
  return Object.hasOwn(faultTable, name);
}

function parseProbability(name: string, text: string): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (value >= 0 && value <= 1) return value;
  throw new Error(`the probability of the fault "${name}" is a number from 0 to 1, not "${text}"`);
}

/** Which faults are on. */
export class FaultSwitches {
  #faults: Faults;
  readonly #random: Random;
  readonly #outageMs: readonly [number, number];
  #outageEndsMs = -Infinity;
  /** How often each has struck. */
  readonly strikes = new Map<FaultName, number>();
  /** Faults of those that strike once, that have struck. */
  readonly #struck = new Set<FaultName>();

  constructor(on: Faults, options: { random: Random; outageMs: readonly [number, number] }) {
    this.#faults = on;
    this.#random = options.random;
    this.#outageMs = options.outageMs;
  }

  /** These from now on: an outage ends, and what strikes once may strike again. */
  set(on: Faults): void {
    this.#faults = on;
    this.#outageEndsMs = -Infinity;
    this.#struck.clear();
  }

  probability(name: FaultName): number {
    return this.#faults[name] ?? 0;
  }

  /** Whether it strikes this time. */
  hits(name: FaultName, random = this.#random): boolean {
    if (!random.chance(this.probability(name))) return false;
    this.#count(name);
    return true;
  }

  /** The same, for a fault that strikes once. */
  hitsOnce(name: FaultName): boolean {
    if (this.#struck.has(name) || !this.hits(name)) return false;
    this.#struck.add(name);
    return true;
  }

  /** What happens to this request: the first fault of the table that hits. */
  draw(request: 'graph' | 'token', nowMs: number): Harm | undefined {
    for (const name of faultNames) {
      const fault: Fault = faultTable[name];
      if (fault.harm && concerns(fault, request) && this.#strikes(name, nowMs)) {
        return fault.harm(this.#random, nowMs);
      }
    }
    return undefined;
  }

  /** An outage that has begun needs no more luck. */
  #strikes(name: FaultName, nowMs: number): boolean {
    if (name !== 'outage') return this.hits(name);
    if (nowMs < this.#outageEndsMs) {
      this.#count('outage');
      return true;
    }
    if (!this.hits('outage')) return false;
    this.#outageEndsMs = nowMs + this.#random.int(...this.#outageMs);
    return true;
  }

  #count(name: FaultName): void {
    this.strikes.set(name, (this.strikes.get(name) ?? 0) + 1);
  }
}

function concerns({ tokens }: Fault, request: 'graph' | 'token'): boolean {
  return request === 'token' ? tokens !== undefined : tokens !== 'only';
}

function unavailable(random: Random): Harm {
  return {
    kind: 'instead',
    answer: random.pick([
      new GraphError(500, 'UnknownError', ''),
      new GraphError(504, 'UnknownError', ''),
      new GraphError(500, 'InternalServerError', 'An internal server error occurred.'),
      new GraphError(503, 'ServiceUnavailable', 'The service is temporarily unavailable.'),
      new GraphError(503, 'ServiceUnavailable', 'The service is temporarily unavailable.', {
        'Retry-After': '1',
      }),
      html(502, '502 Bad Gateway'),
    ]),
  };
}

export function tooManyRequests(headers: Record<string, string>): GraphError {
  return new GraphError(429, 'TooManyRequests', 'Too many requests.', headers);
}

const CHALLENGE =
  'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize"';

export function unauthorized(message: string): GraphError {
  return new GraphError(401, 'InvalidAuthenticationToken', message, {
    'WWW-Authenticate': `${CHALLENGE}, client_id="00000003-0000-0000-c000-000000000000"`,
  });
}

/** Continuous access evaluation: the new token has to be asked for with these claims. */
export function challenge(): GraphError {
  const claims = Buffer.from('{"access_token":{"nbf":{"essential":true, "value":"1604106651"}}}').toString(
    'base64',
  );
  return new GraphError(
    401,
    'InvalidAuthenticationToken',
    'Continuous access evaluation resulted in challenge with result: InteractionRequired and code: TokenIssuedBeforeRevocationTimestamp',
    { 'WWW-Authenticate': `${CHALLENGE}, error="insufficient_claims", claims="${claims}"` },
  );
}

/** Neither the beginning nor the end. */
function inside(random: Random): number {
  return 0.05 + random.next() * 0.9;
}
