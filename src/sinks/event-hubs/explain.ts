import { UnavailableError } from '../../core/errors.ts';
import { isAbort } from '../../lib/wait.ts';
import { foreignText } from '../../net/foreign.ts';

/** Event Hubs asks for it in the text of its refusal (50002). */
const BUSY_MS = 4_000;

/** Refusals of what was sent: to send it again would not help. */
const refusals: ReadonlySet<string> = new Set([
  'ArgumentError',
  'ArgumentOutOfRangeError',
  'DecodeError',
  'InvalidFieldError',
]);

export interface Place {
  /** `hub alerts at ns.servicebus.windows.net`. */
  readonly name: string;
  /** Who signs in, and how that is allowed to send. */
  readonly grant: string;
  /** What may not be told, though the far end or the SDK may say it. */
  readonly secrets: readonly string[];
}

/** The SDK's name for what happened. */
export function codeOf(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown };
  if (typeof code === 'string') return code;
  return typeof name === 'string' ? name : '';
}

export const isTooLarge = (error: unknown): boolean => codeOf(error) === 'MessageTooLargeError';

/** Why Event Hubs will not have what it was sent; `undefined` when it is about something else. */
export function refusalOf(error: unknown, { secrets }: Place): string | undefined {
  const code = codeOf(error);
  return refusals.has(code) ? `${code}: ${saidBy(error, secrets)}` : undefined;
}

/** An error of the SDK for people; without the error itself, in which there may be keys. */
export function unavailable(doing: string, error: unknown, place: Place): Error {
  if (error instanceof UnavailableError || isAbort(error)) return error as Error;
  const code = codeOf(error);
  const said = saidBy(error, place.secrets);
  const failed = `${doing} to ${place.name} failed`;
  switch (code) {
    case 'ServerBusyError':
      return new UnavailableError(`${place.name} is throttled: ${said}`, {
        reason: 'throttled',
        retryAfterMs: BUSY_MS,
      });
    case 'QuotaExceededError':
      return new UnavailableError(`${failed}: a quota of the namespace is used up: ${said}`, {
        reason: 'throttled',
        retryAfterMs: BUSY_MS,
      });
    case 'MessagingEntityNotFoundError':
    case 'ServiceCommunicationError':
      return new UnavailableError(
        `${failed}: there is no such event hub; check eventHub (or EntityPath in connectionString) and the namespace (${said})`,
        {
          reason: 'request',
        },
      );
    case 'MessagingEntityDisabledError':
      return new UnavailableError(`${failed}: the event hub is disabled; enable it (${said})`, {
        reason: 'request',
      });
    case 'UnauthorizedError':
    case 'PublisherRevokedError':
      return new UnavailableError(`${failed}: not let in; ${place.grant} (${said})`, { reason: 'auth' });
    case 'OperationTimeoutError':
    case 'ServiceUnavailableError':
      return new UnavailableError(`${failed}: ${code}: ${said}`, { reason: 'timeout' });
    case 'InternalServerError':
      return new UnavailableError(`${failed}: ${code}: ${said}`, { reason: 'server' });
    default:
      return new UnavailableError(`${failed}: ${[code, said].filter(Boolean).join(': ')}`, {
        reason: 'network',
      });
  }
}

function saidBy(error: unknown, secrets: readonly string[]): string {
  return foreignText(error instanceof Error ? error.message : String(error), secrets);
}
