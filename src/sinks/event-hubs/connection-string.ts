import { UnavailableError } from '../../core/errors.ts';

/** What a connection string of Event Hubs says. */
export interface ConnectionString {
  readonly host: string;
  /** Only where it is not the usual one, as with the emulator. */
  readonly port: number | undefined;
  readonly keyName: string | undefined;
  readonly key: string | undefined;
  /** In place of a key: a signature that somebody has made with it. */
  readonly signature: string | undefined;
  /** The hub that it is for; `undefined`: for a namespace. */
  readonly eventHub: string | undefined;
  /** It is for Microsoft's emulator, which speaks without TLS. */
  readonly isEmulator: boolean;
}

const SIGNATURE_PREFIX = 'SharedAccessSignature ';

/**
 * @throws {Error} with a message that has nothing of the text: the SDK's own would repeat the key
 */
export function parseConnectionString(text: string): ConnectionString {
  const fields = new Map(
    text
      .split(';')
      .filter((field) => field.trim() !== '')
      .map((field) => {
        const at = field.indexOf('=');
        return [field.slice(0, at).trim().toLowerCase(), field.slice(at + 1).trim()] as const;
      }),
  );
  const endpoint = fields.get('endpoint') ?? '';
  // As an address of HTTP, whose parts `URL` knows.
  const address = endpoint.replace(/^sb:\/\//i, 'http://');
  if (address === endpoint || !URL.canParse(address))
    throw new Error('it must begin with "Endpoint=sb://NAMESPACE.servicebus.windows.net/"');
  const { hostname, port } = new URL(address);
  const keyName = fields.get('sharedaccesskeyname');
  const key = fields.get('sharedaccesskey');
  const signature = prefixed(fields.get('sharedaccesssignature'));
  if (signature === undefined && !(keyName && key))
    throw new Error('it must have SharedAccessKeyName and SharedAccessKey, or a SharedAccessSignature');
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? undefined : Number(port),
    keyName,
    key,
    signature,
    eventHub: fields.get('entitypath') || undefined,
    isEmulator: fields.get('usedevelopmentemulator')?.toLowerCase() === 'true',
  };
}

/** Many leave out the word that it begins with, for it stands before the `=`, too. */
function prefixed(signature: string | undefined): string | undefined {
  if (!signature) return undefined;
  return signature.startsWith(SIGNATURE_PREFIX) ? signature : `${SIGNATURE_PREFIX}${signature}`;
}

/** @throws {UnavailableError} */
export function hubOf(eventHub: string | undefined, entityPath: string | undefined): string {
  if (eventHub !== undefined && entityPath !== undefined && eventHub !== entityPath) {
    const message = `the connection string is for event hub ${entityPath}, and eventHub says ${eventHub}: take one of them out`;
    throw new UnavailableError(message, { reason: 'auth' });
  }
  const hub = eventHub ?? entityPath;
  if (hub !== undefined) return hub;
  const message = 'the connection string is for a namespace, without EntityPath: say the hub as eventHub';
  throw new UnavailableError(message, { reason: 'auth' });
}
