/**
 * JSON that keeps integers whole: one that a double cannot hold (Graph's 64-bit ids) is read as a bigint and
 * written back as it came. `JSON.parse` alone would change its last digits without a word.
 */

/** JSON as text, or as the bytes of it in UTF-8: what is to be kept for a while is kept as bytes, outside of the heap. */
export type JsonText = string | Uint8Array;

export function stringOf(json: JsonText): string {
  if (typeof json === 'string') return json;
  return Buffer.from(json.buffer, json.byteOffset, json.length).toString('utf8');
}

/** Of an event this is enough to know: no other format of ours begins so. */
export const beginsObject = (text: Uint8Array): boolean => text[0] === OBJECT;
const OBJECT = '{'.charCodeAt(0);

/** @throws {SyntaxError} */
export function parseJson(json: JsonText): unknown {
  const text = stringOf(json);
  const value: unknown = JSON.parse(text);
  try {
    // Hardly any text has such an integer, and to look at what was read is faster than to look for digits in the text.
    return hasLong(value) ? JSON.parse(text, reviveLong) : value;
  } catch (error) {
    // To look into it, and to revive it, needs stack for each level; the plain parser does not.
    if (error instanceof RangeError) return value;
    throw error;
  }
}

/** Is any number in it larger than those that a double holds exactly? */
function hasLong(value: unknown): boolean {
  if (typeof value === 'number') return Math.abs(value) > Number.MAX_SAFE_INTEGER;
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return value.some(hasLong);
  for (const key in value) if (hasLong((value as Record<string, unknown>)[key])) return true;
  return false;
}

function reviveLong(_key: string, value: unknown, context?: { source?: string }): unknown {
  const source = context?.source;
  if (typeof value !== 'number' || Number.isSafeInteger(value) || !source || !/^-?\d+$/.test(source))
    return value;
  return BigInt(source);
}

/** What JSON is nested deeper than nobody wrote by hand; beyond it {@link TOO_DEEP} stands in its place. */
const MOST_LEVELS = 500;
const TOO_DEEP = '(nested too deep)';

/** Total for whatever {@link parseJson} gives: what is nested without reason is cut off, and says so. */
export function stringifyJson(value: unknown, indent?: number): string {
  try {
    return JSON.stringify(value, writeLong, indent);
  } catch (error) {
    if (error instanceof RangeError) return JSON.stringify(pruned(value, MOST_LEVELS), writeLong, indent);
    throw error;
  }
}

// TypeScript's library does not know it yet; Node 24 has it.
const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };

function writeLong(_key: string, item: unknown): unknown {
  return typeof item === 'bigint' ? rawJSON(String(item)) : item;
}

/** The value with {@link TOO_DEEP} in the place of what is nested deeper than so many levels. */
export function pruned(value: unknown, levels: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (levels === 0) return TOO_DEEP;
  if (Array.isArray(value)) return value.map((item) => pruned(item, levels - 1));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, pruned(item, levels - 1)]));
}
