import type { RelayRecord } from '../../core/record.ts';
import type { Rendered } from '../../core/sink.ts';
import { oneLine } from '../../lib/one-line.ts';
import type { Facility } from './pri.ts';
import { MAX_SEQUENCE_ID } from './rfc5424.ts';

/** What every header says of the sender. */
export interface Names {
  readonly facility: Facility;
  readonly hostName: string;
  readonly appName: string;
}

/** What the header of one event says of its record. */
export interface HeaderFields {
  readonly record: Pick<RelayRecord, 'kind' | 'severity' | 'timeMs'>;
  /** Identity of the run of numbers: PROCID (S6). */
  readonly stream: number;
  /** Running number of the event: `meta sequenceId` (S6). */
  readonly sequence: number;
}

/** What goes before the text of an event, up to and with the space. Pure; ASCII, so its length is its bytes. */
export type Header = (fields: HeaderFields) => string;

/** The events of a record, each behind its header. */
export function messagesOf({ record, stream, sequence, events }: Rendered, header: Header): Buffer[] {
  return events.map((text, part) => {
    const head = header({ record, stream, sequence: sequence + part });
    return Buffer.concat([Buffer.from(head, 'latin1'), oneLine(text)]);
  });
}

/** Most bytes that a header can have; for the budget of an event (S5). */
export function maxHeaderBytes(header: Header): number {
  const kind = 'x'.repeat(100) as RelayRecord['kind'];
  const rest = { stream: MAX_SEQUENCE_ID, sequence: MAX_SEQUENCE_ID };
  // Severities 2 and 6: in some facilities one of them makes the longer number.
  const sizes = ['critical', 'informational'].map(
    (severity) => header({ record: { kind, severity, timeMs: 0 }, ...rest }).length,
  );
  return Math.max(...sizes);
}
