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

/** `<131>`: facility and severity of an event. @see https://www.rfc-editor.org/rfc/rfc5424#section-6.2.1 */
export function pri(facility: Facility, severity: string): string {
  return `<${facilities.indexOf(facility) * 8 + (severities.get(severity) ?? SEVERITY_UNKNOWN)}>`;
}
