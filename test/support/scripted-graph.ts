import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import { Secret } from '../../src/lib/secret.ts';
import type { TenantSettings } from '../../src/net/tenant.ts';
import { startHttps } from './https.ts';

export const TENANT_ID = 'b3c1b5fc-828c-45fa-a1e1-10d74f6d6e9c';
export const CLIENT_ID = '2d7a5b0e-1e5f-4a53-9d0c-51c1f6a0a111';
/** May appear in no message, log or dump (S11). */
export const CANARY_SECRET = 'canary-secret-8f1d';

/** A request that the server got. */
export interface Asked {
  /** Path and query as they came. */
  readonly url: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** JSON of `body` (text goes out as it is), or a function that answers, or does not. */
export type Reply =
  | { readonly status?: number; readonly headers?: Record<string, string>; readonly body?: unknown }
  | ((response: ServerResponse) => void);

export interface Script {
  /** Answers Graph's request number `n` (from 0). */
  graph(asked: Asked, n: number): Reply;
  /** Answers token request number `n` (from 0); without it each gets a new token. */
  token?(asked: Asked, n: number): Reply;
}

export interface ScriptedGraph {
  readonly origin: string;
  /** Of a tenant that is served here. */
  readonly settings: TenantSettings;
  readonly graphAsked: readonly Asked[];
  readonly tokensAsked: readonly Asked[];
}

/** An access token that shows its roles, as Entra ID's do; `n` makes each another. */
export function aToken(n: number, roles: readonly string[] | undefined = ['SecurityAlert.Read.All']): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'none' })}.${part(roles ? { jti: n, roles } : { jti: n })}.canary-token-${n}`;
}

export function tokenReply(token: string): Reply {
  return { body: { token_type: 'Bearer', expires_in: 3599, ext_expires_in: 3599, access_token: token } };
}

/** An answer of Entra ID or Graph that refuses. */
export function graphError(
  status: number,
  code: string,
  message: string,
  headers: Record<string, string> = {},
): Reply {
  const innerError = { 'request-id': 'req-1', 'client-request-id': 'req-1' };
  return { status, headers, body: { error: { code, message, innerError } } };
}

/** Graph and its token authority on one HTTPS server, answering by script; closed at the test's end. */
export async function scriptGraph(script: Script): Promise<ScriptedGraph> {
  const graphAsked: Asked[] = [];
  const tokensAsked: Asked[] = [];

  const reply = (asked: Asked): Reply => {
    if (asked.url.includes('/.well-known/openid-configuration')) {
      const root = `${server.origin}/${TENANT_ID}`;
      const body = {
        issuer: `${root}/v2.0`,
        authorization_endpoint: `${root}/oauth2/v2.0/authorize`,
        token_endpoint: `${root}/oauth2/v2.0/token`,
        jwks_uri: `${root}/discovery/v2.0/keys`,
      };
      return { body };
    }
    if (asked.url.includes('/oauth2/')) {
      const n = tokensAsked.push(asked) - 1;
      return script.token?.(asked, n) ?? tokenReply(aToken(n));
    }
    return script.graph(asked, graphAsked.push(asked) - 1);
  };

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const { url = '', headers } = request;
    const query = new URL(url, server.origin).searchParams;
    const chosen = reply({ url, query, headers, body: await text(request) });
    if (typeof chosen === 'function') return chosen(response);
    const { status = 200, body = '' } = chosen;
    response.writeHead(status, { 'content-type': 'application/json', ...chosen.headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };

  const server = await startHttps((request, response) => {
    // A client that has gone away is part of some tests.
    answer(request, response).catch(() => response.destroy());
  });
  onTestFinished(() => server.close());
  const settings: TenantSettings = {
    name: 'contoso',
    tenantId: TENANT_ID,
    cloud: 'global',
    graphEndpoint: server.origin,
    authorityHost: server.origin,
    ca: server.caFile,
    credential: { type: 'client-secret', clientId: CLIENT_ID, clientSecret: new Secret(CANARY_SECRET) },
    requestsPerMinute: 1_000_000,
  };
  return { origin: server.origin, settings, graphAsked, tokensAsked };
}
