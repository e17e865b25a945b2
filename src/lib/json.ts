/**
 * JSON that keeps integers whole: one that a double cannot hold (Graph's 64-bit ids) is read as a bigint and
 * written back as it came. `JSON.parse` alone would change its last digits without a word.
 */

/** Only text with a run of 16 digits outside a longer word can hold such an integer; the rest is read at full speed. */
const MAYBE_LONG = /[:[,\s]-?\d{16,}/;

/** @throws {SyntaxError} */
export function parseJson(text: string): unknown {
  if (!MAYBE_LONG.test(text)) return JSON.parse(text);
  return JSON.parse(text, reviveLong);
}

function reviveLong(_key: string, value: unknown, context?: { source?: string }): unknown {
  const source = context?.source;
  if (typeof value !== 'number' || Number.isSafeInteger(value) || !source || !/^-?\d+$/.test(source))
    return value;
  return BigInt(source);
}

// TypeScript's library does not know it yet; Node 24 has it.
const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };

export function stringifyJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    typeof item === 'bigint' ? rawJSON(String(item)) : item,
  );
}
