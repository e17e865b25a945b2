const BREAKS = [...Buffer.from('\r\n\0')];
const BLANK = 32;

/**
 * A line break inside an event would end it early for who reads lines, and what follows it would be an event of its
 * own, written by whoever wrote the title. Formats give none; this is the second lock. NUL goes too: some receivers take
 * it for the end of an event.
 *
 * @param text in UTF-8; it is left as it is
 */
export function oneLine(text: Buffer): Buffer {
  if (!BREAKS.some((byte) => text.includes(byte))) return text;
  const line = Buffer.from(text);
  for (const [at, byte] of line.entries()) if (BREAKS.includes(byte)) line[at] = BLANK;
  return line;
}

export const LINE_FEED = Buffer.from('\n');

/** Each of them ended by a line feed. */
export const asLines = (lines: readonly Buffer[]): Buffer =>
  Buffer.concat(lines.flatMap((line) => [line, LINE_FEED]));
