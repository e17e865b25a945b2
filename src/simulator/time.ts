/**
 * Times are texts here. A *key* has always seven fraction digits and `Z`, so that two of them are compared as
 * texts; what is served has its trailing zeros cut, as .NET prints it.
 */

const ISO = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,7})\d*)?(Z|[+-]\d{2}:\d{2})$/i;

/** The key of an ISO 8601 time with zone; `undefined` when `text` is not one. */
export function timeKey(text: unknown): string | undefined {
  if (typeof text !== 'string') return undefined;
  const match = ISO.exec(text);
  if (!match) return undefined;
  const [, seconds = '', fraction = '', zone = ''] = match;
  const ms = Date.parse(`${seconds}${zone}`.toUpperCase());
  if (Number.isNaN(ms)) return undefined;
  return `${new Date(ms).toISOString().slice(0, 19)}.${fraction.padEnd(7, '0')}Z`;
}

/** The key of `ms` since 1970 and `ticks` (0 to 9999, of 100 ns) more. */
export function keyOf(ms: number, ticks: number): string {
  return `${new Date(ms).toISOString().slice(0, 23)}${String(ticks).padStart(4, '0')}Z`;
}

/** Milliseconds since 1970 of a key, rounded down. */
export function msOfKey(key: string): number {
  return Date.parse(`${key.slice(0, 23)}Z`);
}

/** The earliest key after `key`. */
export function keyAfter(key: string): string {
  const ticks = Number(key.slice(20, 27)) + 1;
  if (ticks < 1e7) return `${key.slice(0, 20)}${String(ticks).padStart(7, '0')}Z`;
  return keyOf(Date.parse(`${key.slice(0, 19)}Z`) + 1000, 0);
}

/** A key as Graph writes it: `….3400000Z` is `….34Z`. */
export function textOfKey(key: string): string {
  return key.replace(/\.?0{1,7}Z$/, 'Z');
}

/** A time as Graph writes it, in whole milliseconds. */
export function textOfMs(ms: number): string {
  return textOfKey(keyOf(ms, 0));
}
