import { createPrivateKey } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UnavailableError } from '../../src/core/errors.ts';
import { parseFingerprint, TlsClient, tlsSchema } from '../../src/net/tls.ts';
import { type TestCertificates, testCertificates, writeKeyPair } from '../support/certificates.ts';

describe('parseFingerprint()', () => {
  const hex = 'AB'.repeat(32);
  it.each([
    hex,
    hex.toLowerCase(),
    ` ${hex} `,
    'AB:'.repeat(31).concat('AB'),
    `sha256:${hex}`,
    `SHA-256=${hex}`,
  ])('reads %s', (text) => {
    expect(parseFingerprint(text)).toBe(hex);
  });
  it.each(['', 'AB', 'AB'.repeat(20), 'XY'.repeat(32), `sha1:${hex}`])('does not read %j', (text) => {
    expect(parseFingerprint(text)).toBeUndefined();
  });
});

describe('TlsClient', () => {
  let folder: string;
  let certificates: TestCertificates;
  let said: string[];
  const tell = (_: object, message: string) => void said.push(message);
  const log = { debug: tell, info: tell, warn: tell, error: tell };

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tls-'));
    certificates = await testCertificates();
    said = [];
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const file = (name: string, text: string) => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  const aClient = (settings: object, clock?: () => number) =>
    new TlsClient(tlsSchema.parse(settings), log, clock);
  const encrypted = () =>
    createPrivateKey(certificates.client.good.key).export({
      type: 'pkcs8',
      format: 'pem',
      cipher: 'aes-256-cbc',
      passphrase: 'correct horse',
    }) as string;

  it('checks the far end by default, from TLS 1.2 on, and never resumes a session', () => {
    const options = aClient({}).options('siem');
    expect(options).toEqual({ host: 'siem', minVersion: 'TLSv1.2', rejectUnauthorized: true });
  });

  it('gives its files, and opens an encrypted key', () => {
    const ca = file('ca.crt', certificates.ca);
    const cert = file('client.crt', certificates.client.good.cert);
    const key = file('client.key', encrypted());
    const options = aClient({ ca, cert, key, passphrase: 'correct horse' }).options('siem');
    expect(options).toMatchObject({ ca: certificates.ca, cert: certificates.client.good.cert });
    expect(options.key).toContain('BEGIN PRIVATE KEY');
  });

  describe('says what is wrong with its files:', () => {
    const cases: [string, () => object, RegExp][] = [
      ['no CA', () => ({ ca: join(folder, 'ca.crt') }), /tls\.ca: file \S+ca\.crt does not exist/],
      ['no PEM', () => ({ ca: file('ca.crt', 'x') }), /tls\.ca: file \S+ has no certificate in PEM form/],
      [
        'a CA cut off',
        () => ({ ca: file('ca.crt', certificates.ca.slice(0, 200)) }),
        /tls\.ca: file \S+ has a certificate that is cut off/,
      ],
      [
        'the key of another',
        () => ({
          cert: file('a.crt', certificates.client.good.cert),
          key: file('b.key', certificates.client.otherCa.key),
        }),
        /tls\.key: file \S+b\.key does not belong to the first certificate in \S+a\.crt/,
      ],
      [
        'a key that is encrypted',
        () => ({ cert: file('a.crt', certificates.client.good.cert), key: file('a.key', encrypted()) }),
        /tls\.key: file \S+ is encrypted; give tls\.passphrase/,
      ],
      [
        'a wrong passphrase',
        () => ({
          cert: file('a.crt', certificates.client.good.cert),
          key: file('a.key', encrypted()),
          passphrase: 'battery staple',
        }),
        /tls\.key: file \S+ is not opened by tls\.passphrase/,
      ],
    ];
    it.each(cases)('%s', (_, settings, message) => {
      const client = aClient(settings());
      const failure = (() => {
        try {
          return client.options('siem');
        } catch (error) {
          return error;
        }
      })();
      expect(failure).toBeInstanceOf(UnavailableError);
      expect(failure).toMatchObject({ reason: 'auth' });
      expect(String(failure)).toMatch(message);
      expect(String(failure)).not.toContain('battery');
    });
  });

  it('tries again what could not be read the first time', () => {
    const client = aClient({ ca: join(folder, 'ca.crt') });
    expect(() => client.options('siem')).toThrow('does not exist');
    file('ca.crt', certificates.ca);
    expect(client.options('siem').ca).toBe(certificates.ca);
  });

  it('keeps the older files while the new ones are half-written, and tells once', () => {
    const ca = file('ca.crt', certificates.ca);
    const client = aClient({ ca });
    client.options('siem');
    file('ca.crt', certificates.otherCa.slice(0, 99));
    for (let connect = 0; connect < 3; connect++) expect(client.options('siem').ca).toBe(certificates.ca);
    expect(said).toEqual([expect.stringMatching(/cut off; the older ones stay in use/)]);
    file('ca.crt', certificates.otherCa);
    expect(client.options('siem').ca).toBe(certificates.otherCa);
    expect(said.at(-1)).toBe('the TLS files can be used again');
  });

  it('warns of `insecure` as long as it is set', () => {
    let now = 0;
    const client = aClient({ insecure: true }, () => now);
    expect(client.options('siem').rejectUnauthorized).toBe(false);
    client.options('siem');
    expect(said).toHaveLength(1);
    now = 3_600_000;
    client.options('siem');
    expect(said).toHaveLength(2);
    expect(client.notes()).toEqual([expect.stringContaining('tls.insecure')]);
    expect(aClient({}).notes()).toEqual([]);
  });

  it.each([
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', /CA that is not trusted/],
    ['CERT_HAS_EXPIRED', /has expired/],
    ['CERT_NOT_YET_VALID', /not valid yet/],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', /signed its certificate itself/],
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', /wants a certificate of the relay/],
    ['ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE', /breaks off the handshake/],
    ['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', /another version of TLS/],
    ['ERR_SSL_WRONG_VERSION_NUMBER', /does not speak TLS/],
  ])('explains %s', (code, meaning) => {
    const told = aClient({}).explain(Object.assign(new Error(code), { code }));
    expect(told).toMatch(meaning);
    expect(told).toContain(`(${code})`);
  });

  describe('of its own certificate, which a far end does not take, says', () => {
    const yesterday = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
    const tomorrow = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
    const about = [
      ['expired', `, which has expired on ${yesterday}`],
      ['notYetValid', `, which is not valid before ${tomorrow}`],
      ['otherName', ', which is for DNS:other.example and comes from CN=test CA: does it know that CA'],
      ['otherCa', ', which is for DNS:relay.example and comes from CN=other test CA: does it know that CA'],
      ['selfSigned', ', which has signed itself'],
    ] as const;
    const alerts = [
      ['ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED', 'takes for expired the relay’s certificate'],
      ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'knows no CA for the relay’s certificate'],
      ['ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE', 'does not take the relay’s certificate'],
    ] as const;

    it.each(about)('what may be wrong with it: %s', (flavour, what) => {
      const { cert, key } = writeKeyPair(folder, flavour, certificates.client[flavour]);
      const client = aClient({ cert, key });
      client.options('siem');
      expect(client.refusal).toContain(`it probably does not take the relay’s certificate${what}`);
      for (const [code, meaning] of alerts)
        expect(client.explain(Object.assign(new Error(code), { code }))).toContain(`it ${meaning}${what}`);
    });
  });

  it('leaves to others what is not about TLS', () => {
    expect(aClient({}).explain(Object.assign(new Error(), { code: 'ECONNREFUSED' }))).toBeUndefined();
    expect(aClient({}).explain('what')).toBeUndefined();
  });

  it('makes the names in a certificate fit for a message', () => {
    const cause = Object.assign(new Error(), {
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
      host: 'siem',
      cert: { subjectaltname: 'DNS:a\nforged \u001b[31mline' },
    });
    expect(aClient({}).explain(cause)).toMatch(/for DNS:a forged +\[31mline, not for siem/);
  });
});
