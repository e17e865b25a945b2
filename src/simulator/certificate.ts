import 'reflect-metadata/lite';
import { createPrivateKey, X509Certificate as NodeCertificate } from 'node:crypto';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';

/** A CA: what others trust, and what signs; PEM. */
export interface Ca {
  readonly cert: string;
  readonly key: string;
}

/** What an HTTPS server on loopback needs, as PEM, and the CA that has signed it. */
export interface Certificate {
  readonly ca: string;
  readonly caKey: string;
  readonly cert: string;
  readonly key: string;
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY_MS = 86_400_000;

/**
 * A certificate for `localhost`, `127.0.0.1`, `::1` and a name by which other machines know this one.
 *
 * @param ca signs it; default: one that is made for this
 */
export async function makeCertificate(nowMs: number, ca?: Ca, name?: string): Promise<Certificate> {
  const signer = ca ?? (await makeCa(nowMs));
  const keys = await newKeys();
  const server = await X509CertificateGenerator.create({
    ...validity(nowMs),
    signingAlgorithm: ALGORITHM,
    subject: 'CN=localhost',
    issuer: new X509Certificate(signer.cert).subject,
    publicKey: keys.publicKey,
    signingKey: await crypto.subtle.importKey(
      'pkcs8',
      PemConverter.decodeFirst(signer.key),
      ALGORITHM,
      true,
      ['sign'],
    ),
    extensions: [
      new SubjectAlternativeNameExtension([
        { type: 'dns', value: 'localhost' },
        { type: 'ip', value: '127.0.0.1' },
        { type: 'ip', value: '::1' },
        ...(name === undefined ? [] : [{ type: 'dns' as const, value: name }]),
      ]),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
    ],
  });
  return { ca: signer.cert, caKey: signer.key, cert: server.toString('pem'), key: await pemOf(keys) };
}

/** Whether a CA can still sign: it is one of ours, its key belongs to it, and it is valid for a day at least. */
export function isUsable({ cert, key }: Ca, nowMs: number): boolean {
  try {
    const ca = new NodeCertificate(cert);
    const privateKey = createPrivateKey(key);
    const ours =
      privateKey.asymmetricKeyDetails?.namedCurve === 'prime256v1' && ca.checkPrivateKey(privateKey);
    return ours && ca.ca && ca.validFromDate.getTime() <= nowMs && ca.validToDate.getTime() >= nowMs + DAY_MS;
  } catch {
    return false;
  }
}

async function makeCa(nowMs: number): Promise<Ca> {
  const keys = await newKeys();
  const ca = await X509CertificateGenerator.createSelfSigned({
    ...validity(nowMs),
    signingAlgorithm: ALGORITHM,
    name: 'CN=defender-relay simulator CA',
    keys,
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
  });
  return { cert: ca.toString('pem'), key: await pemOf(keys) };
}

const newKeys = () => crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);

async function pemOf({ privateKey }: Awaited<ReturnType<typeof newKeys>>): Promise<string> {
  return PemConverter.encode(await crypto.subtle.exportKey('pkcs8', privateKey), 'PRIVATE KEY');
}

/** Wide on both sides: whoever connects may be made to believe in another time. */
const validity = (nowMs: number) => ({
  notBefore: new Date(nowMs - 2 * DAY_MS),
  notAfter: new Date(nowMs + 365 * DAY_MS),
});
