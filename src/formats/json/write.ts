import { stringifyJson } from '../../lib/json.ts';

/** An escape of JSON as a whole, so that half of one is never taken for another; or what some readers take for a line break. */
const ODD = /\\(?:ud[89a-f][0-9a-f]{2}|.)|[\u007f-\u009f\u2028\u2029]/g;
const MAYBE_ODD = /\\ud[89a-f]|[\u007f-\u009f\u2028\u2029]/;

/**
 * JSON in one line, for every reader: half of a surrogate pair becomes U+FFFD (strict parsers refuse the whole event
 * for it), and the line separators of Unicode are escaped. Total.
 */
export function write(value: unknown): string {
  // `undefined` alone has no JSON.
  const text = stringifyJson(value ?? null);
  return MAYBE_ODD.test(text) ? text.replace(ODD, plain) : text;
}

function plain(odd: string): string {
  if (!odd.startsWith('\\')) return `\\u${odd.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return odd.length === 6 ? '\ufffd' : odd;
}

export function bytesOf(text: string): number {
  return Buffer.byteLength(text);
}
