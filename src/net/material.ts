import { UsageError } from '../core/errors.ts';
import { Reread, type RereadOptions } from '../lib/reread.ts';
import { CertificateError, type ClientCertificate, readClientCertificate } from './certificate.ts';
import type { CredentialSettings, TenantSettings } from './tenant.ts';

/** What a tenant's app signs in with: a secret, or a certificate with its key. Both may be replaced while we run. */
export interface Material {
  /** Its name in the beginning of a sentence. */
  readonly what: string;
  /** Secret or PEM text; empty where others keep it. Another text once it has been replaced. */
  current(): string;
  /** Reads the files again now. */
  look(): void;
  /** What is wrong with the files, so that older content is in use. */
  troubles(): string[];
  /** When it expires, milliseconds since 1970, if that is known. */
  expiresMs(): number | undefined;
}

/** @throws {UsageError} the certificate cannot be used */
export function openMaterial({ name, credential }: TenantSettings, reread: RereadOptions): Material {
  if (credential.type === 'client-secret') return ofSecret(credential);
  if (credential.type === 'client-certificate') return ofCertificate(name, credential, reread);
  return { what: '', current: () => '', look: () => {}, troubles: () => [], expiresMs: () => undefined };
}

function ofSecret({ clientSecret, expires }: CredentialSettings & { type: 'client-secret' }): Material {
  return {
    what: 'the client secret',
    current: () => clientSecret.reveal(),
    look: () => clientSecret.look(),
    troubles: () => (clientSecret.trouble === undefined ? [] : [clientSecret.trouble]),
    expiresMs: () => expires,
  };
}

function ofCertificate(
  tenant: string,
  settings: CredentialSettings & { type: 'client-certificate' },
  reread: RereadOptions,
): Material {
  const { certificate: path, password } = settings;
  const read = (): ClientCertificate => {
    // Both are replaced together, and in no order that is known.
    password?.look();
    try {
      return readClientCertificate(settings);
    } catch (error) {
      if (!(error instanceof CertificateError)) throw error;
      throw new Error(
        `${error.setting === 'password' ? 'the password of ' : ''}file ${path} ${error.message}`,
      );
    }
  };
  let first: ClientCertificate;
  try {
    first = read();
  } catch (error) {
    throw new UsageError(`tenant ${tenant}: ${(error as Error).message}`);
  }
  const file = new Reread(first, read, reread);
  return {
    what: 'the client certificate',
    current: () => file.value().pem,
    look: () => void file.look(),
    troubles: () => (file.trouble === undefined ? [] : [file.trouble]),
    expiresMs: () => file.value().expiresMs,
  };
}
