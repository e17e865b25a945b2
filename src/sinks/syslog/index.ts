import { isIPv6 } from 'node:net';
import { hostname } from 'node:os';
import { z } from 'zod';
import { duration, EXAMPLE, port } from '../../lib/fields.ts';
import { TlsClient, tlsSchema } from '../../net/tls.ts';
import type { SinkPlugin } from '../context.ts';
import { Acknowledged } from './acknowledged.ts';
import type { Connect } from './connection.ts';
import { type Framing, framings } from './frame.ts';
import type { Header } from './header.ts';
import { type Host, Hosts, hostOf } from './hosts.ts';
import { facilities } from './pri.ts';
import { linkOverTcp, linkOverTls } from './relp/link.ts';
import { RelpSink } from './relp/relp-sink.ts';
import { overRelp } from './relp/session.ts';
import { agentTimes, rfc3164, siemAgent } from './rfc3164.ts';
import { printable, rfc5424 } from './rfc5424.ts';
import { type Confirmation, confirmations, SyslogSink } from './syslog-sink.ts';
import { overTcp } from './transports/tcp.ts';
import { overTls } from './transports/tls.ts';
import { DEFAULT_DATAGRAM_BYTES, MAX_DATAGRAM_BYTES, overUdp } from './transports/udp.ts';

const transports = ['tcp', 'udp', 'tls', 'relp', 'relp-tls'] as const;
type Transport = (typeof transports)[number];

/**
 * @see RFC 5426 and 5425; there is none for plain TCP, but everybody uses that of UDP, and none for RELP: it is the one
 * of librelp
 */
const DEFAULT_PORT: Readonly<Record<Transport, number>> = {
  tcp: 514,
  udp: 514,
  tls: 6514,
  relp: 20_514,
  'relp-tls': 20_514,
};

const isRelp = (transport: Transport) => transport === 'relp' || transport === 'relp-tls';
const isTls = (transport: Transport) => transport === 'tls' || transport === 'relp-tls';

/** What is wrong with a host that holds more, or less, than a name or address. */
function hostProblem(host: string): string | undefined {
  if (host.includes('://')) return 'expected a name or address alone, without "tcp://" or the like';
  if (/^\[.*\]$/.test(host)) return 'expected an IPv6 address without brackets';
  if (/:\d*$/.test(host) && !isIPv6(host))
    return 'expected a name or address alone; the port is a setting of its own, "port"';
  return /^[^\s:/[\]]+$/.test(host) || isIPv6(host) ? undefined : 'expected a name or address';
}

const host = z.string().superRefine((text, context) => {
  const message = hostProblem(text);
  if (message !== undefined) context.addIssue({ code: 'custom', message });
});

/** `siem`, `siem:514`, `192.0.2.1:514`, `2001:db8::1`, `[2001:db8::1]:514`. */
function parseHost(text: string): { host: string; port?: number } | undefined {
  const [, bracketed, plain, digits] = /^(?:\[(.+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const found = bracketed ?? plain;
  const number = Number(digits);
  if (found !== undefined && number >= 1 && number <= 65_535 && hostProblem(found) === undefined)
    return { host: found, port: number };
  return hostProblem(text) === undefined ? { host: text } : undefined;
}

const hostAndPort = z.string().transform((text, context) => {
  const parsed = parseHost(text);
  if (parsed) return parsed;
  const message =
    'expected a name or address, with or without a port, such as "siem:514" or "[2001:db8::1]:514"';
  context.addIssue({ code: 'custom', message });
  return z.NEVER;
});

const timezone = z.string().refine(isTimezone, 'expected a time zone such as "UTC" or "Europe/Berlin"');

function isTimezone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }) !== undefined;
  } catch {
    return false;
  }
}

const DEFAULT_EVERY = '5s';
const DEFAULT_AFTER = '30s';

const confirmSchema = z.strictObject({
  by: z
    .enum(confirmations)
    .optional()
    .describe(
      'What counts as the receiver having read all: it answers our `close`; the connection has been well for a while (`delay`); or nothing (`none`). Default: `close`, with `udp` `none`.',
    ),
  every: duration({ min: '100ms', max: '5m' })
    .prefault(DEFAULT_EVERY)
    .describe(
      'With `close`: longest time that something written waits for its confirmation to be asked for.',
    ),
  after: duration({ min: '1s', max: '1h' })
    .prefault(DEFAULT_AFTER)
    .describe('With `delay`: how long the connection must have been well.'),
});

