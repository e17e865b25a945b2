import type { HeaderFields, Names } from './header.ts';
import { pri } from './pri.ts';

/** Longest fields. @see https://www.rfc-editor.org/rfc/rfc5424#section-6 */
const MAX_BYTES = { hostName: 255, appName: 48, procId: 128, msgId: 32 };

/** Numbers of `meta sequenceId` go round from here to 1. @see https://www.rfc-editor.org/rfc/rfc5424#section-7.3.1 */
export const MAX_SEQUENCE_ID = 2 ** 31 - 1;

/**
 * Header of one event, up to and with the space before the text. ASCII, so its length is its bytes. No BOM
 * goes before the text, although RFC 5424 wants one: parsers anchored on `CEF:` or `{` miss it then.
 *
 * @see https://www.rfc-editor.org/rfc/rfc5424#section-6
 */
export function rfc5424(names: Names, { record, stream, sequence }: HeaderFields): string {
  const hostName = printable(names.hostName, MAX_BYTES.hostName);
  const appName = printable(names.appName, MAX_BYTES.appName);
  const procId = printable(String(stream), MAX_BYTES.procId);
  const msgId = printable(record.kind, MAX_BYTES.msgId);
  // A heartbeat has no number of its own (S7).
  const meta = record.kind === 'heartbeat' ? '-' : `[meta sequenceId="${sequenceId(sequence)}"]`;
  const start = `${pri(names.facility, record.severity)}1 ${timestamp(record.timeMs)}`;
  return `${start} ${hostName} ${appName} ${procId} ${msgId} ${meta} `;
}

/** UTC with milliseconds; `-` for what RFC 3339 cannot write (a year beyond 9999) and where there is no time (year 1). */
export function timestamp(timeMs: number): string {
  const time = new Date(timeMs);
  if (Number.isNaN(time.getTime())) return '-';
  const text = time.toISOString();
  return text.length === 24 && !text.startsWith('0001') ? text : '-';
}

/** Only printable ASCII without space may stand in a name of a header; an empty one is `-`. */
export function printable(text: string, maxBytes: number): string {
  return text.replace(/[^\x21-\x7e]/g, '_').slice(0, maxBytes) || '-';
}

/** 1, 2, … 2147483647, 1, … */
function sequenceId(sequence: number): number {
  const zeroBased = (sequence - 1) % MAX_SEQUENCE_ID;
  return (zeroBased < 0 ? zeroBased + MAX_SEQUENCE_ID : zeroBased) + 1;
}
