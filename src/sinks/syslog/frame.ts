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
  const heads = messages.map((message) => {
    const bytes = Buffer.byteLength(message) + 1;
    return framing === 'lf' ? { head: '', bytes } : { head: `${bytes} `, bytes };
  });
  // Joined to one text first they would be copied three times, and in two bytes a character if one of them has to be.
  const framed = Buffer.allocUnsafe(heads.reduce((sum, { head, bytes }) => sum + head.length + bytes, 0));
  let at = 0;
  for (const [index, message] of messages.entries()) {
    at += framed.write(heads[index]!.head, at, 'latin1');
    at += framed.write(message, at);
    at = framed.writeUInt8(LINE_FEED, at);
  }
  return framed;
}

const LINE_FEED = 10;