const schema = z
  .strictObject({
    type: z.literal('syslog'),
    transport: z
      .enum(transports)
      .default('tcp')
      .describe(
        'How the bytes travel. What goes over `udp` may get lost, and nobody hears of it; over `relp` and `relp-tls` the receiver acknowledges each event.',
      ),
    host: host
      .optional()
      .describe('Name or address of the receiver.')
      .meta({ [EXAMPLE]: 'siem.example.com' }),
    hosts: z
      .array(hostAndPort)
      .min(1)
      .optional()
      .describe(
        'In place of `host`: several receivers, with or without a port each. The first that works is used.',
      ),
    port: port().optional().describe('Port of the receiver; default: 514, with `tls` 6514, with RELP 20514.'),
    framing: z
      .enum(framings)
      .optional()
      .describe(
        'How the receiver tells events apart on a stream (RFC 6587): a line feed, or their length in front. Default: `lf`, with `tls` `octet-counting`. Not for RELP, which has its own.',
      ),
    header: z
      .enum(['rfc5424', 'rfc3164', 'siem-agent'])
      .default('rfc5424')
      .describe('Form of the syslog header.'),
    timezone: timezone
      .default('UTC')
      .describe('Zone of the time in headers that do not say theirs (`rfc3164`, `siem-agent`).'),
    tag: z
      .string()
      .regex(/^[A-Za-z0-9_./-]{1,32}$/, 'expected letters, digits, "_", ".", "/" and "-", 32 at most')
      .optional()
      .describe('TAG of `rfc3164`; default: none, as usual with CEF.'),
    siemAgent: z
      .strictObject({
        time: z.enum(agentTimes).default('rfc5424').describe('Form of the time.'),
        pri: z.boolean().default(false).describe('Begin with `<PRI>`.'),
        host: z.boolean().default(false).describe('Say the host after the time.'),
      })
      .prefault({})
      .describe('What the retired agent let one choose; for `header: siem-agent`.'),
    facility: z.enum(facilities).default('local0').describe('Syslog facility.'),
    hostName: z
      .string()
      .regex(/^[\x21-\x7e]{1,255}$/)
      .optional()
      .describe('HOSTNAME of the header; default: of this machine.'),
    appName: z
      .string()
      .regex(/^[\x21-\x7e]{1,48}$/)
      .default('defender-relay')
      .describe('APP-NAME of the header.'),
    tls: tlsSchema.optional().describe('For `transport: tls` and `relp-tls`.'),
    confirm: confirmSchema
      .optional()
      .describe(
        'How the relay makes sure that the receiver has read what it was sent. Not for RELP, where the receiver acknowledges each event.',
      ),
  })
  .superRefine((settings, context) => {
    const refuse = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message });
    const { transport, host, hosts, port, framing, header, tls, tag, confirm } = settings;
    if (host === undefined && hosts === undefined)
      refuse(['host'], 'missing; name or address of the receiver');
    if (host !== undefined && hosts !== undefined) refuse(['hosts'], 'give "host" or "hosts", not both');
    if (port !== undefined && hosts?.every((one) => one.port !== undefined))
      refuse(['port'], 'every one of "hosts" has a port of its own; take this out');
    if (tls !== undefined && !isTls(transport)) refuse(['tls'], 'needs "transport: tls" or "relp-tls"');
    if (isRelp(transport) && framing !== undefined)
      refuse(['framing'], `has no meaning with "transport: ${transport}": RELP has its own. Take it out`);
    if (isRelp(transport) && confirm !== undefined)
      refuse(
        ['confirm'],
        `has no meaning with "transport: ${transport}": the receiver acknowledges each event. Take it out`,
      );
    if (transport === 'udp' && framing !== undefined)
      refuse(['framing'], 'has no meaning with "transport: udp": each event is a datagram');
    if (transport === 'udp' && confirm?.by !== undefined && confirm.by !== 'none')
      refuse(['confirm', 'by'], 'must be none with "transport: udp": nothing can be confirmed there');
    if (tag !== undefined && header !== 'rfc3164') refuse(['tag'], 'needs "header: rfc3164"');
  });

