import 'reflect-metadata/lite';
import type { webcrypto } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type JsonGeneralName,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';

/** A certificate and its private key, as PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** What may be wrong with a certificate; `good` is the one that is to be taken. */
export const flavours = ['good', 'expired', 'notYetValid', 'otherName', 'otherCa', 'selfSigned'] as const;
export type Flavour = (typeof flavours)[number];

export interface TestCertificates {
  /** Has signed all but `otherCa` and `selfSigned`. PEM. */
  readonly ca: string;
  /** Has signed `otherCa`. PEM. */
  readonly otherCa: string;
  /** For `localhost`, `127.0.0.1` and `::1`; with `otherName` for `other.example`. */
  readonly server: Readonly<Record<Flavour, KeyPair>>;
  /** For {@link CLIENT_NAME}; with `otherName` for `other.example`. */
  readonly client: Readonly<Record<Flavour, KeyPair>>;
}

/** The name in our client's certificates. */
export const CLIENT_NAME = 'relay.example';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY_MS = 86_400_000;

let made: Promise<TestCertificates> | undefined;

/** Made once in a process, and the same for all of it. */
export function testCertificates(): Promise<TestCertificates> {
  made ??= makeCertificates(Date.now());
  return made;
}

/** Writes a pair as `NAME.crt` and `NAME.key`, and gives their paths. */
export function writeKeyPair(folder: string, name: string, pair: KeyPair): KeyPair {
  const paths = { cert: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) };
  writeFileSync(paths.cert, pair.cert);
  writeFileSync(paths.key, pair.key, { mode: 0o600 });
  return paths;
}

/** One with a key that TLS does not take any more. Not one of the flavours: not even a receiver gets to see it. */
export async function weakCertificate(): Promise<KeyPair> {
  const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  const keys = await crypto.subtle.generateKey(
    { ...algorithm, modulusLength: 1024, publicExponent: new Uint8Array([1, 0, 1]) },
    true,
    ['sign', 'verify'],
  );
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: `CN=${CLIENT_NAME}`,
    keys,
    signingAlgorithm: algorithm,
  });
  return { cert: certificate.toString('pem'), key: await pemOf(keys) };
}

interface Issuer {
  readonly name: string;
  readonly keys: webcrypto.CryptoKeyPair;
}

interface Leaf {
  readonly usage: ExtendedKeyUsage;
  readonly names: readonly JsonGeneralName[];
  readonly notBefore: Date;
  readonly notAfter: Date;
}

async function makeCertificates(nowMs: number): Promise<TestCertificates> {
  const valid = { notBefore: new Date(nowMs - DAY_MS), notAfter: new Date(nowMs + 365 * DAY_MS) };
  const expired = { notBefore: new Date(nowMs - 9 * DAY_MS), notAfter: new Date(nowMs - DAY_MS) };
  const notYetValid = { notBefore: new Date(nowMs + DAY_MS), notAfter: new Date(nowMs + 9 * DAY_MS) };
  const [ca, otherCa] = await Promise.all([makeCa('test CA', valid), makeCa('other test CA', valid)]);

  const all = async (usage: ExtendedKeyUsage, names: readonly JsonGeneralName[]) => {
    const leaf = { usage, names, ...valid };
    return {
      good: await issue(leaf, ca.issuer),
      expired: await issue({ ...leaf, ...expired }, ca.issuer),
      notYetValid: await issue({ ...leaf, ...notYetValid }, ca.issuer),
      otherName: await issue({ ...leaf, names: [{ type: 'dns', value: 'other.example' }] }, ca.issuer),
      otherCa: await issue(leaf, otherCa.issuer),
      selfSigned: await issue(leaf),
    };
  };
  const [server, client] = await Promise.all([
    all(ExtendedKeyUsage.serverAuth, [
      { type: 'dns', value: 'localhost' },
      { type: 'ip', value: '127.0.0.1' },
      { type: 'ip', value: '::1' },
    ]),
    all(ExtendedKeyUsage.clientAuth, [{ type: 'dns', value: CLIENT_NAME }]),
  ]);
  return { ca: ca.cert, otherCa: otherCa.cert, server, client };
}

async function makeCa(name: string, valid: { notBefore: Date; notAfter: Date }) {
  const issuer: Issuer = { name: `CN=${name}`, keys: await newKeys() };
  const certificate = await X509CertificateGenerator.createSelfSigned({
    ...valid,
    name: issuer.name,
    keys: issuer.keys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
  });
  return { issuer, cert: certificate.toString('pem') };
}

/** Without an issuer it signs itself. The first name is also the CN, which some receivers look at. */
async function issue(leaf: Leaf, issuer?: Issuer): Promise<KeyPair> {
  const keys = await newKeys();
  const subject = `CN=${leaf.names[0]?.value}`;
  const certificate = await X509CertificateGenerator.create({
    subject,
    issuer: issuer?.name ?? subject,
    notBefore: leaf.notBefore,
    notAfter: leaf.notAfter,
    publicKey: keys.publicKey,
    signingKey: (issuer?.keys ?? keys).privateKey,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new SubjectAlternativeNameExtension([...leaf.names]),
      new ExtendedKeyUsageExtension([leaf.usage]),
    ],
  });
  return { cert: certificate.toString('pem'), key: await pemOf(keys) };
}

async function pemOf({ privateKey }: webcrypto.CryptoKeyPair): Promise<string> {
  return PemConverter.encode(await crypto.subtle.exportKey('pkcs8', privateKey), 'PRIVATE KEY');
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}
