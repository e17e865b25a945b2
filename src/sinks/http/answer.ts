import { UnavailableError, type UnavailableReason } from '../../core/errors.ts';
import { foreignText } from '../../net/foreign.ts';
import { type HttpAnswer, httpDateMs, retryAfterMs } from '../../net/http.ts';

/** What an answer says of the request. */
export type Verdict =
  | { readonly kind: 'taken' }
  /** Of what was sent: it is too much at once, or something is wrong with it. */
  | { readonly kind: 'too-large' | 'rejected'; readonly detail: string }
  /** The far end does not read what is compressed in this way. */
  | { readonly kind: 'not-compressed'; readonly detail: string }
  /** Nothing of what was sent: it has to be sent again. */
  | { readonly kind: 'unavailable'; readonly error: UnavailableError };

export interface Asked {
  /** The far end in the words of a message. */
  readonly host: string;
  readonly isCompressed: boolean;
  /** What an answer may echo and nobody may read. */
  readonly secrets: readonly string[];
  /** Milliseconds since 1970, for a far end that does not tell its own time. */
  readonly nowMs: number;
}

/** What a person has to do. */
const advice: Readonly<Record<number, string>> = {
  401: 'it does not take the credentials: check auth and headers',
  403: 'the credentials are not allowed to send there: check auth, headers, and the rights at the receiver',
  404: 'there is nothing at this path: check url',
  405: 'it does not take this method: check method and url',
  407: 'a proxy wants a login: check proxyLogin',
  410: 'this address has been given up: set another url',
  415: 'it does not take this kind of body: check body, format and headers',
  501: 'it does not know this method: check method and url',
};

/** Pure. What no rule is for counts as not taken, so that nothing is lost by it. */
export function judge(answer: HttpAnswer, asked: Asked): Verdict {
  const { status } = answer;
  const said = foreignText(answer.text, asked.secrets);
  const detail = `${asked.host} answers HTTP ${status}${said === '' || isHtml(answer) ? '' : ` (${said})`}`;
  const unavailable = (why: string, reason: UnavailableReason, waitMs?: number): Verdict => ({
    kind: 'unavailable',
    error: new UnavailableError(`${detail}${why}`, { reason, retryAfterMs: waitMs }),
  });
  if (status === 207) {
    const why = '; that is a verdict on each event, in a form that is not known: check url';
    return unavailable(why, 'config');
  }
  if (status >= 200 && status < 300) {
    if (answer.isEarly) return unavailable(' before it has read the request, so nothing is taken', 'answer');
    if (!isHtml(answer)) return { kind: 'taken' };
    return unavailable(
      ' and a web page: a login page or a proxy, not the receiver. Check url and proxy',
      'answer',
    );
  }
  if (status >= 300 && status < 400) {
    const to = targetOf(answer);
    return unavailable(
      `: a redirect${to}, which is not followed. Set url to where it leads, if that is right`,
      'config',
    );
  }
  if (status === 413) return { kind: 'too-large', detail };
  if (status === 400 || status === 422) return { kind: 'rejected', detail };
  if (status === 415 && asked.isCompressed) return { kind: 'not-compressed', detail };
  const serverMs = httpDateMs(answer.header('date')) ?? asked.nowMs;
  const waitMs = retryAfterMs(answer.header('retry-after'), serverMs);
  if (status === 408 || status === 425) return unavailable('', 'timeout', waitMs);
  // As the draft of Idempotency-Key has it.
  if (status === 409) return unavailable(': it may still be at work on the same request', 'server', waitMs);
  if (status === 429) return unavailable(': too many requests', 'throttled', waitMs);
  if (status >= 500 && status !== 501) return unavailable('', 'server', waitMs);
  const why = advice[status] ?? 'it wants something else: check url, method and headers';
  return unavailable(`: ${why}`, status === 401 || status === 403 ? 'auth' : 'config', waitMs);
}

/** Many a webhook says a plain `ok` under the type of a page, so the type alone does not make it one. */
function isHtml(answer: HttpAnswer): boolean {
  const isSaid = /^\s*(text\/html|application\/xhtml)/i.test(answer.header('content-type') ?? '');
  return /^\s*<(!doctype\s+html|html)\b/i.test(answer.text) || (isSaid && /<[a-z!]/i.test(answer.text));
}

/** Only the origin: the rest of an address may be somebody's secret. */
function targetOf(answer: HttpAnswer): string {
  const location = answer.header('location') ?? '';
  return URL.canParse(location) ? ` to ${foreignText(new URL(location).origin, [])}` : '';
}
