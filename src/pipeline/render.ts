import type { Format } from '../core/format.ts';
import type { Loan, Position, Refusal } from '../core/journal.ts';
import type { Rendered, Room } from '../core/sink.ts';

/** Records made ready for one `send`. */
export interface Batch {
  readonly rendered: readonly Rendered[];
  /** Records that the format could not take (a bug of ours; a format is total). */
  readonly refused: readonly Refusal[];
  /** Where the sink stands once all of this is done. */
  readonly end: Position;
  /** Bytes of all events with their headers. */
  readonly bytes: number;
}

export interface RenderOptions {
  readonly format: Format;
  /** Most bytes of an event's text. */
  readonly maxBytes: number;
  /** Bytes of a sink's header, at most. */
  readonly headerBytes: number;
  readonly nowMs: number;
}

/**
 * Makes events of the first records of a loan, as many as there is room for, numbered on from `from` (S6).
 * `undefined`: not even the first fits. With `force` the first is taken whatever its size.
 */
export function render(
  loan: Loan,
  from: Position,
  room: Room,
  options: RenderOptions,
  force: boolean,
): Batch | undefined {
  const rendered: Rendered[] = [];
  const refused: Refusal[] = [];
  let end = from;
  let bytes = 0;
  for (const [index, record] of loan.records.entries()) {
    const sequence = end.sequence + 1;
    const { stream } = end;
    let events: readonly string[] = [];
    let refusal: Refusal | undefined;
    try {
      const stamp = { stream, sequence, sentMs: options.nowMs, maxBytes: options.maxBytes };
      events = options.format(record, stamp);
      // The cursor would pass over it, and nobody would ever hear of the record.
      if (events.length === 0) throw new Error('the format made no event of it');
    } catch (error) {
      refusal = { record, reason: 'format', detail: String(error) };
    }
    const size = events.reduce((sum, text) => sum + Buffer.byteLength(text) + options.headerBytes, 0);
    const full = bytes + size > room.bytes || rendered.length >= room.records;
    if (full && !(force && index === 0)) break;
    bytes += size;
    // Not before: what the batch does not reach is refused with the next one, once.
    if (refusal) refused.push(refusal);
    else rendered.push({ record, stream, sequence, events });
    // A record without events keeps one number: the hole is how a SIEM sees that something is missing.
    end = { stream, sequence: end.sequence + Math.max(1, events.length), cursor: loan.ends[index]! };
  }
  return end === from ? undefined : { rendered, refused, end, bytes };
}
