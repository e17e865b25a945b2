import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Certificate, makeCertificate } from '../../src/simulator/certificate.ts';

let made: Promise<Certificate> | undefined;

/** A CA and a certificate for `localhost` and `127.0.0.1`: made once in a process, the same for all its servers. */
export function testCertificate(): Promise<Certificate> {
  made ??= makeCertificate(Date.now());
  return made;
}

export interface TestServer {
  /** `https://127.0.0.1:PORT` */
  readonly origin: string;
  /** PEM file of the CA. */
  readonly caFile: string;
  /** Ends the server, its connections and its file. */
  close(): Promise<void>;
}

/** An HTTPS server on loopback, at a port of its own. */
export async function startHttps(listener: RequestListener): Promise<TestServer> {
  const { ca, cert, key } = await testCertificate();
  const folder = mkdtempSync(join(tmpdir(), 'defender-relay-test-'));
  const caFile = join(folder, 'ca.pem');
  writeFileSync(caFile, ca);
  const server = createServer({ cert, key }, listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    caFile,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
