import type { Agent } from 'node:https';
import { createDefaultHttpClient, type HttpClient } from '@azure/core-rest-pipeline';
import { ClientSecretCredential } from '@azure/identity';
import { UnavailableError } from '../core/errors.ts';
import { abortError, orAbort } from '../lib/wait.ts';
import { foreignText } from './foreign.ts';
import { codeOf, explainCode, retryAfterMs } from './http.ts';
import { authorityOrigin, clouds, type TenantSettings } from './tenant.ts';

export interface TokenOptions {
  readonly signal: AbortSignal;
  /** Not from the cache: the one in there was refused. */
  readonly fresh?: boolean;
  /** The claims that a refusal asked for (JSON). */
  readonly claims?: string | undefined;
}

/** Signs a tenant's app in. Tokens are kept, and renewed five minutes before their end. */
export interface Credential {
  /**
   * An access token for `scope`.
   *
   * @throws {UnavailableError} `auth`: Entra ID refuses, and asking again will not help; else it is passing
   * @throws AbortError at the signal
   */
  token(scope: string, options: TokenOptions): Promise<string>;
  close(): void;
}

/** What the authority answered last: the SDK's own errors hide it, or have it as text only. */
interface Answer {
  readonly status?: number;
  readonly text?: string;
  readonly retryAfterMs?: number | undefined;
  /** Node's code, when there was no answer. */
  readonly code?: string;
}

/**
 * Makes a credential; asks for nothing yet.
 *
 * @param timeoutMs bounds each request of the SDK and each token as a whole: it has no limit of its own, and
 *   an authority that accepts and never answers would hang the source for ever (trap S18)
 */
export function openCredential(settings: TenantSettings, agent: Agent, timeoutMs: number): Credential {
  const authority = authorityOrigin(settings);
  const { clientId, clientSecret } = settings.credential;
  const closed = new AbortController();
  const inner = createDefaultHttpClient();
  let last: Answer = {};

  const httpClient: HttpClient = {
    async sendRequest(request) {
      request.agent = agent;
      request.timeout = timeoutMs;
      request.abortSignal = closed.signal;
      try {
        const response = await inner.sendRequest(request);
        const retryAfter = retryAfterMs(response.headers.get('retry-after'), Date.now());
        last = { status: response.status, text: response.bodyAsText ?? '', retryAfterMs: retryAfter };
        return response;
      } catch (error) {
        last = { code: codeOf(error) };
        throw error;
      }
    },
  };

  const signIn = () =>
    new ClientSecretCredential(settings.tenantId, clientId, clientSecret.reveal(), {
      authorityHost: authority,
      // The SDK asks Microsoft about every host that it does not know, also where Microsoft cannot be reached.
      disableInstanceDiscovery: !Object.values(clouds).some((cloud) => cloud.authority === authority),
      // Waiting is done by whoever asks, without end.
      retryOptions: { maxRetries: 0 },
      httpClient,
    });
  let credential: ClientSecretCredential | undefined;

  return {
    async token(scope, { signal, fresh = false, claims }) {
      // The SDK gets past its own cache for claims only. In a new object the cache is empty.
      if (fresh && claims === undefined) credential = undefined;
      credential ??= signIn();
      const overdue = AbortSignal.timeout(timeoutMs);
      last = {};
      try {
        const asked = credential.getToken(scope, claims === undefined ? {} : { claims });
        return (await orAbort(asked, AbortSignal.any([signal, closed.signal, overdue]))).token;
      } catch {
        // After a 429 or 5xx this object would repeat the failure for a minute from memory.
        credential = undefined;
        if (signal.aborted) throw abortError(signal);
        if (closed.signal.aborted) throw abortError(closed.signal);
        const where = new URL(authority).host;
        if (overdue.aborted) {
          const message = `${where} gave no token within ${timeoutMs / 1000} s`;
          throw new UnavailableError(message, { reason: 'timeout' });
        }
        throw refusal(where, last, settings);
      }
    },
    close: () => closed.abort(),
  };
}

/** The SDK's error is dropped on purpose: it tells less than the answer, and may hold the request with its secret. */
function refusal(where: string, answer: Answer, settings: TenantSettings): UnavailableError {
  const { status, code } = answer;
  if (status === undefined) {
    const message = `${where} (sign-in) cannot be reached: ${explainCode(code ?? 'unknown error')}`;
    return new UnavailableError(message, { reason: 'network' });
  }
  if (status === 429 || status >= 500) {
    return new UnavailableError(`${where} (sign-in) answers HTTP ${status}`, {
      reason: status === 429 ? 'throttled' : 'server',
      retryAfterMs: answer.retryAfterMs,
    });
  }
  if (status < 400) {
    const message = `${where} (sign-in) answers HTTP ${status} with something that is not a token`;
    return new UnavailableError(message, { reason: 'answer' });
  }
  const error = parseError(answer.text);
  const said = foreignText(error.description, [settings.credential.clientSecret.reveal()]);
  const advice = error.code === undefined ? undefined : signInAdvice(error.code, settings);
  const text = [`sign-in to tenant ${settings.name} is refused by ${where} (HTTP ${status})`, advice, said];
  return new UnavailableError(text.filter(Boolean).join(': '), { reason: 'auth' });
}

/** `error_codes` and `error_description` of Entra ID's answer, as far as there are any. */
function parseError(text: string | undefined): { code?: number; description?: unknown } {
  try {
    const body: unknown = JSON.parse(text ?? '');
    if (typeof body !== 'object' || body === null) return {};
    const { error_codes: codes, error_description: description } = body as Record<string, unknown>;
    const code = Array.isArray(codes) ? codes.find((item) => typeof item === 'number') : undefined;
    return code === undefined ? { description } : { code, description };
  } catch {
    return {};
  }
}

/**
 * What to do about an error of Entra ID.
 *
 * @see https://learn.microsoft.com/entra/identity-platform/reference-error-codes
 */
function signInAdvice(code: number, { tenantId, cloud, credential }: TenantSettings): string | undefined {
  switch (code) {
    case 7000215:
      return 'the client secret is wrong; set clientSecret to the secret’s value (not its ID)';
    case 7000222:
      return 'the client secret has expired; make a new one (Entra ID, App registrations, Certificates & secrets)';
    case 700016:
      return `the app ${credential.clientId} is not in this tenant; check clientId and tenantId`;
    case 90002:
      return `there is no tenant ${tenantId} in this cloud; check tenantId and cloud (now ${cloud})`;
    case 70011:
      return `the scope is not known there; check cloud (now ${cloud}) and authorityHost`;
    default:
      return undefined;
  }
}
