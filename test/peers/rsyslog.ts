import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CLIENT_NAME, type KeyPair, testCertificates, writeKeyPair } from '../support/certificates.ts';
import type { ParsedCef } from './lognormalizer.ts';
import { peerOf } from './peer-of.ts';
import { freePort, isBound } from './peer-process.ts';
import { type SyslogMessage, type SyslogPeer, type SyslogPeerOptions, startPeer } from './syslog-peer.ts';

const PROGRAM = '/usr/sbin/rsyslogd';

/** An event as rsyslog took it apart. */
export interface RsyslogMessage extends SyslogMessage {
  /** With `cef: true`: what liblognorm made of `msg`; `undefined` when it could not parse it. */
  readonly cef?: ParsedCef | undefined;
}

export interface RsyslogOptions extends SyslogPeerOptions {
  /** Parse each message with liblognorm's `cef`. */
  readonly cef?: boolean;
  /** What it reads is written to its file before it reads on. Else it has a queue in memory, which a kill empties. */
  readonly direct?: boolean;
  /** Takes a millisecond for each message out of that queue, as with a slow disk. */
  readonly slow?: boolean;
  /** Takes RELP too, on two further ports; needs `rsyslog-relp`. */
  readonly relp?: boolean;
}

export interface Rsyslog extends SyslogPeer<RsyslogMessage> {
  /** For plain TCP; it takes both framings there. */
  readonly port: number;
  readonly relpPort: number;
  /** Takes only who shows the certificate that `tls` says. */
  readonly relpTlsPort: number;
}

type Ports = Readonly<Record<'tcp' | 'udp' | 'tls' | 'relp' | 'relpTls', number>>;

/** A real rsyslogd in a folder of its own, ready to take connections. See `missing.ts` for when it is not there. */
export async function startRsyslog(options: RsyslogOptions = {}): Promise<Rsyslog> {
  const folder = mkdtempSync(join(tmpdir(), 'rsyslog-'));
  const ports = {
    tcp: await freePort(),
    udp: await freePort(),
    tls: await freePort(),
    relp: await freePort(),
    relpTls: await freePort(),
  };
  const { ca, server } = await testCertificates();
  writeFileSync(join(folder, 'ca.crt'), ca);
  const pair = writeKeyPair(folder, 'server', server[options.tls?.server ?? 'good']);
  writeFileSync(join(folder, 'cef.rb'), 'version=2\nrule=:%f:cef%\n');
  writeFileSync(join(folder, 'rsyslog.conf'), config(folder, ports, pair, options));
  const program = {
    command: PROGRAM,
    args: ['-n', '-f', join(folder, 'rsyslog.conf'), '-i', 'NONE'],
    isReady: () =>
      isBound('tcp', ports.tcp) &&
      isBound('udp', ports.udp) &&
      (!options.tls || isBound('tcp', ports.tls)) &&
      (!options.relp || (isBound('tcp', ports.relp) && isBound('tcp', ports.relpTls))),
  };
  const name = options.relp ? 'rsyslog-relp' : options.tls ? 'rsyslog-gnutls' : 'rsyslog';
  const rsyslog = await peerOf(name, program, { image: 'rsyslog', folder });
  const output = join(folder, 'messages.jsonl');
  const peer = await startPeer(rsyslog, output, parse, () =>
    rmSync(folder, { recursive: true, force: true }),
  );
  return {
    ...peer,
    port: ports.tcp,
    relpPort: ports.relp,
    relpTlsPort: ports.relpTls,
    portFor: ({ transport }) => ports[transport],
  };
}

/**
 * JSON lines are the oracle: in a plain file an embedded line feed could not be told from a new message. Without
 * `escapeControlCharacters…` it would write `#012` for them. Names are tested with gtls: the ossl driver of 8.2302
 * takes a certificate with a wrong one.
 */
function config(folder: string, ports: Ports, server: KeyPair, options: RsyslogOptions): string {
  const { cef = false, direct = false, maxMessageBytes = 8192, relp = false, slow = false, tls } = options;
  const fields = {
    pri: 'name="pri"',
    time: 'name="timereported" dateFormat="rfc3339"',
    host: 'name="hostname"',
    app: 'name="app-name"',
    procid: 'name="procid"',
    msgid: 'name="msgid"',
    sd: 'name="structured-data"',
    msg: 'name="msg"',
    raw: 'name="rawmsg"',
  };
  const properties = Object.entries(fields).map(
    ([outname, what]) => `property(outname="${outname}" ${what} format="jsonf")`,
  );
  const tree = cef ? ' constant(value=",\\"tree\\":") property(name="$!")' : '';
  const clients =
    tls?.clients === false ? 'authMode="anon"' : `authMode="x509/name" permittedPeer=["${CLIENT_NAME}"]`;
  const slowdown = slow
    ? 'queue.type="LinkedList" queue.size="100000" queue.dequeueBatchSize="1" queue.dequeueSlowdown="1000"'
    : '';
  const queue = direct ? 'queue.type="Direct"' : slowdown;
  return `
global(workDirectory="${folder}" maxMessageSize="${maxMessageBytes}" parser.escapeControlCharactersOnReceive="off"
  defaultNetstreamDriverCAFile="${folder}/ca.crt"
  defaultNetstreamDriverCertFile="${server.cert}" defaultNetstreamDriverKeyFile="${server.key}")
module(load="imtcp")
module(load="imudp")
${cef ? 'module(load="mmnormalize")' : ''}
template(name="line" type="list") {
  constant(value="{") ${properties.join(' constant(value=",") ')}${tree} constant(value="}\\n")
}
ruleset(name="all" ${queue}) {
  ${cef ? `action(type="mmnormalize" rulebase="${folder}/cef.rb" path="$!cef")` : ''}
  action(type="omfile" file="${folder}/messages.jsonl" template="line")
}
input(type="imtcp" address="127.0.0.1" port="${ports.tcp}" ruleset="all")
input(type="imudp" address="127.0.0.1" port="${ports.udp}" ruleset="all")
${
  tls
    ? `input(type="imtcp" address="127.0.0.1" port="${ports.tls}" ruleset="all"
  streamDriver.name="gtls" streamDriver.mode="1" streamDriver.${clients})`
    : ''
}
${relp ? relpInputs(folder, ports, server) : ''}
`;
}

function relpInputs(folder: string, ports: Ports, server: KeyPair): string {
  return `
module(load="imrelp")
input(type="imrelp" address="127.0.0.1" port="${ports.relp}" ruleset="all")
input(type="imrelp" address="127.0.0.1" port="${ports.relpTls}" ruleset="all" tls="on" tls.caCert="${folder}/ca.crt"
  tls.myCert="${server.cert}" tls.myPrivKey="${server.key}" tls.authMode="name" tls.permittedPeer=["${CLIENT_NAME}"])
`;
}

function parse(line: string): RsyslogMessage {
  const { tree, ...fields } = JSON.parse(line) as RsyslogMessage & { tree?: { cef?: { f?: ParsedCef } } };
  return tree ? { ...fields, cef: tree.cef?.f } : fields;
}
