import type { Json, JsonObject } from '../../core/record.ts';

/**
 * A thing of Graph's schema as it comes from outside: its property names are known (and checked by the
 * compiler), what they hold is not. Read it with the functions below only.
 */
export type Untrusted<T> = { readonly [Name in keyof T]?: Json | undefined };

const nothing: JsonObject = Object.freeze({});

/** `value` when it is an object; else one without properties. */
export function object<T = JsonObject>(value: Json | undefined): Untrusted<T> {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return (isObject ? value : nothing) as Untrusted<T>;
}

/** `value` when it is an array; else an empty one. */
export function list(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value : [];
}

/** `value` as text when it is text, a number or a boolean, without blanks round it; else empty. */
export function text(value: Json | undefined): string {
  switch (typeof value) {
    case 'string':
      return value.trim();
    case 'number':
    case 'bigint':
    case 'boolean':
      return String(value);
    default:
      return '';
  }
}

/** The texts of an array that are not empty; a bare text counts as an array of one. */
export function texts(value: Json | undefined): readonly string[] {
  const found: string[] = [];
  for (const item of Array.isArray(value) ? value : [value]) {
    const said = text(item);
    if (said !== '') found.push(said);
  }
  return found;
}

/** {@link text}, or empty when it is Graph's word for "not known". */
export function known(value: Json | undefined): string {
  const word = text(value);
  return word === 'unknown' || word === 'unknownFutureValue' ? '' : word;
}

/**
 * Compact JSON of at most `max` characters, for what we know no better way to show. Looks `depth` levels deep
 * and stops early, so neither a huge nor a deeply nested value costs anything. Leaves out empty properties,
 * OData annotations and those named in `without`.
 */
export function compactJson(
  value: Json | undefined,
  max: number,
  without: ReadonlySet<string> = new Set(),
): string {
  const json = compact(value, max, 4, without);
  return json.length > max ? `${json.slice(0, max - 1)}…` : json;
}

function compact(value: Json | undefined, max: number, depth: number, without: ReadonlySet<string>): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, max));
  if (typeof value !== 'object' || value === null) return String(value ?? null);
  if (depth === 0) return '…';
  const isArray = Array.isArray(value);
  let inside = '';
  for (const name in value) {
    if (inside.length > max) break;
    const item = (value as JsonObject)[name];
    if (item === null || item === undefined || item === '') continue;
    if (!isArray && (name.startsWith('@') || without.has(name))) continue;
    if (inside !== '') inside += ',';
    if (!isArray) inside += `${JSON.stringify(name.slice(0, max))}:`;
    inside += compact(item, max, depth - 1, without);
  }
  return isArray ? `[${inside}]` : `{${inside}}`;
}
