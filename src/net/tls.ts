import { createPrivateKey, type KeyObject, type X509Certificate } from 'node:crypto';
import { type ConnectionOptions, createSecureContext, type TLSSocket } from 'node:tls';
import { z } from 'zod';
import { UnavailableError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { path, secret } from '../lib/fields.ts';
import { readTextFile } from '../lib/files.ts';
import { Reread } from '../lib/reread.ts';
import { certificatesOf } from './certificate.ts';
import { codeOf, explainRefusal, explainTls } from './tls-error.ts';

/** `AB:CD:…`, with or without colons and `sha256:` in front, as 64 upper-case hex digits; `undefined` when it is none. */
export function parseFingerprint(text: string): string | undefined {
  const digits = text
    .trim()
    .replace(/^sha-?256[:=]/i, '')
    .replaceAll(':', '')
    .toUpperCase();
  return /^[0-9A-F]{64}$/.test(digits) ? digits : undefined;
}

const fingerprints = z.string().transform((text, context): string[] => {
  const parsed = text.split(',').map(parseFingerprint);
  if (parsed.every((one) => one !== undefined)) return parsed;
  const message =
    'expected the SHA-256 fingerprint of a certificate, 64 hex digits, with or without colons; or several, separated by commas';
  context.addIssue({ code: 'custom', message });
  return z.NEVER;
});

/** How a sink makes sure of the far end, and shows who it is itself. The same for every sink that speaks TLS. */
export const tlsSchema = z
  .strictObject({
    ca: path()
      .optional()
      .describe('PEM file with the CA certificates that are trusted, in place of those of Node.'),
    cert: path().optional().describe('PEM file with the relay’s own certificate, and its chain.'),
    key: path().optional().describe('PEM file with the private key of `cert`.'),
    passphrase: secret().optional().describe('Opens `key`, if that is encrypted.'),
    fingerprint: fingerprints
      .optional()
      .describe(
        'SHA-256 fingerprint that the far end’s certificate must have, or several, separated by commas. Without `ca` it decides alone.',
      ),
    serverName: z
      .string()
      .regex(/^[^\s:/]+$/, 'expected a name')
      .optional()
      .describe(
        'Name that must stand in the far end’s certificate, and is asked for (SNI); default: its host.',
      ),
    minVersion: z.enum(['1.2', '1.3']).default('1.2').describe('Lowest version of TLS.'),
    insecure: z
      .boolean()
      .default(false)
      .describe('Trust anybody who answers. For a test; the log never stops warning of it.'),
  })
  .superRefine(({ ca, cert, key, passphrase, fingerprint, insecure }, context) => {
    const refuse = (at: string, message: string) => context.addIssue({ code: 'custom', path: [at], message });
    if (cert !== undefined && key === undefined) refuse('cert', 'needs its private key in "key"');
    if (key !== undefined && cert === undefined) refuse('key', 'needs its certificate in "cert"');
    if (passphrase !== undefined && key === undefined)
      refuse('passphrase', 'there is no "key" for it to open');
    if (insecure && (ca !== undefined || fingerprint !== undefined))
      refuse('insecure', 'trusts anybody; that makes "ca" and "fingerprint" useless. Take it out');
  });

export type TlsSettings = z.output<typeof tlsSchema>;

interface Files {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: KeyObject;
  /** The first of `cert`. */
  readonly own?: X509Certificate;
}

const HOUR_MS = 3_600_000;

/**
 * The TLS side of a sink. Its files are read again, by content, for each connection (S8); while they are not
 * good (half-written, key and certificate not of one pair, a key too small) the older ones stay in use, and the log says so.
 */
export class TlsClient {
  readonly #settings: TlsSettings;
  readonly #log: Log;
  readonly #clock: () => number;
  readonly #place: string;
  #files: Reread<Files> | undefined;
  #toldTrouble: string | undefined;
  #warnedMs = Number.NEGATIVE_INFINITY;

  /**
   * @param clock milliseconds, only ever going forward
   * @param place where the settings stand, for messages
   */
  constructor(
    settings: TlsSettings,
    log: Log,
    clock: () => number = () => performance.now(),
    place: string = 'tls',
  ) {
    this.#settings = settings;
    this.#log = log;
    this.#clock = clock;
    this.#place = place;
  }

  /**
   * For `tls.connect`, to `host`; what is connected must then pass {@link distrust}. No session is ever resumed: the
   * name in a certificate is looked at in full handshakes only.
   *
   * @throws {UnavailableError} `auth`: the files cannot be used, and never could
   */
  options(host: string): ConnectionOptions {
    const { serverName, minVersion, insecure, fingerprint } = this.#settings;
    const { ca, cert, key } = this.#read();
    this.remind();
    return {
      host,
      minVersion: `TLSv${minVersion}`,
      // A pinned certificate need not come from any CA.
      rejectUnauthorized: !insecure && (fingerprint === undefined || ca !== undefined),
      ...(serverName !== undefined && { servername: serverName }),
      ...(ca !== undefined && { ca }),
      ...(cert !== undefined && { cert }),
      ...(key && { key: pemOf(key) }),
    };
  }

  /** Why a far end with which a handshake succeeded is not to be trusted, as the end of a sentence about it. */
  distrust(socket: Pick<TLSSocket, 'getPeerCertificate'>): string | undefined {
    const { fingerprint } = this.#settings;
    if (fingerprint === undefined) return undefined;
    const found = socket.getPeerCertificate().fingerprint256 as string | undefined;
    if (found !== undefined && fingerprint.includes(parseFingerprint(found) ?? '')) return undefined;
    return this.#placed(
      `its certificate is not the one that is pinned: its fingerprint is ${found ?? 'not to be had'}. If that is right, give it as tls.fingerprint`,
    );
  }

  /** What an error of a TLS connection means and what to do; `undefined` when it is not one of TLS. */
  explain(cause: unknown): string | undefined {
    const meaning = explainTls(cause, this.#own());
    return meaning && this.#placed(meaning);
  }

  /** What a far end means that breaks off just after the handshake, where TLS 1.3 has clients refused (trap S17). */
  get refusal(): string {
    return this.#placed(explainRefusal(this.#own()));
  }

  /** What an operator has to know as long as it is so. */
  notes(): readonly string[] {
    return this.#settings.insecure ? [this.#placed(INSECURE)] : [];
  }

  /** Warns of `insecure`, every hour at most. To be called also while connections are kept. */
  remind(): void {
    const now = this.#clock();
    if (!this.#settings.insecure || now - this.#warnedMs < HOUR_MS) return;
    this.#warnedMs = now;
    this.#log.warn({}, this.#placed(INSECURE));
  }

  /** As the far end was shown it last. */
  #own(): X509Certificate | undefined {
    return this.#files?.value().own;
  }

  #read(): Files {
    try {
      this.#files ??= new Reread(readFiles(this.#settings), () => readFiles(this.#settings));
    } catch (error) {
      throw new UnavailableError(this.#placed((error as Error).message), { reason: 'auth' });
    }
    const files = this.#files.look();
    const { trouble } = this.#files;
    if (trouble !== this.#toldTrouble) {
      this.#toldTrouble = trouble;
      if (trouble === undefined) this.#log.info({}, 'the TLS files can be used again');
      else this.#log.warn({}, this.#placed(`${trouble}; the older ones stay in use`));
    }
    return files;
  }

  #placed(text: string): string {
    return this.#place === 'tls' ? text : text.replaceAll(SETTING, `${this.#place}.$1`);
  }
}

