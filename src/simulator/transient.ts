import { type Answer, GraphError, json } from './answer.ts';

/** What an answer with alerts begins with; the origin is Graph's own. */
const CONTEXT = 'https://graph.microsoft.com/v1.0/$metadata#security/alerts_v2';

/**
 * Answers that pass when one waits, in the odder shapes that Graph and what stands before it give them. Those that
 * do not pass (400, 401, 403, ...) are in `refusals.ts`.
 */
export function transientAnswers(nowMs: number): (Answer | GraphError)[] {
  const soon = new Date(nowMs + 1_000).toUTCString();
  return [
    json(
      429,
      {
        error: {
          code: 'TooManyRequests',
          message: 'Please retry again later.',
          innerError: {
            code: '429',
            date: new Date(nowMs).toISOString().slice(0, 19),
            message: 'Please retry after',
            status: '429',
          },
        },
      },
      { 'Retry-After': '1' },
    ),
    new GraphError(429, 'activityLimitReached', 'Request has been throttled', { 'Retry-After': soon }),
    new GraphError(429, 'TooManyRequests', 'Too many requests.'),
    new GraphError(503, 'ServiceUnavailable', 'The service is temporarily unavailable.', {
      'Retry-After': '1',
    }),
    new GraphError(504, 'UnknownError', ''),
    html(502, '502 Bad Gateway'),
    { status: 503, headers: {}, body: '' },
    { status: 200, headers: { 'Content-Type': 'application/json' }, body: '' },
    json(200, `{"@odata.context":"${CONTEXT}","value":[{"id":"da63`),
    // OData may find out about an error after the 200 has been sent.
    json(200, {
      '@odata.context': CONTEXT,
      value: [],
      error: { code: 'UnknownError', message: 'An error has occurred while processing the request.' },
    }),
    json(206, { '@odata.context': CONTEXT, value: [] }, { Warning: PROVIDER_FAILED }),
  ];
}

/** Vendor, provider, status and milliseconds of the one that failed: the rest of the answer is missing. */
export const PROVIDER_FAILED = '199 - "Microsoft/WDATP/504/10000"';

/** What a proxy, a gateway or a captive portal answers. */
export function html(status: number, title: string): Answer {
  return {
    status,
    headers: { 'Content-Type': 'text/html' },
    body: `<html><head><title>${title}</title></head><body><center><h1>${title}</h1></center></body></html>`,
  };
}
