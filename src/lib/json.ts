/**
 * JSON that keeps integers whole: one that a double cannot hold (Graph's 64-bit ids) is read as a bigint and
 * written back as it came. `JSON.parse` alone would change its last digits without a word.
 */

/** @throws {SyntaxError} */
export function parseJson(text: string): unknown {
  if (!mayHoldLong(text)) return JSON.parse(text);
  try {
    return JSON.parse(text, reviveLong);
  } catch (error) {
    // A reviver needs stack for each level; the plain parser does not.
    if (error instanceof RangeError) return JSON.parse(text);
    throw error;
  }
}

const LONG_RUN = /\d{16,}/g;

/**
 * Only text with a run of 16 digits outside a longer word can hold such an integer; the rest is read at full speed. To look
 * for the run alone and then at what is before it is several times faster than one expression for both.
 */
function mayHoldLong(text: string): boolean {
  LONG_RUN.lastIndex = 0;
  for (let run = LONG_RUN.exec(text); run; run = LONG_RUN.exec(text)) {
    const before = text[run.index - 1] === '-' ? text[run.index - 2] : text[run.index - 1];
    if (before === undefined || /[:[,\s]/.test(before)) return true;
  }
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
