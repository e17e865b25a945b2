import type { Format, Stamp } from '../../../src/core/format.ts';
import { type CefSettings, cef } from '../../../src/formats/cef/index.ts';

/** The format with default settings, or with some of its own. */
export function createFormat(settings: Partial<CefSettings> = {}): Format {
  return cef.create(cef.schema.parse({ type: 'cef', ...settings }), { version: '0.0.0' });
}

export const formatCef = createFormat();

export function aStamp(overrides: Partial<Stamp> = {}): Stamp {
  return { stream: 1_402_937_551, sequence: 4711, sentMs: 1_741_083_700_000, maxBytes: 8000, ...overrides };
}

/** A line as it was taken apart: fields of the header, and the extension in the order of the line. */
export interface ParsedCef {
  readonly header: {
    readonly version: string;
    readonly vendor: string;
    readonly product: string;
    readonly deviceVersion: string;
    readonly classId: string;
    readonly name: string;
    readonly severity: string;
  };
  readonly keys: readonly string[];
  readonly extension: ReadonlyMap<string, string>;
}

/**
 * A strict parser of our own making, after the grammar of Elastic's `decode_cef`: only the four escapes in
 * values and the two in the header; a value ends at the last space before the next `key=`. Shares nothing with
 * the encoder. Throws at whatever is not exactly so.
 */
export function parseCef(line: string): ParsedCef {
  if (/[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]/u.test(line)) throw new Error('a character that may split the line');
  const fields: string[] = [];
  let field = '';
  let at = 0;
  for (; at < line.length && fields.length < 7; at += 1) {
    const char = line.charAt(at);
    if (char === '|') {
      fields.push(field);
      field = '';
    } else if (char === '\\') {
      at += 1;
      const next = line.charAt(at);
      if (next !== '\\' && next !== '|') throw new Error(`escape \\${next} in the header`);
      field += next;
    } else field += char;
  }
  const [version, vendor, product, deviceVersion, classId, name, severity] = fields;
  if (fields.length !== 7 || fields.includes(''))
    throw new Error('the header has seven fields that say something');
  if (version !== 'CEF:0') throw new Error(`begins with ${version}`);
  if (!/^(?:\d|10)$/.test(severity ?? '')) throw new Error(`severity ${severity}`);

  const extension = parseExtension(line.slice(at));
  return {
    header: {
      version,
      vendor: vendor ?? '',
      product: product ?? '',
      deviceVersion: deviceVersion ?? '',
      classId: classId ?? '',
      name: name ?? '',
      severity: severity ?? '',
    },
    keys: [...extension.keys()],
    extension,
  };
}

const unescaped: ReadonlyMap<string, string> = new Map([
  ['\\', '\\'],
  ['=', '='],
  ['n', '\n'],
  ['r', '\r'],
]);

function parseExtension(text: string): ReadonlyMap<string, string> {
  const extension = new Map<string, string>();
  let key = '';
  let value = '';
  /** Where in `value` the last blank stands: a key may begin after it. */
  let blank = -1;
  const finish = () => {
    if (key === '') return;
    if (value === '' || value !== value.trim()) throw new Error(`${key} is blank or has blanks round it`);
    if (extension.has(key)) throw new Error(`${key} stands twice`);
    extension.set(key, value);
  };
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charAt(at);
    if (char === '\\') {
      at += 1;
      const plain = unescaped.get(text.charAt(at));
      if (plain === undefined) throw new Error(`escape \\${text.charAt(at)} in ${key}`);
      value += plain;
    } else if (char === '=') {
      const next = value.slice(blank + 1);
      if (!/^[A-Za-z0-9]+$/.test(next)) throw new Error(`bare = after ${JSON.stringify(next)} in ${key}`);
      value = value.slice(0, Math.max(blank, 0));
      finish();
      key = next;
      value = '';
      blank = -1;
    } else {
      if (char === ' ') blank = value.length;
      value += char;
    }
  }
  finish();
  return extension;
}
