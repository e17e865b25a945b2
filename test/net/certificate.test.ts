import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { Secret } from '../../src/lib/secret.ts';
import { certificatesOf, parseClientCertificate, readClientCertificate } from '../../src/net/certificate.ts';
import { type ClientCertificate, encryptKey, makeClientCertificate } from '../support/client-certificate.ts';
import { testFolder } from '../support/folder.ts';
import { testCertificate } from '../support/https.ts';

let mine: ClientCertificate;
let other: ClientCertificate;
beforeAll(async () => {
  [mine, other] = await Promise.all([makeClientCertificate(), makeClientCertificate()]);
});

/** What is wrong with a PEM text, and where. */
function wrong(text: string, password?: string): object {
  try {
    parseClientCertificate(text, password);
  } catch (error) {
    const { message, setting } = error as { message: string; setting: string };
    return { message, setting };
  }
  return expect.fail('it was taken');
}

describe('parseClientCertificate()', () => {
  it('puts its own certificate first and the key last, in whatever order they stand', () => {
    const { pem } = parseClientCertificate([mine.chain, mine.key, mine.cert].join('\n'));
    const [first, second] = certificatesOf(pem);
    expect(first?.fingerprint256).toBe(new X509Certificate(mine.cert).fingerprint256);
    expect(second?.fingerprint256).toBe(new X509Certificate(mine.chain).fingerprint256);
    expect(pem.trimEnd()).toMatch(/-----END PRIVATE KEY-----$/);
  });

  it('knows when it expires', async () => {
    const notAfter = new Date('2031-02-03T04:05:06Z');
    const { cert, key } = await makeClientCertificate(notAfter);
    expect(parseClientCertificate(cert + key).expiresMs).toBe(notAfter.getTime());
  });

  it('opens an encrypted key by its password', () => {
    const text = `${mine.cert}\n${encryptKey(mine.key, 'canary-password')}`;
    expect(parseClientCertificate(text, 'canary-password').pem).toContain('BEGIN PRIVATE KEY');
    expect(wrong(text)).toEqual({ setting: 'password', message: 'missing: the private key is encrypted' });
    expect(wrong(text, 'other')).toEqual({ setting: 'password', message: 'does not open the private key' });
  });

  it('does not mind a password that is not needed', () => {
    expect(parseClientCertificate(mine.cert + mine.key, 'unused').pem).toContain('BEGIN PRIVATE KEY');
  });

  it('says what is wrong', async () => {
    const setting = 'certificate';
    const ec = await testCertificate();
    const damaged = '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n';
    expect(wrong('')).toEqual({ setting, message: 'has no certificate in PEM form' });
    expect(wrong(mine.key)).toEqual({ setting, message: 'has no certificate in PEM form' });
    expect(wrong(mine.cert)).toEqual({
      setting,
      message: 'has no private key; put key and certificate into one PEM file',
    });
    expect(wrong(mine.key + mine.cert.slice(0, 300))).toEqual({
      setting,
      message: 'has a certificate that is cut off',
    });
    expect(wrong(mine.cert + damaged)).toEqual({ setting, message: 'has a private key that is damaged' });
    expect(wrong(mine.cert + mine.key.slice(0, 300))).toMatchObject({ setting });
    expect(wrong(mine.cert.replace(/\n.{20}/, `\n${'A'.repeat(20)}`) + mine.key)).toEqual({
      setting,
      message: 'has a certificate that is damaged',
    });
    expect(wrong(other.cert + mine.key)).toEqual({
      setting,
      message: 'has a private key that belongs to none of its certificates',
    });
    expect(wrong(ec.cert + ec.key)).toEqual({
      setting,
      message: 'has a key of type ec; Entra ID takes RSA keys only',
    });
    const { privateKey } = generateKeyPairSync('ed25519');
    const ed = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    expect(wrong(mine.cert + ed)).toMatchObject({ message: expect.stringContaining('ed25519') });
  });

  it('S11: tells no key and no password', () => {
    const text = `${mine.cert}\n${encryptKey(mine.key, 'canary-password')}`;
    expect(JSON.stringify(wrong(text, 'canary-other'))).not.toMatch(/canary|MII/);
  });
});

describe('readClientCertificate()', () => {
  it('takes the file and the password of the settings', () => {
    const certificate = join(testFolder(), 'app.pem');
    writeFileSync(certificate, `${mine.cert}\n${encryptKey(mine.key, 'p')}`);
    expect(readClientCertificate({ certificate, password: new Secret('p') }).pem).toContain(mine.cert.trim());
  });
});
