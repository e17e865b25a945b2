/** How a receiver tells events apart on a stream (RFC 6587). */
export const framings = ['lf', 'octet-counting'] as const;
export type Framing = (typeof framings)[number];

/**
 * A line feed inside an event would end it early under `lf`, and what follows it would be an event of its own,
 * written by whoever wrote the title. Formats give none; this is the second lock. NUL and CR go too: some
 * receivers take them for the end of an event.
 */
export function oneLine(text: string): string {
  return text.replace(/[\r\n\0]/g, ' ');
}

/**
 * Messages as they go over the wire, in one buffer.
 *
 * Octet counting puts the length in bytes and a space in front. Here too a line feed ends the message, and is
 * counted: rsyslog leaves counting for good at a frame above its limit and reads on to the next line feed, so
 * with one the damage ends with that message (seen with 8.2302, which strips it otherwise).
 *
 * @see https://www.rfc-editor.org/rfc/rfc6587#section-3.4
 */
export function frame(messages: readonly string[], framing: Framing): Buffer {
  const framed = messages.map((message) =>
    framing === 'lf' ? `${message}\n` : `${Buffer.byteLength(message) + 1} ${message}\n`,
  );
  return Buffer.from(framed.join(''), 'utf8');
}
