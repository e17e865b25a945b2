import { UnavailableError } from '../core/errors.ts';
import { foreignText } from './foreign.ts';
import { explainCode } from './http.ts';
import { type CredentialSettings, type TenantSettings, whoSignsIn } from './tenant.ts';

/** How the last request for a token ended: the SDK's own errors hide it, or have it as text only. */
export interface Answer {
  /** Host that was asked. */
  readonly where: string;
  readonly status?: number;
  readonly text?: string;
  readonly retryAfterMs?: number | undefined;
  /** Node's code, when there was no answer. */
  readonly code?: string;
  /** What was sent and must not be told. */
  readonly secrets: readonly string[];
}

/**
 * An answer that is no token, as the error it is. The SDK's error is dropped on purpose: it tells less than the
 * answer, and may hold the request with its secret.
 *
 * @param via the proxy that may be on the way
 */
export function signInError(
  answer: Answer,
  settings: TenantSettings,
  via: string | undefined,
): UnavailableError {
  const { where, status, code } = answer;
  const isOfMachine = settings.credential.type === 'managed-identity';
  if (status === undefined) {
    const through = via === undefined || isOfMachine ? '' : ` (${via})`;
    const why = explainCode(code ?? 'unknown error') + (isOfMachine ? NO_IDENTITY : '');
    const message = `${where} (sign-in) cannot be reached${through}: ${why}`;
    return new UnavailableError(message, { reason: 'network' });
  }
  // Azure's machines answer 404 and 410 while their identities are being set up.
  if (status === 429 || status >= 500 || (isOfMachine && (status === 404 || status === 410))) {
    return new UnavailableError(`${where} (sign-in) answers HTTP ${status}`, {
      reason: status === 429 ? 'throttled' : 'server',
      retryAfterMs: answer.retryAfterMs,
    });
  }
  if (status < 400) {
    const message = `${where} (sign-in) answers HTTP ${status} with something that is not a token`;
    return new UnavailableError(message, { reason: 'answer' });
  }
  const { code: number, description } = parseError(answer.text);
  const said = foreignText(description, answer.secrets);
  const advice = adviceFor(number, settings);
  const text = [`sign-in to tenant ${settings.name} is refused by ${where} (HTTP ${status})`, advice, said];
  return new UnavailableError(text.filter(Boolean).join(': '), { reason: 'auth' });
}

const NO_IDENTITY =
  '; managed identities are there on Azure’s own machines only (and are never asked through a proxy)';

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
function adviceFor(
  code: number | undefined,
  { tenantId, cloud, credential }: TenantSettings,
): string | undefined {
  const CERTIFICATES = 'Entra ID, App registrations, Certificates & secrets';
  switch (code) {
    case 7000215:
      return 'the client secret is wrong; set clientSecret to the secret’s value (not its ID)';
    case 7000222:
      return `the client secret has expired; make a new one (${CERTIFICATES})`;
    case 700016:
      return `${whoSignsIn(credential)} is not in this tenant; check clientId and tenantId`;
    case 90002:
      return `there is no tenant ${tenantId} in this cloud; check tenantId and cloud (now ${cloud})`;
    case 70011:
      return `the scope is not known there; check cloud (now ${cloud}) and authorityHost`;
    case 700027:
      return `the certificate is not known or has expired; upload it to ${whoSignsIn(credential)} (${CERTIFICATES})`;
    case 700024:
      return stale(credential);
    case 700213:
      return 'no federated credential of the app fits the workload; compare its subject with the one named here';
    default:
      return credential.type === 'managed-identity' ? 'check that this machine has the identity' : undefined;
  }
}

function stale(credential: CredentialSettings): string {
  if (credential.type !== 'workload-identity') return 'the clock here is wrong; check it';
  return `the token in ${credential.tokenFile} is too old; see why it is not renewed, and check the clock`;
}
