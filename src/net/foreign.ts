import { formsOf } from '../lib/secret.ts';

/** A message of Graph or Entra ID fits in this; what is longer is no message. */
const MOST_CHARACTERS = 500;

// Control characters, the bidirectional ones and the line separators: all that could forge a line of a log or terminal.
const CONTROLS = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu;

/**
 * Text of a far end, made fit for a message: in one line, of bounded length, and without the given secrets, which
 * a far end could echo.
 */
export function foreignText(text: unknown, secrets: readonly string[]): string {
  if (typeof text !== 'string') return '';
  // Longest first: of one that is part of another the rest must not be left.
  const forms = secrets.flatMap(formsOf).toSorted((a, b) => b.length - a.length);
  let safe = text;
  for (const form of forms) if (form !== '') safe = safe.replaceAll(form, '***');
  safe = safe.replace(CONTROLS, ' ').trim();
  return safe.length > MOST_CHARACTERS ? `${safe.slice(0, MOST_CHARACTERS).toWellFormed()}…` : safe;
}
