import type { RelayRecord } from '../../core/record.ts';

/** Facilities by their number. @see https://www.rfc-editor.org/rfc/rfc5424#section-6.2.1 */
export const facilities = [
  'kern',
  'user',
  'mail',
  'daemon',
  'auth',
  'syslog',
  'lpr',
  'news',
  'uucp',
  'cron',
  'authpriv',
  'ftp',
  'ntp',
  'audit',
  'alert',
  'clock',
  'local0',
  'local1',
  'local2',
  'local3',
  'local4',
  'local5',
  'local6',
  'local7',
] as const;
export type Facility = (typeof facilities)[number];

/** Syslog severities of Graph's. Never 0 or 1: those are shown on every terminal of some receivers. */
const severities: ReadonlyMap<string, number> = new Map([
  ['critical', 2],
  ['high', 3],
  ['medium', 4],
  ['low', 5],
  ['informational', 6],
]);

/** `unknown` and what Graph may yet invent must not fall below a rule for "medium". */
const SEVERITY_UNKNOWN = 4;

/** Longest fields. @see https://www.rfc-editor.org/rfc/rfc5424#section-6 */
const MAX_BYTES = { hostName: 255, appName: 48, procId: 128, msgId: 32 };

/** Numbers of `meta sequenceId` go round from here to 1. @see https://www.rfc-editor.org/rfc/rfc5424#section-7.3.1 */
const MAX_SEQUENCE_ID = 2 ** 31 - 1;

export interface HeaderOptions {
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

/**
 * Header of one event, up to and with the space before the text. ASCII, so its length is its bytes. No BOM
 * goes before the text, although RFC 5424 wants one: parsers anchored on `CEF:` or `{` miss it then.
 *
 * @see https://www.rfc-editor.org/rfc/rfc5424#section-6
 */
export function rfc5424(options: HeaderOptions, { record, stream, sequence }: HeaderFields): string {
  const severity = severities.get(record.severity) ?? SEVERITY_UNKNOWN;
  const pri = facilities.indexOf(options.facility) * 8 + severity;
  const hostName = name(options.hostName, MAX_BYTES.hostName);
  const appName = name(options.appName, MAX_BYTES.appName);
  const procId = name(String(stream), MAX_BYTES.procId);
  const msgId = name(record.kind, MAX_BYTES.msgId);
  const meta = `[meta sequenceId="${sequenceId(sequence)}"]`;
  return `<${pri}>1 ${timestamp(record.timeMs)} ${hostName} ${appName} ${procId} ${msgId} ${meta} `;
}

/** Most bytes that a header with these options can have; for the budget of an event (S5). */
export function maxRfc5424Bytes(options: HeaderOptions): number {
  const kind = 'x'.repeat(MAX_BYTES.msgId) as RelayRecord['kind'];
  const record = { kind, severity: 'high', timeMs: 0 };
  return rfc5424(options, { record, stream: MAX_SEQUENCE_ID, sequence: MAX_SEQUENCE_ID }).length;
}

/** UTC with milliseconds; `-` for what RFC 3339 cannot write (a year beyond 9999, no time at all). */
function timestamp(timeMs: number): string {
  const time = new Date(timeMs);
  if (Number.isNaN(time.getTime())) return '-';
  const text = time.toISOString();
  return text.length === 24 ? text : '-';
}

/** Only printable ASCII without space may stand in a name of the header; an empty one is `-`. */
function name(text: string, maxBytes: number): string {
  return text.replace(/[^\x21-\x7e]/g, '_').slice(0, maxBytes) || '-';
}

/** 1, 2, … 2147483647, 1, … */
function sequenceId(sequence: number): number {
  const zeroBased = (sequence - 1) % MAX_SEQUENCE_ID;
  return (zeroBased < 0 ? zeroBased + MAX_SEQUENCE_ID : zeroBased) + 1;
}
