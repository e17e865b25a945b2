import type { Format, Stamp } from '../core/format.ts';
import type { Cursor, Follow, Loan, Numbering, Position, Refusal } from '../core/journal.ts';
import { isApart, type RelayRecord } from '../core/record.ts';
import type { Rendered, Room } from '../core/sink.ts';
import type { Choice } from './selection.ts';

/** What is to become of one record: it is sent, or refused; or of some that are filtered. */
export interface Step {
  /** Where the sink stands once it is done. */
  readonly end: Position;
  /** It is sent. What was made of it is not kept here: until it is confirmed that would take as much again. */
  readonly sent?: RelayRecord;
  /** The format could not take it (a bug of ours; a format is total), or it is poison to the sink. */
  readonly refusal?: Refusal;
  /** So many records on end are not wanted. One step for all: a sink that wants little passes over millions. */
  readonly filtered?: number;
  readonly follow?: Follow;
}

/** Consecutive records of the journal, for one `send`: as many as are sent, and the bytes of all events with their headers. */
export interface Batch extends Room {
  /** One for each record, or each run of those that are not wanted; none for a heartbeat. */
  readonly steps: readonly Step[];
  /** Where the sink stands once all of this is done. */
  readonly end: Position;
}

/** A batch made ready. */
export interface Ready {
  readonly batch: Batch;
  /** What is sent, for each step that has some. */
  readonly rendered: readonly Rendered[];
}

export interface RenderOptions {
  readonly format: Format;
  /** Most bytes of an event's text. */
  readonly maxBytes: number;
  /** Bytes of a sink's header, at most. */
  readonly headerBytes: number;
  readonly nowMs: number;
  /** Asked before each record; when it says no, the relay has died of it, and it is left alone. */
  readonly touch?: (cursor: Cursor) => boolean;
  /** Why the record there must not be sent, though it can be formatted. */
  readonly poison?: (cursor: Cursor) => string | undefined;
}

/**
 * Makes events of the first records of a loan, as many as there is room for, numbered on from `from` (S6); those
 * that are not wanted need no room and take no number. `undefined`: not even the first fits. With `force` one
 * record is taken whatever its size.
 */
export function render(
  { records, ends }: Loan,
  choices: readonly Choice[],
  from: Position,
  room: Room,
  options: RenderOptions,
  force: boolean,
): Ready | undefined {
  const steps: Step[] = [];
  const rendered: Rendered[] = [];
  let end = from;
  let bytes = 0;
  for (const [index, record] of records.entries()) {
    const { wanted, ...follow } = choices[index]!;
    const { stream, sequence } = numberingOf(end, record);
    const cursor = ends[index]!;
    if (options.touch?.(cursor) === false) {
      // Whether it is wanted cannot be known either: its body may be what must not be read.
      end = after(end, record, cursor, 1);
      steps.push({ end, refusal: { record, reason: 'crash', detail: DEADLY } });
      continue;
    }
    if (!wanted) {
      end = after(end, record, cursor, 0);
      const { filtered } = steps.at(-1) ?? {};
      if (filtered === undefined) steps.push({ end, filtered: 1 });
      else steps[steps.length - 1] = { end, filtered: filtered + 1 };
      continue;
    }
    const { events, refusal = poisonous(record, cursor, options) } = eventsOf(
      record,
      { stream, sequence: sequence + 1 },
      options,
    );
    const size = events.reduce((sum, text) => sum + text.length + options.headerBytes, 0);
    const full = bytes + size > room.bytes || rendered.length >= room.records;
    // Not refused either: that comes with the next batch, once.
    if (full && !(force && rendered.length === 0)) break;
    // A record without events keeps one number: the hole is how a SIEM sees that something is missing.
    end = after(end, record, cursor, Math.max(1, events.length));
    if (refusal) {
      steps.push({ end, ...follow, refusal });
      // What comes next may be poison, too; its break must not undo the verdict on this one.
      if (refusal.reason === 'poison') break;
    } else {
      steps.push({ end, ...follow, sent: record });
      rendered.push({ record, stream, sequence: sequence + 1, events });
      bytes += size;
    }
  }
  if (steps.length === 0) return undefined;
  return { batch: { steps, end, records: rendered.length, bytes }, rendered };
}

/** The run of numbers that goes on with a record. */
function numberingOf(position: Position, record: RelayRecord): Numbering {
  return (isApart(record) ? position.apart : undefined) ?? position;
}

/** The place behind a record whose events have taken so many numbers. */
function after(position: Position, record: RelayRecord, cursor: Cursor, numbers: number): Position {
  const { stream, sequence } = numberingOf(position, record);
  const counted = { stream, sequence: sequence + numbers };
  if (position.apart && isApart(record)) return { ...position, cursor, apart: counted };
  return { ...position, ...counted, cursor };
}

const DEADLY = 'the relay died three times in a row while it read or formatted this record';

function poisonous(record: RelayRecord, cursor: Cursor, { poison }: RenderOptions): Refusal | undefined {
  const detail = poison?.(cursor);
  return detail === undefined ? undefined : { record, reason: 'poison', detail };
}

type Made = { readonly events: readonly Buffer[]; readonly refusal?: Refusal };

function eventsOf(
  record: RelayRecord,
  number: Pick<Stamp, 'stream' | 'sequence'>,
  { format, nowMs, maxBytes }: RenderOptions,
): Made {
  try {
    const texts = format(record, { ...number, sentMs: nowMs, maxBytes });
    // The cursor would pass over it, and nobody would ever hear of the record.
    if (texts.length === 0) throw new Error('the format made no event of it');
    return { events: texts.map((text) => Buffer.from(text)) };
  } catch (error) {
    return { events: [], refusal: { record, reason: 'format', detail: String(error) } };
  }
}
