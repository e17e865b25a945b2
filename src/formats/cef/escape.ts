/**
 * Escaping of CEF, one pass each way (reference: CEF Implementation Standard, "Character encoding"). Chained
 * replaces would turn the path `C:\new` into a line break.
 */

/** What may not stand in a line as it is: controls, line and paragraph separators, lone surrogates. */
const ODD = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u;
const ODD_RUN = /\r\n|[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/gu;
/** Most text has none of these, and that is seen much sooner. */
const BEYOND_ASCII = /[^ -~]/;

/**
 * A value as CEF can carry it: line feeds and carriage returns stay (they have an escape; CRLF is one line
 * feed), every other control or separator becomes a space, a lone surrogate U+FFFD; no blanks round it.
 */
export function clean(value: string): string {
  const isOdd = BEYOND_ASCII.test(value) && ODD.test(value);
  return (isOdd ? value.replace(ODD_RUN, carried) : value).trim();
}

function carried(odd: string): string {
  if (odd === '\n' || odd === '\r\n') return '\n';
  if (odd === '\r') return '\r';
  return odd >= '\ud800' && odd <= '\udfff' ? '\ufffd' : ' ';
}

/** What receivers need that do not heed the escapes of CEF. */
export interface Escaping {
  readonly equals: 'escape' | 'replace';
  readonly pipe: 'escape' | 'replace';
}

export interface Encoder {
  /** A header field from {@link clean} text; never empty for text that is not. */
  header(text: string): string;
  /** An extension value from {@link clean} text. */
  value(text: string): string;
}

export function createEncoder({ equals, pipe }: Escaping): Encoder {
  const inHeader: Record<string, string> = { '\\': '\\\\', '|': pipe === 'escape' ? '\\|' : '¦' };
  const inValue: Record<string, string> = {
    '\\': '\\\\',
    '=': equals === 'escape' ? '\\=' : '\uff1d',
    '\n': '\\n',
    '\r': '\\r',
  };
  return {
    header(text) {
      if (!/[\\|\n\r]/.test(text)) return text;
      // There is no escape for a line break in the header.
      const escaped = text.replace(/[\n\r]+|[\\|]/g, (char) => inHeader[char] ?? ' ');
      // Graylog and pycef split the header without counting backslashes: one before the pipe swallows a field.
      return escaped.endsWith('\\') ? `${escaped} ` : escaped;
    },
    value(text) {
      return /[\\=\n\r]/.test(text) ? text.replace(/[\\=\n\r]/g, (char) => inValue[char] ?? char) : text;
    },
  };
}

/** Ends a text that was cut. */
const CUT = '…';

/** {@link clean} text of at most `max` code points; one that was longer ends in `…`. */
export function shorten(value: string, max: number): { readonly text: string; readonly cut: boolean } {
  if (value.length <= max) return { text: clean(value), cut: false };
  // A code point is at most two code units, and so is CRLF: a megabyte need not be looked at to the end.
  const enough = 2 * max + 2;
  const start = value.length > enough ? value.trimStart() : value;
  const whole = start.length <= enough;
  const text = clean(whole ? start : start.slice(0, enough));
  if (whole && text.length <= max) return { text, cut: false };
  const points = Array.from(text);
  if (whole && points.length <= max) return { text, cut: false };
  return {
    text: `${points
      .slice(0, max - 1)
      .join('')
      .trimEnd()}${CUT}`,
    cut: true,
  };
}

/** The longest beginning of clean `text` whose encoded form, with `…` after it, has at most `maxBytes` bytes. */
export function shortenBytes(text: string, maxBytes: number, encode: (text: string) => string): string {
  let bytes = Buffer.byteLength(CUT);
  let end = 0;
  for (const point of text) {
    bytes += Buffer.byteLength(encode(point));
    if (bytes > maxBytes) break;
    end += point.length;
  }
  return `${text.slice(0, end).trimEnd()}${CUT}`;
}
