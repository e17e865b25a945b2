import type { X509Certificate } from 'node:crypto';
import type { PeerCertificate } from 'node:tls';
import { foreignText } from './foreign.ts';

const OTHER_CA =
  'its certificate comes from a CA that is not trusted here. Give the CA’s certificate as tls.ca';

const meanings: Readonly<Record<string, string>> = {
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: OTHER_CA,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: OTHER_CA,
  UNABLE_TO_GET_ISSUER_CERT: OTHER_CA,
  SELF_SIGNED_CERT_IN_CHAIN: OTHER_CA,
  CERT_SIGNATURE_FAILURE: OTHER_CA,
  DEPTH_ZERO_SELF_SIGNED_CERT:
    'it has signed its certificate itself. Give that certificate as tls.ca, or pin it with tls.fingerprint',
  CERT_HAS_EXPIRED: 'its certificate has expired (or the clock here is wrong)',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet (or the clock here is wrong)',
  INVALID_PURPOSE: 'its certificate is not one for a server',
  ERR_SSL_WRONG_VERSION_NUMBER: 'what answers there does not speak TLS. Is it the right port?',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'what answers there does not speak TLS. Is it the right port?',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'it speaks no version of TLS that tls.minVersion allows',
};

/**
 * What an error of a TLS connection means and what to do; `undefined` when it is not one of TLS.
 *
 * @param own the relay's own certificate
 */
export function explainTls(cause: unknown, own: X509Certificate | undefined): string | undefined {
  const code = codeOf(cause);
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return explainName(cause as Misnamed);
  const meaning = meanings[code] ?? explainAlert(code, own);
  return meaning && `${meaning} (${code})`;
}

interface Misnamed extends Error {
  readonly host?: string;
  readonly cert?: PeerCertificate;
}

function explainName({ host, cert }: Misnamed): string {
  const names = oneLine(cert?.subjectaltname ?? cert?.subject?.CN);
  return `its certificate is for another name: for ${names}, not for ${host}. If that is the right receiver, say its name in tls.serverName`;
}

/** What the far end itself had to say. */
function explainAlert(code: string, own: X509Certificate | undefined): string | undefined {
  const alert = /ALERT_(\w+)$/.exec(code)?.[1];
  if (alert === undefined) return undefined;
  if (alert.includes('PROTOCOL_VERSION')) return 'it wants another version of TLS; see tls.minVersion';
  if (/CERT|CA|ACCESS_DENIED|DECRYPT/.test(alert)) {
    if (!own) return 'it wants a certificate of the relay. Give tls.cert and tls.key';
    if (alert.includes('EXPIRED')) return `it takes for expired the relay’s certificate, ${about(own)}`;
    if (alert.includes('UNKNOWN_CA')) return `it knows no CA for the relay’s certificate, ${about(own)}`;
    return `it does not take the relay’s certificate, ${about(own)}`;
  }
  if (alert.includes('HANDSHAKE_FAILURE') && !own)
    return 'it breaks off the handshake. Does it want a certificate of the relay (tls.cert, tls.key)?';
  return 'it breaks off the TLS connection. Its log says why';
}

/** What a far end probably means that just breaks off, as the end of a sentence about it. */
export function explainRefusal(own: X509Certificate | undefined): string {
  if (!own) return 'it probably wants a certificate of the relay: give tls.cert and tls.key';
  return `it probably does not take the relay’s certificate, ${about(own)}`;
}

/** What a far end may have against our certificate. We have the file, and need not guess everything. */
function about(own: X509Certificate): string {
  const nowMs = Date.now();
  if (Date.parse(own.validTo) <= nowMs) return `which has expired on ${day(own.validTo)}`;
  if (Date.parse(own.validFrom) > nowMs)
    return `which is not valid before ${day(own.validFrom)} (or the clock here is wrong)`;
  if (own.checkIssued(own)) return 'which has signed itself: it must know that very certificate';
  const names = oneLine(own.subjectAltName ?? own.subject);
  return `which is for ${names} and comes from ${oneLine(own.issuer)}: does it know that CA, and take that name? Its log says`;
}

const day = (date: string) => new Date(date).toISOString().slice(0, 10);

function oneLine(name: unknown): string {
  return foreignText(name, []) || 'nobody';
}

/** Of an error of Node; empty when it has none. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
