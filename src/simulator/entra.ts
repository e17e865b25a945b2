import { type Answer, type GraphError, json } from './answer.ts';
import { unauthorized } from './faults.ts';
import type { Random } from './random.ts';

export const CLIENT_ID = 'simulator';
export const CLIENT_SECRET = 'simulator-secret';

const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** What an access token stands for. */
export interface Token {
  /** The how many-th one issued, from 1. */
  readonly number: number;
  readonly tenant: string;
  /** Those the app had when the token was issued: consent given later shows only in a new one. */
  readonly roles: readonly string[];
  readonly expiresMs: number;
}

/** An error as the token endpoint words it. */
export class TokenError extends Error {
  readonly status: number;
  readonly error: string;
  /** The number behind AADSTS. */
  readonly code: number;

  constructor(status: number, error: string, code: number, message: string) {
    super(message);
    this.status = status;
    this.error = error;
    this.code = code;
  }
}

/** The token endpoint of Entra ID for one app with a secret. */
export class Authority {
  /** Given to every tenant's app from the next token on. */
  roles: readonly string[];
  readonly #lifetimeSeconds: number;
  readonly #random: Random;
  readonly #tokens = new Map<string, Token>();
  #issued = 0;

  constructor(options: { roles: readonly string[]; lifetimeSeconds: number; random: Random }) {
    this.roles = options.roles;
    this.#lifetimeSeconds = options.lifetimeSeconds;
    this.#random = options.random;
  }

  /** The discovery document of a tenant. */
  discover(tenant: string, origin: string, nowMs: number): Answer {
    return this.#orError(nowMs, () => {
      checkTenant(tenant);
      return {
        issuer: `${origin}/${tenant}/v2.0`,
        authorization_endpoint: `${origin}/${tenant}/oauth2/v2.0/authorize`,
        token_endpoint: `${origin}/${tenant}/oauth2/v2.0/token`,
        jwks_uri: `${origin}/${tenant}/discovery/v2.0/keys`,
        response_types_supported: ['code', 'id_token', 'code id_token', 'id_token token'],
        subject_types_supported: ['pairwise'],
        id_token_signing_alg_values_supported: ['RS256'],
        token_endpoint_auth_methods_supported: [
          'client_secret_post',
          'private_key_jwt',
          'client_secret_basic',
        ],
      };
    });
  }

  /** A token for the client-credentials grant, or what Entra says to a wrong request. */
  issue(tenant: string, form: URLSearchParams, origin: string, nowMs: number): Answer {
    return this.#orError(nowMs, () => {
      checkTenant(tenant);
      checkForm(form, tenant, origin);
      const issuedAt = Math.floor(nowMs / 1000);
      const expires = issuedAt + this.#lifetimeSeconds;
      const claims = {
        aud: origin,
        iss: `https://sts.windows.net/${tenant}/`,
        iat: issuedAt,
        nbf: issuedAt,
        exp: expires,
        appid: CLIENT_ID,
        idtyp: 'app',
        oid: this.#random.guid(),
        // An app without any permission gets a token too; the claim is just not there.
        ...(this.roles.length > 0 && { roles: this.roles }),
        tid: tenant,
        uti: this.#random.hex(22),
        ver: '1.0',
      };
      const text = [{ typ: 'JWT', alg: 'RS256', kid: 'simulator' }, claims]
        .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
        .concat(Buffer.from(this.#random.hex(512), 'hex').toString('base64url'))
        .join('.');
      this.#forgetExpired(nowMs);
      this.#tokens.set(text, {
        number: ++this.#issued,
        tenant,
        roles: this.roles,
        expiresMs: expires * 1000,
      });
      return {
        token_type: 'Bearer',
        expires_in: this.#lifetimeSeconds,
        ext_expires_in: this.#lifetimeSeconds,
        access_token: text,
      };
    });
  }

  /**
   * The token of an Authorization header.
   *
   * @throws {GraphError} 401, as Graph answers
   */
  check(authorization: string | undefined, nowMs: number): Token {
    const text = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
    if (text === undefined) throw unauthorized('Access token is empty.');
    const token = this.#tokens.get(text);
    if (token && token.expiresMs > nowMs) return token;
    if (text.split('.').length !== 3) {
      throw unauthorized('IDX14100: JWT is not well formed, there are no dots (.).');
    }
    throw unauthorized('Lifetime validation failed, the token is expired.');
  }

  revoke(token: Token): void {
    for (const [text, known] of this.#tokens) if (known === token) this.#tokens.delete(text);
  }

  /** A request for a token that is refused, whatever it says. */
  refuse(error: TokenError, nowMs: number): Answer {
    return this.#error(error, nowMs);
  }

  /** An error of Graph's kind (a fault) in the words of the token endpoint. */
  transient(error: GraphError, nowMs: number): Answer {
    const message = 'A transient error has occurred. Please try again.';
    return this.#error(
      new TokenError(error.status, 'temporarily_unavailable', 90033, message),
      nowMs,
      error.headers,
    );
  }

  #forgetExpired(nowMs: number): void {
    for (const [text, token] of this.#tokens) if (token.expiresMs <= nowMs) this.#tokens.delete(text);
  }

  #orError(nowMs: number, make: () => object): Answer {
    try {
      return json(200, make(), { 'Cache-Control': 'no-store, no-cache' });
    } catch (error) {
      if (error instanceof TokenError) return this.#error(error, nowMs);
      throw error;
    }
  }

  #error(error: TokenError, nowMs: number, headers: Readonly<Record<string, string>> = {}): Answer {
    const traceId = this.#random.guid();
    const correlationId = this.#random.guid();
    const timestamp = `${new Date(nowMs).toISOString().slice(0, 19).replace('T', ' ')}Z`;
    const body = {
      error: error.error,
      error_description: `AADSTS${error.code}: ${error.message} Trace ID: ${traceId} Correlation ID: ${correlationId} Timestamp: ${timestamp}`,
      error_codes: [error.code],
      timestamp,
      trace_id: traceId,
      correlation_id: correlationId,
      error_uri: `https://login.microsoftonline.com/error?code=${error.code}`,
    };
    return json(error.status, body, headers);
  }
}

