import { eventIdOf, spelled } from '../../core/event-id.ts';
import type { Format, Stamp } from '../../core/format.ts';
import type { JsonObject, RelayRecord } from '../../core/record.ts';
import { type Cut, partsOf } from './parts.ts';
import { isObject, shortenText } from './shorten.ts';
import { bytesOf, write } from './write.ts';

/** Less cannot hold ids, times and a piece of the body: a smaller budget is taken for this. */
const MIN_BYTES = 1024;

/** What is set aside for each number that must not change how many parts there are. */
const WIDEST = { stream: 2 ** 31 - 1, sequence: Number.MAX_SAFE_INTEGER, part: 9_999_999 };

/**
 * The format `json`: a record as Microsoft sent it, in an envelope that says what it is, of which revision, and its
 * number; one JSON object for each event. One that is too large goes on in further events (`parts.ts`).
 */
export const formatJson: Format = (record, stamp) => {
  const budget = Math.max(MIN_BYTES, Math.floor(stamp.maxBytes) || 0);
  const body: JsonObject = isObject(record.body) ? record.body : { value: record.body };
  const envelope = envelopeOf(record, budget);
  const room = budget - widestOf(envelope);
  const whole = write(body);
  const parts =
    bytesOf(whole) <= room ? [{ body: whole, cuts: [] }] : partsOf(body, room, Math.floor(budget / 4));
  return parts.map((part, index) => {
    const numbers = {
      stream: stamp.stream,
      sequence: stamp.sequence + index,
      part: index + 1,
      parts: parts.length,
    };
    return eventOf(envelope, numbers, part.cuts, part.body);
  });
};

/** Bytes of an event without its body, with numbers as wide as they may become: they must not make another part. */
function widestOf(envelope: Envelope): number {
  const { record } = envelope;
  const widest = bytesOf(eventOf(envelope, { ...WIDEST, parts: WIDEST.part }, [], ''));
  // The id of a later part may be a hash, and shorter.
  const grown = bytesOf(eventIdOf(record, 1)) + String(WIDEST.part).length - 1;
  return widest + Math.max(0, grown - bytesOf(eventIdOf(record, WIDEST.part)));
}

interface Envelope {
  readonly record: RelayRecord;
  readonly id: string;
  /** JSON of what stands before the numbers, without braces. */
  readonly text: string;
  /** Of the envelope's own fields. */
  readonly cuts: readonly Cut[];
}

function envelopeOf(record: RelayRecord, budget: number): Envelope {
  const { kind, revision, unrevised, outcome, timeMs } = record;
  const cuts: Cut[] = [];
  const short = (field: 'id' | 'severity' | 'tenant' | 'source', room: number): string => {
    const text = shortenText(record[field], Math.floor(room));
    if (text !== record[field]) cuts.push({ field, bytes: bytesOf(record[field]) });
    return text;
  };
  const id = short('id', budget / 10);
  const names = { source: short('source', budget / 16), tenant: short('tenant', budget / 16) };
  const severity = short('severity', budget / 32);
  const time = Number.isNaN(new Date(timeMs).getTime()) ? null : new Date(timeMs).toISOString();
  const known =
    record.changed === undefined ? {} : { changed: record.changed.map((change) => ({ ...change })) };
  const tooLarge = bytesOf(write(known)) > budget / 8;
  if (tooLarge) cuts.push({ field: 'changed', bytes: bytesOf(write(known)) });
  const changed = tooLarge ? {} : known;
  const said = { kind, ...names, id, revision: spelled(revision), unrevised, outcome };
  const fields = { ...said, ...changed, time, severity };
  return { record, id, text: write(fields).slice(1, -1), cuts };
}

type Numbers = Pick<Stamp, 'stream' | 'sequence'> & { readonly part: number; readonly parts: number };

function eventOf(
  { record, text, cuts: own }: Envelope,
  { stream, sequence, part, parts }: Numbers,
  cuts: readonly Cut[],
  body: string,
): string {
  const eventId = write(eventIdOf(record, part));
  // A heartbeat has no number of its own: it tells the last one that was given (S7).
  const number = record.kind === 'heartbeat' ? '' : `,"sequence":${sequence}`;
  const all = [...own, ...cuts];
  const shortened = all.length > 0 ? `,"shortened":${write(all)}` : '';
  return `{"eventId":${eventId},${text},"stream":${stream}${number},"part":${part},"parts":${parts}${shortened},"body":${body}}`;
}
