import { UnavailableError } from '../core/errors.ts';
import { parseJson } from '../lib/json.ts';
import { foreignText } from './foreign.ts';
import { type HttpAnswer, httpDateMs, retryAfterMs } from './http.ts';
import type { List, ListReader } from './list-reader.ts';
import { rolesOf } from './token.ts';

/** One page of a list that was read whole. */
export interface GraphPage<T = unknown> {
  /** What was made of what Graph put in `value`, unchecked. */
  readonly rows: readonly T[];
  /** Where the list goes on; without it this was the last page, however short or long. */
  readonly next: string | undefined;
  /** `@odata.count`: rows of the whole list; `undefined` when it was not asked for, or not told. */
  readonly count: number | undefined;
  /** Size of the answer. */
  readonly bytes: number;
  /** The server's `Date`, milliseconds since 1970; `undefined` when it sent none that can be read. */
  readonly dateMs: number | undefined;
}

type Body = Readonly<Record<string, unknown>>;

/**
 * The page of an answer with status 200.
 *
 * @throws {UnavailableError} `answer`: it is not a whole page of a list (R6)
 */
export function pageOf<T>(
  answer: HttpAnswer,
  reader: ListReader<T>,
  secrets: readonly string[],
): GraphPage<T> {
  const list = listOf(reader);
  if (!list) throw incomplete(`is not a JSON object; ${FOREIGN_ANSWER}`);
  const { members, rows } = list;
  // OData may find out about an error after the 200 has been sent.
  if (members.error) throw incomplete(`holds an error: ${describeError(answer, secrets)}`);
  if (!rows) throw incomplete('has no list `value`');
  const { '@odata.nextLink': next } = members;
  if (next !== undefined && next !== null && (typeof next !== 'string' || next === '')) {
    throw incomplete('has a next link that is no text');
  }
  const count = members['@odata.count'];
  return {
    rows,
    next: next ?? undefined,
    count: typeof count === 'number' ? count : undefined,
    bytes: reader.bytes,
    dateMs: httpDateMs(answer.header('date')),
  };
}

function listOf<T>(reader: ListReader<T>): List<T> | undefined {
  try {
    return reader.list();
  } catch {
    return undefined;
  }
}

function incomplete(why: string): UnavailableError {
  return new UnavailableError(`Graph’s answer (HTTP 200) ${why}`, { reason: 'answer' });
}

/** What a refusal needs to know to say what to do. */
export interface Refused {
  /** The application role that is enough. */
  readonly role: string;
  readonly token: string;
  /** Whose token it is, and how they are given the role, in the words of a message. */
  readonly who: string;
  readonly grant: string;
  /** Now, milliseconds since 1970, for a server that does not tell its own time. */
  readonly nowMs: number;
}

/** An answer with any other status than 200, as the error it is. */
export function refusalOf(answer: HttpAnswer, refused: Refused): UnavailableError {
  const { status } = answer;
  const said = `HTTP ${status}${withColon(describeError(answer, [refused.token]))}`;
  if (status === 401) {
    const message = `Graph does not accept the token: ${said}; ${adviceForToken(answer)}`;
    return new UnavailableError(message, { reason: 'auth' });
  }
  if (status === 403)
    return new UnavailableError(explainForbidden(answer, said, refused), { reason: 'auth' });
  if (status === 429 || status === 408 || status >= 500) {
    return new UnavailableError(`Graph answers ${said}`, {
      reason: status === 429 ? 'throttled' : 'server',
      retryAfterMs: retryAfterMs(
        answer.header('retry-after'),
        httpDateMs(answer.header('date')) ?? refused.nowMs,
      ),
    });
  }
  if (status >= 400) {
    const message = `Graph refuses the request: ${said}; ${adviceForRequest(status)}`;
    return new UnavailableError(message, { reason: 'request' });
  }
  if (status >= 300) {
    const message = `Graph’s answer is a redirect, which Graph gives for no list: ${said}; ${FOREIGN_ANSWER}`;
    return new UnavailableError(message, { reason: 'answer' });
  }
  const warning = foreignText(answer.header('warning'), [refused.token]);
  const message = `Graph’s answer is not complete: ${said}${withColon(warning)}`;
  return new UnavailableError(message, { reason: 'answer' });
}

