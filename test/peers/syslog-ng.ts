import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CLIENT_NAME, testCertificates, writeKeyPair } from '../support/certificates.ts';
import { SYSLOG_NG } from './missing.ts';
import { peerOf } from './peer-of.ts';
import { freePort, isBound } from './peer-process.ts';
import {
  type Route,
  type SyslogMessage,
  type SyslogPeer,
  type SyslogPeerOptions,
  startPeer,
} from './syslog-peer.ts';

/**
 * What a source has to be for each route; unlike rsyslog's it knows one framing and one header only. `syslog()` counts
 * octets, `network()` reads to the line feed. Nothing takes RFC 3164 with octet counting.
 */
const drivers: Readonly<Record<string, { driver: string; transport: Route['transport']; flags?: string }>> = {
  'tcp octet-counting rfc5424': { driver: 'syslog', transport: 'tcp' },
  'tcp lf rfc5424': { driver: 'network', transport: 'tcp', flags: 'syslog-protocol' },
  'tcp lf rfc3164': { driver: 'network', transport: 'tcp' },
  'tls octet-counting rfc5424': { driver: 'syslog', transport: 'tls' },
  'tls lf rfc5424': { driver: 'network', transport: 'tls', flags: 'syslog-protocol' },
  'tls lf rfc3164': { driver: 'network', transport: 'tls' },
  'udp rfc5424': { driver: 'syslog', transport: 'udp' },
  'udp rfc3164': { driver: 'network', transport: 'udp' },
};

function nameOf({ transport, framing, header }: Route): string {
  // What the retired agent wrote is read as leniently.
  const form = header === 'rfc5424' ? header : 'rfc3164';
  return transport === 'udp' ? `udp ${form}` : `${transport} ${framing} ${form}`;
}

/** A real syslog-ng in a folder of its own, ready to take connections. See `missing.ts` for when it is not there. */
export async function startSyslogNg(options: SyslogPeerOptions = {}): Promise<SyslogPeer> {
  const folder = mkdtempSync(join(tmpdir(), 'syslog-ng-'));
  const ports = new Map<string, number>();
  for (const [name, { transport }] of Object.entries(drivers))
    if (transport !== 'tls' || options.tls) ports.set(name, await freePort());
  writeFileSync(join(folder, 'syslog-ng.conf'), await config(folder, ports, options));
  const program = {
    command: SYSLOG_NG,
    args: [
      ...['--foreground', '--no-caps', '--cfgfile', join(folder, 'syslog-ng.conf')],
      ...['--persist-file', join(folder, 'persist'), '--pidfile', join(folder, 'pid')],
      ...['--control', join(folder, 'control')],
    ],
    isReady: () => [...ports].every(([name, port]) => isBound(name.startsWith('udp') ? 'udp' : 'tcp', port)),
  };
  const inContainer = { image: 'syslog-ng' as const, folder, command: '/usr/sbin/syslog-ng' };
  const syslogNg = await peerOf('syslog-ng', program, inContainer);
  const output = join(folder, 'messages.jsonl');
  const peer = await startPeer(syslogNg, output, parse, () =>
    rmSync(folder, { recursive: true, force: true }),
  );
  return {
    ...peer,
    portFor(route) {
      const port = ports.get(nameOf(route));
      if (port === undefined) throw new Error(`this syslog-ng has no source for ${nameOf(route)}`);
      return port;
    },
  };
}

const macros = {
  pri: 'PRI',
  time: 'ISODATE',
  host: 'HOST',
  app: 'PROGRAM',
  procid: 'PID',
  msgid: 'MSGID',
  sd: 'SDATA',
  msg: 'MSG',
  raw: 'RAWMSG',
};

async function config(
  folder: string,
  ports: ReadonlyMap<string, number>,
  { maxMessageBytes, tls }: SyslogPeerOptions,
): Promise<string> {
  const { ca, server } = await testCertificates();
  writeFileSync(join(folder, 'ca.crt'), ca);
  const pair = writeKeyPair(folder, 'server', server[tls?.server ?? 'good']);
  const clients =
    tls?.clients === false
      ? 'peer-verify(optional-untrusted)'
      : `peer-verify(required-trusted) trusted-dn("CN=${CLIENT_NAME}")`;
  const secured = `tls(key-file("${pair.key}") cert-file("${pair.cert}") ca-file("${folder}/ca.crt") ${clients})`;
  const sources = [...ports].map(([name, port]) => {
    const { driver, transport, flags = '' } = drivers[name]!;
    const more = transport === 'tls' ? secured : '';
    return `${driver}(transport("${transport}") ip("127.0.0.1") port(${port}) flags(store-raw-message ${flags}) ${more});`;
  });
  const pairs = Object.entries(macros).map(([name, macro]) => `${name}=\\"\${${macro}}\\"`);
  return `@version: 3.38
options {
  ${maxMessageBytes === undefined ? '' : `log-msg-size(${maxMessageBytes});`}
  keep-hostname(yes); use-dns(no); stats-freq(0); flush-lines(1); frac-digits(3);
};
source all { ${sources.join('\n')} };
destination file { file("${folder}/messages.jsonl" template("$(format-json ${pairs.join(' ')})\\n")); };
log { source(all); destination(file); };
`;
}

/** It leaves out what is empty. */
function parse(line: string): SyslogMessage {
  const none = Object.fromEntries(Object.keys(macros).map((name) => [name, '']));
  return { ...none, ...JSON.parse(line) } as SyslogMessage;
}
