import { asLines, LINE_FEED } from '../../lib/one-line.ts';

/** How a receiver tells events apart on a stream (RFC 6587). */
export const framings = ['lf', 'octet-counting'] as const;
export type Framing = (typeof framings)[number];

/**
 * Messages as they go over the wire, in one buffer.
 *
 * Octet counting puts the length in bytes and a space in front. Here too a line feed ends the message, and is
 * counted: rsyslog leaves counting for good at a frame above its limit and reads on to the next line feed, so
 * with one the damage ends with that message (seen with 8.2302, which strips it otherwise).
 *
 * @see https://www.rfc-editor.org/rfc/rfc6587#section-3.4
 */
export function frame(messages: readonly Buffer[], framing: Framing): Buffer {
  if (framing === 'lf') return asLines(messages);
  const count = ({ length }: Buffer) => Buffer.from(`${length + 1} `);
  return Buffer.concat(messages.flatMap((message) => [count(message), message, LINE_FEED]));
}
