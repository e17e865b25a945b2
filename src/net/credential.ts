import type { TokenCredential } from '@azure/identity';
import { UnavailableError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { RereadOptions } from '../lib/reread.ts';
import { abortError, orAbort } from '../lib/wait.ts';
import type { TenantAgent } from './agent.ts';
import type { Attempt, SignIn } from './azure-credential.ts';
import { Expiry, type ExpiryObserver } from './expiry.ts';
import { foreignText } from './foreign.ts';
import { openMaterial } from './material.ts';
import { signInError } from './sign-in-error.ts';
import { authorityOrigin, type TenantSettings } from './tenant.ts';
import { isPersons } from './token.ts';

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

export interface CredentialOptions extends ExpiryObserver {
  readonly agent: TenantAgent;
  /**
   * Bounds each request of the SDK and each token as a whole, milliseconds: the SDK has no limit of its own, and an
   * authority that accepts and never answers would hang the source for ever (trap S18).
   */
  readonly timeoutMs: number;
  readonly log: Log;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly reread?: RereadOptions;
}

/**
 * Makes a credential; reads its files, asks for nothing yet.
 *
 * @throws {UsageError} the certificate cannot be used
 */
export function openCredential(settings: TenantSettings, options: CredentialOptions): Credential {
  const { agent, timeoutMs, log, now } = options;
  const material = openMaterial(settings, options.reread ?? {});
  const expiry = new Expiry(`${material.what} of tenant ${settings.name}`, log, options);
  const tellTroubles = troubleTeller(log);
  const closed = new AbortController();
  // Azure's SDK is loaded for the first token: who asks for none must not wait for it.
  let loading: Promise<SignIn> | undefined;
  const loaded = () => {
    loading ??= import('./azure-credential.ts').then(({ openSignIn }) =>
      openSignIn(settings, agent, { timeoutMs, signal: closed.signal }),
    );
    return loading;
  };
  let from = material.current();
  let current: TokenCredential | undefined;

  /** The SDK's object, made of what is in the files now. In a new one the cache is empty. */
  const credentialFor = (signIn: SignIn, anew: boolean): TokenCredential => {
    if (anew || !current) material.look();
    const now = material.current();
    if (now !== from) log.info({}, `${material.what} has been replaced; signing in with the new one`);
    if (anew || now !== from) current = undefined;
    from = now;
    current ??= signIn.make(from);
    return current;
  };

  const tell = () => {
    tellTroubles([...material.troubles(), ...agent.troubles()]);
    expiry.check(material.expiresMs(), now());
  };
  tell();

  let toldPerson = false;
  const tellPerson = (token: string) => {
    if (toldPerson || !isPersons(token)) return;
    toldPerson = true;
    const advice = 'the relay stops when they may no longer sign in; use an app registration';
    log.warn({}, `signed in as a person: ${advice}`);
  };

  return {
    async token(scope, { signal, fresh = false, claims }) {
      const signIn = await loaded();
      const overdue = AbortSignal.timeout(timeoutMs);
      const attempt: Attempt = {};
      try {
        // The SDK gets past its own cache for claims only.
        const credential = credentialFor(signIn, fresh && claims === undefined);
        tell();
        // `enableCae`: we can answer claims challenges, so Graph may send them; it gives longer-lived tokens for it.
        const wanted = { enableCae: true, ...(claims !== undefined && { claims }) };
        const asked = signIn.noting(attempt, () => credential.getToken(scope, wanted));
        const token = await orAbort(asked, AbortSignal.any([signal, closed.signal, overdue]));
        if (token === null) throw new Error('no token');
        tellPerson(token.token);
        return token.token;
      } catch (error) {
        // After a 429 or 5xx this object would repeat the failure for a minute from memory.
        current = undefined;
        if (signal.aborted) throw abortError(signal);
        if (closed.signal.aborted) throw abortError(closed.signal);
        if (attempt.failure) throw new UnavailableError(attempt.failure.message, { reason: 'auth' });
        if (overdue.aborted) {
          const message = `${whoAnswers(settings)} gave no token within ${timeoutMs / 1000} s`;
          throw new UnavailableError(message, { reason: 'timeout' });
        }
        if (attempt.answer) throw signInError(attempt.answer, settings, agent.via);
        throw withoutAnswer(error, settings);
      }
    },
    close: () => closed.abort(),
  };
}

function whoAnswers(settings: TenantSettings): string {
  if (settings.credential.type === 'azure-cli') return 'the Azure CLI';
  if (settings.credential.type === 'managed-identity') return 'the managed identity endpoint';
  return new URL(authorityOrigin(settings)).host;
}

/** Nothing was asked by HTTP: the Azure CLI failed, or the SDK before it. */
function withoutAnswer(error: unknown, settings: TenantSettings): UnavailableError {
  const said = foreignText(error instanceof Error ? error.message : '', []);
  const message = `sign-in to tenant ${settings.name}: ${whoAnswers(settings)} gives no token: ${said}`;
  return new UnavailableError(message, { reason: 'auth' });
}

/** Says what is wrong with the files once, and once that all is well again. */
function troubleTeller(log: Log): (troubles: readonly string[]) => void {
  let told: readonly string[] = [];
  return (troubles) => {
    for (const trouble of troubles.filter((trouble) => !told.includes(trouble)))
      log.warn({}, `${trouble}; what was there before stays in use`);
    if (told.length > 0 && troubles.length === 0) log.info({}, 'the files of this tenant can be read again');
    told = [...troubles];
  };
}