export type SyslogSettings = z.output<typeof schema>;

export const syslog: SinkPlugin<typeof schema> = {
  schema,
  summary:
    'Syslog over UDP, TCP, TLS or RELP; over TCP and TLS confirmed by half-closing the connection, over RELP by acknowledgements.',
  defaultEventBytes: ({ transport }) => (transport === 'udp' ? DEFAULT_DATAGRAM_BYTES : undefined),
  implied({ transport = 'tcp', hosts, framing, confirm }) {
    const eachHasPort = hosts?.every((one) => parseHost(one)?.port !== undefined) === true;
    return {
      ...(!eachHasPort && { port: DEFAULT_PORT[transport] }),
      ...(transport !== 'udp' && !isRelp(transport) && { framing: framingOf({ framing, transport }) }),
      ...(!isRelp(transport) && {
        confirm: { by: confirmedBy(confirm?.by, transport), every: DEFAULT_EVERY, after: DEFAULT_AFTER },
      }),
    };
  },
  create(settings, { log, timeoutMs }) {
    const { transport } = settings;
    const confirm = settings.confirm ?? confirmSchema.parse({});
    const clock = () => performance.now();
    const tls = new TlsClient(settings.tls ?? tlsSchema.parse({}), log, clock);
    const hosts = hostsOf(settings);
    // Together they must come to an end within the time for one opening.
    const connectMs = Math.ceil(hosts.length === 1 ? ALONE * timeoutMs : timeoutMs / (hosts.length + 1));
    const header = headerOf(settings);
    if (isRelp(transport)) {
      const link = isTls(transport) ? linkOverTls(tls, connectMs) : linkOverTcp(connectMs);
      const connect = overRelp(link, { openMs: connectMs, timeoutMs });
      const relp = { hosts: new Hosts(hosts, connect, log, clock), header };
      return new RelpSink(isTls(transport) ? { ...relp, tls } : relp);
    }
    const connect = connectBy(transport, tls, framingOf(settings), connectMs);
    return new SyslogSink({
      hosts: new Hosts(hosts, connect, log, clock),
      header,
      confirm: {
        by: confirmedBy(confirm.by, transport),
        everyMs: confirm.every,
        afterMs: confirm.after,
      },
      maxMessageBytes: transport === 'udp' ? MAX_DATAGRAM_BYTES : Number.MAX_SAFE_INTEGER,
      timeoutMs,
      acknowledged: new Acknowledged((trouble) => log.warn({}, trouble)),
      clock,
      log,
      notes: () => (isTls(transport) ? tls.notes() : []),
    });
  },
};

function framingOf({ framing, transport }: Pick<SyslogSettings, 'framing' | 'transport'>): Framing {
  return framing ?? (transport === 'tls' ? 'octet-counting' : 'lf');
}

function confirmedBy(by: Confirmation | undefined, transport: Transport): Confirmation {
  return by ?? (transport === 'udp' ? 'none' : 'close');
}

function hostsOf({ transport, host, hosts, port }: SyslogSettings): Host[] {
  const common = port ?? DEFAULT_PORT[transport];
  const given = hosts ?? (host === undefined ? [] : [{ host }]);
  return given.map((one: { host: string; port?: number }) => hostOf(one.host, one.port ?? common));
}

/** Of the time-out of an opening: a little less, so that it is told what did not answer, and not only that it did not. */
const ALONE = 0.9;

function connectBy(transport: Transport, tls: TlsClient, framing: Framing, timeoutMs: number): Connect {
  if (transport === 'udp') return overUdp(timeoutMs);
  return transport === 'tls' ? overTls(tls, framing, timeoutMs) : overTcp(framing, timeoutMs);
}

function headerOf(settings: SyslogSettings): Header {
  const { header, facility, appName, timezone, tag } = settings;
  // What the machine calls itself need not be fit for a header.
  const hostName = printable(settings.hostName ?? hostname(), 255);
  const names = { facility, appName, hostName };
  if (header === 'rfc3164') return (fields) => rfc3164({ ...names, timezone, tag }, fields);
  if (header === 'siem-agent')
    return (fields) => siemAgent({ ...names, timezone, ...settings.siemAgent }, fields);
  return (fields) => rfc5424(names, fields);
}
