import type { AlertRevision } from './revision.ts';

/** An HTTP answer before it is sent. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** The alerts in it, for the account. */
  readonly alerts?: readonly AlertRevision[];
}

export function json(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Answer {
  return {
    status,
    headers: { 'Content-Type': 'application/json; charset=utf-8', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  };
}

/** Something that Graph refuses: becomes an answer in Graph's error shape. */
export class GraphError extends Error {
  override readonly name = 'GraphError';
  readonly status: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: string, message: string, headers: Record<string, string> = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

export const badRequest = (message: string) => new GraphError(400, 'BadRequest', message);

/** What every answer of Graph and every error in it is marked with. */
export interface RequestIds {
  readonly requestId: string;
  readonly clientRequestId: string;
  readonly nowMs: number;
}

/** The error shape of Graph: code, message, and an inner error with the ids that support asks for. */
export function errorAnswer(error: GraphError, ids: RequestIds): Answer {
  const innerError = {
    date: new Date(ids.nowMs).toISOString().slice(0, 19),
    'request-id': ids.requestId,
    'client-request-id': ids.clientRequestId,
  };
  return json(
    error.status,
    { error: { code: error.code, message: error.message, innerError } },
    error.headers,
  );
}
