import type { HeaderFields, Names } from './header.ts';
import { pri } from './pri.ts';
import { printable, timestamp } from './rfc5424.ts';

const MAX_HOST_BYTES = 255;

export interface Rfc3164Options extends Names {
  /** IANA name of the zone that the time is written in: the form has none of its own (S9). */
  readonly timezone: string;
  /** TAG, without its colon. Without one the text comes straight after the host, as CEF usually does. */
  readonly tag?: string | undefined;
}

/** `<131>Mar  4 10:20:01 relay.contoso.local `. @see https://www.rfc-editor.org/rfc/rfc3164#section-4.1 */
export function rfc3164(options: Rfc3164Options, { record }: HeaderFields): string {
  const { month, day, time } = local(record.timeMs, options.timezone);
  const tag = options.tag === undefined ? '' : `${options.tag}: `;
  const host = printable(options.hostName, MAX_HOST_BYTES);
  return `${pri(options.facility, record.severity)}${month} ${day.padStart(2)} ${time} ${host} ${tag}`;
}

export const agentTimes = ['rfc5424', 'rfc3164', 'rfc3164-with-year'] as const;

export interface SiemAgentOptions extends Names {
  readonly timezone: string;
  readonly time: (typeof agentTimes)[number];
  readonly pri: boolean;
  readonly host: boolean;
}

/** What the retired Defender for Cloud Apps SIEM agent put before its CEF: `[<PRI>]TIME [HOST] `. */
export function siemAgent(options: SiemAgentOptions, { record }: HeaderFields): string {
  const before = options.pri ? pri(options.facility, record.severity) : '';
  const host = options.host ? `${printable(options.hostName, MAX_HOST_BYTES)} ` : '';
  return `${before}${agentTime(record.timeMs, options)} ${host}`;
}

function agentTime(timeMs: number, { time: form, timezone }: SiemAgentOptions): string {
  if (form === 'rfc5424') return timestamp(timeMs);
  const { month, day, year, time } = local(timeMs, timezone);
  // Seen so in Microsoft's documentation: `Mar 02 2023 21:10:02`.
  if (form === 'rfc3164-with-year') return `${month} ${day.padStart(2, '0')} ${year} ${time}`;
  return `${month} ${day.padStart(2)} ${time}`;
}

interface LocalTime {
  readonly month: string;
  readonly day: string;
  readonly year: string;
  readonly time: string;
}

const clocks = new Map<string, Intl.DateTimeFormat>();
/** Last time that has a year of four digits. */
const LATEST_MS = Date.UTC(9999, 11, 30);

/** A time that cannot be written is the beginning of 1970: the form has no sign for "unknown". */
function local(timeMs: number, timezone: string): LocalTime {
  let clock = clocks.get(timezone);
  if (!clock) {
    clock = new Intl.DateTimeFormat('en-US', {
      timeZone: timezone,
      calendar: 'gregory',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      year: 'numeric',
      month: 'short',
      day: 'numeric',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
    });
    clocks.set(timezone, clock);
  }
  const writable = timeMs >= 0 && timeMs <= LATEST_MS ? timeMs : 0;
  const parts = Object.fromEntries(clock.formatToParts(writable).map(({ type, value }) => [type, value]));
  const { month = '', day = '', year = '', hour, minute, second } = parts;
  return { month, day, year, time: `${hour}:${minute}:${second}` };
}