function checkTenant(tenant: string): void {
  if (GUID.test(tenant)) return;
  throw new TokenError(
    400,
    'invalid_request',
    90002,
    `Tenant '${tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud.`,
  );
}

function checkForm(form: URLSearchParams, tenant: string, origin: string): void {
  const need = (name: string) => {
    const value = form.get(name);
    if (value) return value;
    const message = `The request body must contain the following parameter: '${name}'.`;
    throw new TokenError(400, 'invalid_request', 900144, message);
  };
  if (need('grant_type') !== 'client_credentials') {
    const message = `The app requested an unsupported grant type '${form.get('grant_type')}'.`;
    throw new TokenError(400, 'unsupported_grant_type', 70003, message);
  }
  const clientId = need('client_id');
  if (clientId !== CLIENT_ID) {
    const message = `Application with identifier '${clientId}' was not found in the directory '${tenant}'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant.`;
    throw new TokenError(400, 'unauthorized_client', 700016, message);
  }
  if (!form.has('client_secret')) {
    const message =
      "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.";
    throw new TokenError(401, 'invalid_client', 7000218, message);
  }
  if (form.get('client_secret') !== CLIENT_SECRET) {
    const message = `Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '${CLIENT_ID}'.`;
    throw new TokenError(401, 'invalid_client', 7000215, message);
  }
  // The SDK asks for `offline_access openid profile` beside the resource.
  const scope = need('scope');
  if (!scope.split(' ').includes(`${origin}/.default`)) {
    const message = `The provided value for the input parameter 'scope' is not valid. The scope ${scope} is not valid.`;
    throw new TokenError(400, 'invalid_scope', 70011, message);
  }
}
