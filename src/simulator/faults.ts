import { closest } from 'fastest-levenshtein';
import { type Answer, GraphError } from './answer.ts';
import type { Random } from './random.ts';

/** What a fault does to one request. */
export type Harm =
  /** Something else is answered; with `revokes` the token is worth nothing from then on. */
  | { readonly kind: 'instead'; readonly answer: Answer | GraphError; readonly revokes?: boolean }
  /** The connection is reset when `after` (0..1) of the body has been sent; at 0 not even the head. */
  | { readonly kind: 'reset'; readonly after: number }
  /** The body ends after `after` of it: as if it were whole, or before what Content-Length says. */
  | { readonly kind: 'cut'; readonly after: number; readonly framing: 'whole' | 'short' };

interface Fault {
  /** For `--help`. */
  readonly meaning: string;
  /** What the probability is of. */
  readonly per: 'request' | 'alert' | 'revision';
  /** Requests for a token suffer too. */
  readonly tokens?: true;
  /** For a fault per request: what happens. The others are looked up by name where they act. */
  readonly harm?: (random: Random, nowMs: number) => Harm;
}

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
    harm: (random) => ({
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
    }),
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
  late: {
    meaning: 'an alert, or a change of it, can be read only some time after its lastUpdateDateTime',
    per: 'revision',
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

  constructor(on: Faults, random: Random) {
    this.#faults = on;
    this.#random = random;
  }

  set(on: Faults): void {
    this.#faults = on;
  }

  probability(name: FaultName): number {
    return this.#faults[name] ?? 0;
  }

  /** What happens to this request: the first fault of the table that hits. */
  draw(request: 'graph' | 'token', nowMs: number): Harm | undefined {
    for (const name of faultNames) {
      const fault: Fault = faultTable[name];
      if (!fault.harm || (request === 'token' && !fault.tokens)) continue;
      if (this.#random.chance(this.probability(name))) return fault.harm(this.#random, nowMs);
    }
    return undefined;
  }
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
function challenge(): GraphError {
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

function html(status: number, title: string): Answer {
  return {
    status,
    headers: { 'Content-Type': 'text/html' },
    body: `<html><head><title>${title}</title></head><body><center><h1>${title}</h1></center></body></html>`,
  };
}

/** Neither the beginning nor the end. */
function inside(random: Random): number {
  return 0.05 + random.next() * 0.9;
}
