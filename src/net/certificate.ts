import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { RelayError } from '../core/errors.ts';
import { readTextFile } from '../lib/files.ts';
import type { Secret } from '../lib/secret.ts';

/** A certificate that cannot be used, and which setting it is about. Says nothing of key or password. */
export class CertificateError extends RelayError {
  override name = 'CertificateError';
  readonly setting: 'certificate' | 'password';

  constructor(message: string, setting: 'certificate' | 'password' = 'certificate') {
    super(message);
    this.setting = setting;
  }
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const KEY = /-----BEGIN ((?:[A-Z]+ )?PRIVATE KEY)-----[\s\S]+?-----END \1-----/;

/**
 * All certificates of a PEM text, at least one. Node itself ignores what it cannot read; then every connection
 * fails later, for no visible reason.
 *
 * @throws {CertificateError} none, or one that is damaged or cut off
 */
export function certificatesOf(pem: string): X509Certificate[] {
  const blocks = pem.match(CERTIFICATE) ?? [];
  if (blocks.length !== pem.split('-----BEGIN CERTIFICATE-----').length - 1)
    throw new CertificateError('has a certificate that is cut off');
  if (blocks.length === 0) throw new CertificateError('has no certificate in PEM form');
  return blocks.map((block) => {
    try {
      return new X509Certificate(block);
    } catch {
      throw new CertificateError('has a certificate that is damaged');
    }
  });
}

/** What an app signs in with. */
export interface ClientCertificate {
  /** The certificate that belongs to the key first, then its chain, then the key (PKCS #8, open). */
  readonly pem: string;
  /** When it expires, milliseconds since 1970. */
  readonly expiresMs: number;
}

/**
 * Reads the PEM text of a client certificate, its chain in any order.
 *
 * @throws {CertificateError} with the end of a sentence about the file
 */
export function parseClientCertificate(text: string, password?: string): ClientCertificate {
  const certificates = certificatesOf(text);
  const block = KEY.exec(text)?.[0];
  if (block === undefined)
    throw new CertificateError('has no private key; put key and certificate into one PEM file');
  const key = openKey(block, password);
  // Entra ID checks the signature by RSA-PSS (PS256).
  if (key.asymmetricKeyType !== 'rsa')
    throw new CertificateError(`has a key of type ${key.asymmetricKeyType}; Entra ID takes RSA keys only`);
  const own = certificates.find((certificate) => certificate.checkPrivateKey(key));
  if (!own) throw new CertificateError('has a private key that belongs to none of its certificates');
  const chain = certificates.filter((certificate) => certificate !== own);
  return {
    pem: [...[own, ...chain].map(String), key.export({ type: 'pkcs8', format: 'pem' })].join(''),
    expiresMs: Date.parse(own.validTo),
  };
}

function openKey(block: string, password: string | undefined): KeyObject {
  const isEncrypted = block.includes('ENCRYPTED');
  if (isEncrypted && password === undefined)
    throw new CertificateError('missing: the private key is encrypted', 'password');
  try {
    return createPrivateKey({ key: block, format: 'pem', ...(isEncrypted && { passphrase: password }) });
  } catch {
    if (isEncrypted) throw new CertificateError('does not open the private key', 'password');
    throw new CertificateError('has a private key that is damaged');
  }
}

/**
 * The certificate of a credential's settings, from its file.
 *
 * @throws {CertificateError} its message is the end of a sentence about the setting
 * @throws {Error} the file cannot be read
 */
export function readClientCertificate(settings: {
  certificate: string;
  password?: Secret | undefined;
}): ClientCertificate {
  return parseClientCertificate(readTextFile(settings.certificate), settings.password?.reveal());
}
