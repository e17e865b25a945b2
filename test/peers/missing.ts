import { existsSync } from 'node:fs';

/** A real component that tests run against, and what it needs on this machine. */
interface Needs {
  readonly files: readonly string[];
  readonly install: string;
}

const peers = {
  promtool: { files: ['/usr/bin/promtool'], install: 'apt-get install --no-install-recommends prometheus' },
  rsyslog: { files: ['/usr/sbin/rsyslogd'], install: 'apt-get install --no-install-recommends rsyslog' },
} as const satisfies Record<string, Needs>;
export type PeerName = keyof typeof peers;

/** Why tests with this peer are skipped; `undefined` when it is there. */
export function whyMissing(peer: PeerName): string | undefined {
  const { files, install } = peers[peer];
  const absent = files.filter((file) => !existsSync(file));
  return absent.length > 0 ? `${peer} is not installed (no ${absent.join(', ')}): ${install}` : undefined;
}

/** For vitest's `globalSetup`: says at the end of a run which peers were missing, and so which tests were skipped. */
export function teardown(): void {
  for (const peer of Object.keys(peers) as PeerName[]) {
    const reason = whyMissing(peer);
    if (reason) console.log(`skipped: tests against ${reason}`);
  }
}