const FOREIGN_ANSWER = 'a proxy or a captive portal may have answered';

/** What to do about a token that was refused though it was new: the one before it had been renewed already. */
function adviceForToken(answer: HttpAnswer): string {
  if (claimsOf(answer) !== undefined)
    return 'Conditional Access or a revocation stands against it; look at the sign-in logs of Entra ID for this app';
  if (/\bexpired\b/i.test(errorOf(answer).message))
    return 'the token is new, so a clock is wrong; check the one here';
  return 'check that tenantId and cloud are right';
}

function adviceForRequest(status: number): string {
  switch (status) {
    case 404:
      return 'this Graph has no such list; check cloud and graphEndpoint';
    case 410:
      return 'this Graph no longer has the list; upgrade the relay';
    default:
      return (
        'a proxy may have refused it in Graph’s place; else it is a mistake of the relay: report it, with the ' +
        'request-id if there is one'
      );
  }
}

/** The list of roles is within the first of it; the rest of a message from outside is not looked through. */
const ROLES_WITHIN = 4096;

/**
 * The roles in "API required roles: A,B, application roles: ." as alerts_v2 says it, also inside of a JSON text; empty
 * when it says nothing like that. Cut out by hand: one expression for it all would take time without end for a message
 * full of blanks.
 */
function requiredRoles(message: string): string {
  const [, after] = message.slice(0, ROLES_WITHIN).split(/required roles:/i, 2);
  const [list, rest] = after?.split(/application roles:/i, 2) ?? [];
  const roles = list?.split(/[\s,]/).filter(Boolean) ?? [];
  return rest !== undefined && roles.every((role) => /^[\w.]+$/.test(role)) ? roles.join(',') : '';
}

function explainForbidden(answer: HttpAnswer, said: string, { role, token, who, grant }: Refused): string {
  const required = requiredRoles(errorOf(answer).message) || role;
  const present = rolesOf(token);
  const has = present ? `its token has ${present.join(', ') || 'none'}` : 'its token does not show its roles';
  const isThere = required.split(',').some((each) => present?.includes(each));
  const advice = isThere
    ? 'the role is there, so look whether Microsoft Defender is licensed and set up in this tenant'
    : grant;
  return `Graph forbids it to ${who}: one of the roles ${required} is required, ${has}; ${advice}. ${said}`;
}

/**
 * The claims that a 401 asks a new token to have (continuous access evaluation), as JSON text.
 *
 * @see https://learn.microsoft.com/entra/identity-platform/claims-challenge
 */
export function claimsOf(answer: HttpAnswer): string | undefined {
  const encoded = /\bclaims="([\w+/=-]+)"/.exec(answer.header('www-authenticate') ?? '')?.[1];
  if (!encoded) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  try {
    JSON.parse(text);
    return text;
  } catch {
    return undefined;
  }
}

/** `Code: message (request-id …)`, as far as the answer has them. */
function describeError(answer: HttpAnswer, secrets: readonly string[]): string {
  const { code, message, requestId } = errorOf(answer);
  const said = [code, message].filter(Boolean).join(': ');
  return foreignText(requestId ? `${said} (request-id ${requestId})` : said, secrets);
}

function errorOf(answer: HttpAnswer): { code: string; message: string; requestId: string } {
  const error = objectOf(parseBody(answer)?.error);
  const inner = objectOf(error.innerError);
  return {
    code: textOf(error.code),
    message: textOf(error.message),
    requestId: textOf(inner['request-id']) || (answer.header('request-id') ?? ''),
  };
}

function parseBody(answer: HttpAnswer): Body | undefined {
  try {
    const body = parseJson(answer.text);
    return typeof body === 'object' && body !== null && !Array.isArray(body) ? (body as Body) : undefined;
  } catch {
    return undefined;
  }
}

const objectOf = (value: unknown): Body =>
  typeof value === 'object' && value !== null ? (value as Body) : {};
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
const withColon = (text: string): string => (text ? `: ${text}` : '');
