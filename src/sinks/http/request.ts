import { hash } from 'node:crypto';
import { eventIdOf } from '../../core/event-id.ts';
import type { Rendered } from '../../core/sink.ts';
import { beginsObject } from '../../lib/json.ts';
import { asLines, oneLine } from '../../lib/one-line.ts';

/** `ndjson`: a line for each event; `array`: one JSON array; `single`: a request for each event. */
export const bodies = ['ndjson', 'array', 'single'] as const;
export type Body = (typeof bodies)[number];

/** An event on its way. */
export interface Outgoing {
  /** Of its record in the batch. */
  readonly index: number;
  readonly id: string;
  /** Tells this telling of the event from a later one (retry, replay). */
  readonly key: string;
  /** Whose telling it is: the same for all revisions of an alert. */
  readonly about: string;
  /** Its running number. */
  readonly number: number;
  readonly text: Buffer;
}

/** The events of a batch, in order. */
export function outgoing(batch: readonly Rendered[]): Outgoing[] {
  return batch.flatMap(({ record, stream, sequence, events }, index) => {
    const about = JSON.stringify([record.source, record.tenant, record.id]);
    return events.map((text, part) => {
      const id = eventIdOf(record, part + 1);
      const number = sequence + part;
      return {
        index,
        id,
        key: `${stream} ${number} ${id}`,
        about,
        number,
        text: oneLine(text),
      };
    });
  });
}

/** What an event takes in a request, before that is compressed. */
const sizeOf = ({ text }: Outgoing): number => text.length + 1;

export const sizeOfAll = (events: readonly Outgoing[]): number =>
  events.reduce((sum, event) => sum + sizeOf(event), 0);

/**
 * Cuts events into requests of at most `maxBytes`. What went out in one request and was not answered for goes out in one
 * again, so that the far end knows it by its key.
 *
 * @param unanswered the keys of such requests
 */
export function requestsOf(
  events: readonly Outgoing[],
  body: Body,
  maxBytes: number,
  unanswered: readonly (readonly string[])[],
): Outgoing[][] {
  const requests: Outgoing[][] = [];
  let bytes = 0;
  let at = 0;
  let isOpen = false;
  while (at < events.length) {
    const again = unanswered.find((keys) => keys.every((key, offset) => events[at + offset]?.key === key));
    if (again) {
      requests.push(events.slice(at, at + again.length));
      at += again.length;
      isOpen = false;
      continue;
    }
    const event = events[at++]!;
    const size = sizeOf(event);
    if (isOpen && body !== 'single' && bytes + size <= maxBytes) requests.at(-1)?.push(event);
    else {
      requests.push([event]);
      bytes = 0;
      isOpen = true;
    }
    bytes += size;
  }
  return requests;
}

/** What goes out, before it is compressed. */
export function encode(events: readonly Outgoing[], body: Body): { type: string; bytes: Buffer } {
  const texts = events.map(({ text }) => text);
  if (body === 'array') {
    const items = texts.map((text) =>
      beginsObject(text) ? text : Buffer.from(JSON.stringify(String(text))),
    );
    return { type: 'application/json', bytes: joined('[', items, ',', ']') };
  }
  const areJson = texts.every(beginsObject);
  if (body === 'single')
    return { type: areJson ? 'application/json' : PLAIN, bytes: joined('', texts, '\n', '') };
  return {
    type: areJson ? 'application/x-ndjson' : PLAIN,
    bytes: asLines(texts),
  };
}

const PLAIN = 'text/plain; charset=utf-8';

function joined(before: string, texts: readonly Buffer[], between: string, behind: string): Buffer {
  const separator = Buffer.from(between);
  const separated = texts.flatMap((text, at) => (at === 0 ? [text] : [separator, text]));
  return Buffer.concat([Buffer.from(before), ...separated, Buffer.from(behind)]);
}

/** The same for the same events, whenever they are sent. */
export function idempotencyKey(events: readonly Outgoing[]): string {
  return hash('sha256', events.map(({ id }) => id).join('\n'), 'hex');
}
