import { hash } from 'node:crypto';
import { eventIdOf } from '../../core/event-id.ts';
import type { Rendered } from '../../core/sink.ts';
import { beginsObject } from '../../lib/json.ts';

/** By what Event Hubs chooses the partition: what has the same key stays in order. */
export type KeyOf = (rendered: Rendered) => string | undefined;

/** Event Hubs takes keys and message ids up to so many characters. */
const MOST_CHARACTERS = 128;
/** Graph's words are shorter, and what goes beside a text has to be small, whatever comes. */
const SEVERITY_CHARACTERS = 32;

/** As the text is, or a hash of it. */
export function bounded(text: string): string {
  return text.length <= MOST_CHARACTERS ? text : `sha256-${hash('sha256', text, 'hex')}`;
}

/** Records of a batch that go one after another, because they have the same key; with their places in it. */
export interface Group {
  readonly key: string | undefined;
  readonly records: readonly { readonly index: number; readonly rendered: Rendered }[];
}

export function groupsOf(batch: readonly Rendered[], keyOf: KeyOf): Group[] {
  const records = batch.map((rendered, index) => ({ index, rendered }));
  const groups = Map.groupBy(records, ({ rendered }) => keyOf(rendered));
  return [...groups].map(([key, records]) => ({ key, records }));
}

/** The events of a record as the SDK takes them: the text, and what else is known of it beside it. */
export function eventsOf({ record, stream, sequence }: Rendered, texts: readonly Buffer[]) {
  const { kind, id, tenant, source, severity, outcome } = record;
  return texts.map((text, place) => ({
    body: text,
    contentType: beginsObject(text) ? 'application/json' : 'text/plain',
    messageId: bounded(eventIdOf(record, place + 1)),
    correlationId: bounded(id),
    properties: {
      kind,
      tenant,
      source,
      severity: severity.slice(0, SEVERITY_CHARACTERS),
      outcome,
      stream,
      sequence: sequence + place,
      part: place + 1,
      parts: texts.length,
    },
  }));
}
