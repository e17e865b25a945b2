import 'reflect-metadata/lite';
import { createPrivateKey } from 'node:crypto';
import { PemConverter, X509CertificateGenerator } from '@peculiar/x509';

/** What an app signs in with, as PEM. */
export interface ClientCertificate {
  readonly key: string;
  readonly cert: string;
  /** Of who signed it. */
  readonly chain: string;
}

const ALGORITHM = {
  name: 'RSASSA-PKCS1-v1_5',
  hash: 'SHA-256',
  publicExponent: new Uint8Array([1, 0, 1]),
  modulusLength: 2048,
} as const;
const DAY_MS = 86_400_000;

const newKeys = () => crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);

/** A certificate with an RSA key, signed by a CA made for it. */
export async function makeClientCertificate(
  notAfter = new Date(Date.now() + 90 * DAY_MS),
): Promise<ClientCertificate> {
  const [caKeys, keys] = await Promise.all([newKeys(), newKeys()]);
  const shared = { notBefore: new Date(0), notAfter, signingAlgorithm: ALGORITHM };
  const ca = await X509CertificateGenerator.createSelfSigned({ ...shared, name: 'CN=Test CA', keys: caKeys });
  const cert = await X509CertificateGenerator.create({
    ...shared,
    subject: 'CN=defender-relay',
    issuer: ca.subject,
    publicKey: keys.publicKey,
    signingKey: caKeys.privateKey,
  });
  const key = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
  return {
    key: PemConverter.encode(key, 'PRIVATE KEY'),
    cert: cert.toString('pem'),
    chain: ca.toString('pem'),
  };
}

/** The same key under a password. */
export function encryptKey(key: string, passphrase: string): string {
  const options = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase } as const;
  return createPrivateKey(key).export(options).toString();
}