/** A setting as messages name it. */
const SETTING = /\btls\.(ca|cert|key|passphrase|fingerprint|serverName|minVersion|insecure)\b/g;

const INSECURE =
  'tls.insecure is set: anybody on the way can read the events, and take the receiver’s place. Give tls.ca or tls.fingerprint instead';

/** @throws {Error} with a message for people that names setting and file */
function readFiles({ ca, cert, key, passphrase }: TlsSettings): Files {
  passphrase?.look();
  return {
    ...(ca !== undefined && { ca: readPem('tls.ca', ca) }),
    ...(cert !== undefined && key !== undefined && readPair(cert, key, passphrase?.reveal())),
  };
}

function readPem(setting: string, file: string): string {
  const pem = readSetting(setting, file);
  try {
    certificatesOf(pem);
  } catch (error) {
    throw new Error(`${setting}: file ${file} ${(error as Error).message}`);
  }
  return pem;
}

function readSetting(setting: string, file: string): string {
  try {
    return readTextFile(file);
  } catch (error) {
    throw new Error(`${setting}: ${(error as Error).message}`);
  }
}

function readPair(certFile: string, keyFile: string, passphrase: string | undefined): Files {
  const cert = readPem('tls.cert', certFile);
  const pem = readSetting('tls.key', keyFile);
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: pem, format: 'pem', ...(passphrase !== undefined && { passphrase }) });
  } catch (error) {
    throw new Error(`tls.key: file ${keyFile} ${whyNoKey(pem, passphrase, error)}`);
  }
  // Node sends the first one as its own.
  const [own] = certificatesOf(cert);
  if (!own?.checkPrivateKey(key))
    throw new Error(`tls.key: file ${keyFile} does not belong to the first certificate in ${certFile}`);
  try {
    createSecureContext({ cert, key: pemOf(key) });
  } catch (error) {
    throw new Error(`tls.cert: file ${certFile} ${whyRefused(error)}`);
  }
  return { cert, key, own };
}

function pemOf(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }) as string;
}

const weaknesses: Readonly<Record<string, string>> = {
  ERR_SSL_EE_KEY_TOO_SMALL: 'its key is too small. RSA needs 2048 bits at least',
  ERR_SSL_CA_KEY_TOO_SMALL: 'the key of a CA in its chain is too small. RSA needs 2048 bits at least',
  ERR_SSL_CA_MD_TOO_WEAK: 'it, or one in its chain, is signed with a digest that is too weak, such as SHA-1',
};

/** What OpenSSL has against a certificate that can be read. */
function whyRefused(error: unknown): string {
  const code = codeOf(error);
  const why = weaknesses[code] ?? (error as Error).message;
  return `has a certificate that TLS does not allow here: ${why}${code && ` (${code})`}`;
}

function whyNoKey(pem: string, passphrase: string | undefined, error: unknown): string {
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem)) return 'has no private key in PEM form';
  const isEncrypted = pem.includes('ENCRYPTED');
  if (isEncrypted && passphrase === undefined) return 'is encrypted; give tls.passphrase';
  const code = codeOf(error);
  const told = code && ` (${code})`;
  return isEncrypted ? `is not opened by tls.passphrase${told}` : `has a private key that is damaged${told}`;
}
