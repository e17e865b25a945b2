import { AsyncLocalStorage } from 'node:async_hooks';
import { createDefaultHttpClient, type HttpClient } from '@azure/core-rest-pipeline';
import {
  type AccessToken,
  AzureCliCredential,
  ClientAssertionCredential,
  ClientCertificateCredential,
  ClientSecretCredential,
  ManagedIdentityCredential,
  type TokenCredential,
} from '@azure/identity';
import { readTextFile } from '../lib/files.ts';
import type { TenantAgent } from './agent.ts';
import { codeOf, httpDateMs, retryAfterMs } from './http.ts';
import type { Answer } from './sign-in-error.ts';
import { authorityOrigin, clouds, type TenantSettings } from './tenant.ts';

/** What happens while one token is asked for. */
export interface Attempt {
  answer?: Answer;
  /** Why it could not even be asked for. */
  failure?: Error;
}

/** A tenant's way to sign in, by Azure's SDK. */
export interface SignIn {
  /** An object of the SDK that signs in with this secret or certificate, and keeps the tokens that it gets. */
  make(material: string): TokenCredential;
  /** Runs `ask`, and notes in `attempt` what its requests came to: the SDK's errors hide it. */
  noting<T>(attempt: Attempt, ask: () => Promise<T>): Promise<T>;
}

interface Limits {
  /** Of each request of the SDK, which has none of its own; milliseconds. */
  readonly timeoutMs: number;
  /** Ends them all. */
  readonly signal: AbortSignal;
}

export function openSignIn(settings: TenantSettings, agent: TenantAgent, limits: Limits): SignIn {
  // Several sources of a tenant ask at a time; each must learn of its own failure.
  const attempts = new AsyncLocalStorage<Attempt>();
  const httpClient = openHttpClient(settings, agent, limits, attempts);
  return {
    make: (material) => makeCredential(settings, material, { httpClient, attempts, ...limits }),
    noting: (attempt, ask) => attempts.run(attempt, ask),
  };
}

/** Sends the SDK's requests our way: agent, time-out, end; and keeps what was answered. */
function openHttpClient(
  { credential }: TenantSettings,
  agent: TenantAgent,
  { timeoutMs, signal }: Limits,
  attempts: AsyncLocalStorage<Attempt>,
): HttpClient {
  const inner = createDefaultHttpClient();
  return {
    async sendRequest(request) {
      const attempt = attempts.getStore() ?? {};
      const answered = { where: new URL(request.url).host, secrets: secretsIn(request.body) };
      // Azure's own machines are asked directly, by plain HTTP.
      if (credential.type === 'managed-identity') delete request.agent;
      else request.agent = agent.current();
      request.timeout = timeoutMs;
      request.abortSignal = signal;
      try {
        const response = await inner.sendRequest(request);
        const serverMs = httpDateMs(response.headers.get('date')) ?? Date.now();
        const retryAfter = retryAfterMs(response.headers.get('retry-after'), serverMs);
        const text = response.bodyAsText ?? '';
        attempt.answer = { ...answered, status: response.status, text, retryAfterMs: retryAfter };
        return response;
      } catch (error) {
        attempt.answer = { ...answered, code: codeOf(error) };
        throw error;
      }
    },
  };
}

/** What of a token request may not be told. */
function secretsIn(body: unknown): string[] {
  if (typeof body !== 'string') return [];
  const form = new URLSearchParams(body);
  return ['client_secret', 'client_assertion'].flatMap((name) => form.get(name) || []);
}

interface Means extends Limits {
  readonly httpClient: HttpClient;
  readonly attempts: AsyncLocalStorage<Attempt>;
}

/** The SDK's object for a way to sign in. */
function makeCredential(
  settings: TenantSettings,
  material: string,
  { httpClient, attempts, timeoutMs }: Means,
): TokenCredential {
  const { tenantId, credential } = settings;
  const authorityHost = authorityOrigin(settings);
  // Waiting is done by whoever asks, without end.
  const retryOptions = { maxRetries: 0 };
  // Never used: the way is the agent's. It only keeps the SDK from reading HTTPS_PROXY, on which it may throw.
  const proxyOptions = { host: 'http://unused.invalid', port: 80 };
  const local = { retryOptions, proxyOptions, httpClient };
  const entra = {
    ...local,
    authorityHost,
    // The SDK asks Microsoft about every host that it does not know, also where Microsoft cannot be reached.
    disableInstanceDiscovery: !Object.values(clouds).some((cloud) => cloud.authority === authorityHost),
  };
  switch (credential.type) {
    case 'client-secret':
      return new ClientSecretCredential(tenantId, credential.clientId, material, entra);
    case 'client-certificate': {
      // With its chain, the app may trust the issuer in place of each certificate.
      const options = { ...entra, sendCertificateChain: true };
      return new ClientCertificateCredential(
        tenantId,
        credential.clientId,
        { certificate: material },
        options,
      );
    }
    case 'workload-identity': {
      // Not the SDK's own: that goes on with a token of up to five minutes ago.
      const assertion = async () => readAssertion(credential.tokenFile, attempts.getStore());
      return new ClientAssertionCredential(tenantId, credential.clientId, assertion, entra);
    }
    case 'managed-identity': {
      const { clientId } = credential;
      return new ManagedIdentityCredential({ ...(clientId !== undefined && { clientId }), ...local });
    }
    case 'azure-cli':
      // Ended when nobody waits for it any more.
      return remembering(new AzureCliCredential({ tenantId, processTimeoutInMs: timeoutMs + 1000 }));
  }
}

function readAssertion(file: string, attempt: Attempt | undefined): string {
  try {
    const assertion = readTextFile(file).trim();
    if (assertion === '') throw new Error(`file ${file} is empty`);
    return assertion;
  } catch (error) {
    if (attempt) attempt.failure = error as Error;
    throw error;
  }
}

const RENEW_BEFORE_MS = 300_000;

/** Starts the Azure CLI for a new token only; it knows no claims. */
function remembering(credential: TokenCredential): TokenCredential {
  let kept: AccessToken | null = null;
  return {
    async getToken(scope, options) {
      if (options?.claims !== undefined) kept = null;
      if (!kept || kept.expiresOnTimestamp - Date.now() < RENEW_BEFORE_MS)
        kept = await credential.getToken(scope);
      return kept;
    },
  };
}
