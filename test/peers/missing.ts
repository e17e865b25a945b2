import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmdirSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeNamespace } from '../support/namespace.ts';
import { type Image, reasonsAgainst } from './engine.ts';

/** A real component that tests run against, and what it needs on this machine. */
interface Needs {
  readonly files: readonly string[];
  readonly install: string;
  /** Where it is not installed, a container of this image does. */
  readonly image?: Image;
  /** Throws when it does not work here, though it is installed. */
  readonly probe?: () => void;
}

const user = process.getuid?.();

/** Not installed but unpacked: its package and rsyslog's exclude each other. */
export const SYSLOG_NG = join(tmpdir(), `defender-relay-peers-${user}`, 'syslog-ng/run');

const debian = `${{ x64: 'x86_64', arm64: 'aarch64' }[process.arch as string] ?? process.arch}-linux-gnu`;
const install = (packages: string) => `apt-get install --no-install-recommends ${packages}`;

const peers = {
  promtool: { files: ['/usr/bin/promtool'], install: install('prometheus') },
  prometheus: { files: ['/usr/bin/prometheus', '/usr/bin/promtool'], install: install('prometheus') },
  strace: { files: ['/usr/bin/strace'], install: install('strace'), probe: traceOne },
  rsyslog: { files: ['/usr/sbin/rsyslogd'], install: install('rsyslog'), image: 'rsyslog' },
  'rsyslog-gnutls': {
    image: 'rsyslog',
    files: ['/usr/sbin/rsyslogd', `/usr/lib/${debian}/rsyslog/lmnsd_gtls.so`],
    install: install('rsyslog rsyslog-gnutls'),
  },
  'rsyslog-relp': {
    image: 'rsyslog',
    files: ['/usr/sbin/rsyslogd', `/usr/lib/${debian}/rsyslog/imrelp.so`],
    install: install('rsyslog rsyslog-relp'),
  },
  lognormalizer: { files: ['/usr/bin/lognormalizer'], install: install('liblognorm-utils') },
  'syslog-ng': { files: [SYSLOG_NG], install: 'scripts/fetch-syslog-ng.sh', image: 'syslog-ng' },
  // There are images of it and nothing else.
  'the Event Hubs emulator': { files: [], install: '', image: 'event-hubs-emulator' },
  buildah: { files: ['/usr/bin/buildah'], install: install('buildah'), probe: mustBeRoot },
  'docker-compose': { files: ['/usr/bin/docker-compose'], install: install('docker-compose') },
  systemd: {
    // Python takes what systemd-notify says: Node has no sockets of that kind.
    files: ['/usr/bin/systemd-analyze', '/usr/bin/systemd-notify', '/usr/bin/python3'],
    install: install('systemd python3'),
  },
  logrotate: { files: ['/usr/sbin/logrotate'], install: install('logrotate') },
  // Tests mount small file systems, and do things as another user.
  'file systems of their own': {
    files: ['/usr/bin/mount', '/usr/bin/setpriv'],
    install: install('mount util-linux'),
    probe: mountOne,
  },
  'network namespaces': {
    files: ['/usr/sbin/ip', '/usr/sbin/iptables'],
    install: install('iproute2 iptables'),
    probe: () => makeNamespace().close(),
  },
} as const satisfies Record<string, Needs>;
export type PeerName = keyof typeof peers;

/** Set by `setup` for the tests of a run: for each image why it cannot be run, as JSON. */
const NO_CONTAINER = 'DEFENDER_RELAY_NO_CONTAINER';
/** `TEST_PEERS=containers`: what can be run in a container is, also where it is installed. */
const isContained = process.env.TEST_PEERS === 'containers';

/** A container may forbid it. */
function traceOne(): void {
  execFileSync('strace', ['-D', '-qq', '-o', '/dev/null', '-e', 'inject=fsync:error=EIO:when=1', 'true'], {
    stdio: 'pipe',
  });
}

function mountOne(): void {
  mustBeRoot();
  const folder = mkdtempSync(join(tmpdir(), 'defender-relay-test-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder], { stdio: 'pipe' });
    execFileSync('umount', [folder]);
  } finally {
    rmdirSync(folder);
  }
}

function mustBeRoot(): void {
  if (user !== 0) throw new Error('it is for root only, and you are somebody else');
}

/** Why tests with this peer are skipped; `undefined` when it is there. */
export function whyMissing(peer: PeerName): string | undefined {
  const needs: Needs = peers[peer];
  const absent = absentOf(needs);
  const notInstalled =
    absent.length > 0 ? `it is not installed (no ${absent.join(', ')}): ${needs.install}` : undefined;
  if (wayTo(peer) === 'container') {
    const reasons = JSON.parse(process.env[NO_CONTAINER] ?? '{}') as Record<string, string | undefined>;
    const reason = reasons[needs.image!] ?? 'nobody has looked for a container engine';
    if (reason === '') return undefined;
    return [peer, notInstalled, reason].filter((part) => part !== undefined).join(': ');
  }
  if (notInstalled) return `${peer}: ${notInstalled}`;
  try {
    needs.probe?.();
    return undefined;
  } catch (error) {
    return `${peer}: it does not work here: ${error instanceof Error ? error.message.trim() : error}`;
  }
}

/** How tests start it, where it is not missing. */
export function wayTo(peer: PeerName): 'process' | 'container' {
  const needs: Needs = peers[peer];
  const isElsewhere = isContained || needs.files.length === 0 || absentOf(needs).length > 0;
  return needs.image && isElsewhere ? 'container' : 'process';
}

function absentOf({ files }: Needs): string[] {
  return files.filter((file) => !existsSync(file) || !mayRun(file));
}

/** What somebody else has put into a temporary folder is none of our peers. */
function mayRun(file: string): boolean {
  const { uid } = statSync(file);
  return uid === 0 || uid === user;
}

/** For vitest's `globalSetup`: what takes a while to find out, once for all tests. */
export async function setup(): Promise<void> {
  const contained = (Object.keys(peers) as PeerName[]).filter((peer) => wayTo(peer) === 'container');
  const images = new Set(contained.flatMap((peer) => (peers[peer] as Needs).image ?? []));
  process.env[NO_CONTAINER] = JSON.stringify(await reasonsAgainst([...images]));
}

/** For vitest's `globalSetup`: says at the end of a run which peers were missing, and so which tests were skipped. */
export function teardown(): void {
  for (const peer of Object.keys(peers) as PeerName[]) {
    const reason = whyMissing(peer);
    if (reason) console.log(`skipped: tests against ${reason}`);
  }
}
