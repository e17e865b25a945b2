import 'reflect-metadata/lite';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';

/** What an HTTPS server on loopback needs, as PEM. */
export interface Certificate {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY_MS = 86_400_000;

/** A CA made for this once, and a certificate signed by it for `localhost`, `127.0.0.1` and `::1`. */
export async function makeCertificate(nowMs: number): Promise<Certificate> {
  const newKeys = () => crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const [caKeys, serverKeys] = await Promise.all([newKeys(), newKeys()]);
  const shared = {
    // Wide on both sides: whoever connects may be made to believe in another time.
    notBefore: new Date(nowMs - 2 * DAY_MS),
    notAfter: new Date(nowMs + 365 * DAY_MS),
    signingAlgorithm: ALGORITHM,
  };
  const ca = await X509CertificateGenerator.createSelfSigned({
    ...shared,
    name: 'CN=defender-relay simulator CA',
    keys: caKeys,
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
  });
  const server = await X509CertificateGenerator.create({
    ...shared,
    subject: 'CN=localhost',
    issuer: ca.subject,
    publicKey: serverKeys.publicKey,
    signingKey: caKeys.privateKey,
    extensions: [
      new SubjectAlternativeNameExtension([
        { type: 'dns', value: 'localhost' },
        { type: 'ip', value: '127.0.0.1' },
        { type: 'ip', value: '::1' },
      ]),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
    ],
  });
  const key = await crypto.subtle.exportKey('pkcs8', serverKeys.privateKey);
  return {
    ca: ca.toString('pem'),
    cert: server.toString('pem'),
    key: PemConverter.encode(key, 'PRIVATE KEY'),
  };
}
