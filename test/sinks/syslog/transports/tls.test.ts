import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer as createTcpServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createServer, type TLSSocket, type TlsOptions } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UnavailableError } from '../../../../src/core/errors.ts';
import type { Sink } from '../../../../src/core/sink.ts';
import { Closers } from '../../../../src/lib/closers.ts';
import { isAbort } from '../../../../src/lib/wait.ts';
import { TlsClient, tlsSchema } from '../../../../src/net/tls.ts';
import { hostOf } from '../../../../src/sinks/syslog/hosts.ts';
import { syslog } from '../../../../src/sinks/syslog/index.ts';
import { overTls } from '../../../../src/sinks/syslog/transports/tls.ts';
import { rendered } from '../../../contracts/sink.contract.ts';
import {
  type Flavour,
  type TestCertificates,
  testCertificates,
  weakCertificate,
  writeKeyPair,
} from '../../../support/certificates.ts';

const never = new AbortController().signal;
const versions = ['TLSv1.2', 'TLSv1.3'] as const;

describe('a syslog sink over TLS', () => {
  let closers: Closers;
  let folder: string;
  let certificates: TestCertificates;
  let ca: string;
  let said: string[];

  const tell = (_: object, message: string) => void said.push(message);
  const log = { debug() {}, info: tell, warn: tell, error() {} };

  beforeEach(async () => {
    closers = new Closers();
    folder = mkdtempSync(join(tmpdir(), 'syslog-tls-'));
    certificates = await testCertificates();
    ca = file('ca.crt', certificates.ca);
    said = [];
  });
  afterEach(async () => {
    await closers.close();
    rmSync(folder, { recursive: true, force: true });
  });

  function file(name: string, text: string): string {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  }

  async function listen<S extends Server>(server: S): Promise<number> {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    return typeof address === 'object' && address ? address.port : 0;
  }

  /** A receiver that does with its connections what `script` says. */
  async function receiver(
    options: TlsOptions,
    script: (socket: TLSSocket) => void = (socket) => socket.resume(),
  ) {
    const sockets = new Set<TLSSocket>();
    const server = createServer({ ...certificates.server.good, ...options }, (socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      script(socket);
    });
    server.on('tlsClientError', () => {});
    closers.add('receiver', {
      close: async () => {
        for (const socket of sockets) socket.destroy();
        await new Promise((resolve) => server.close(resolve));
      },
    });
    return listen(server);
  }

  function aSink(port: number, tls: object, timeoutMs = 10_000): Sink {
    const settings = { type: 'syslog', transport: 'tls', host: 'localhost', port, tls };
    return closers.add(
      'sink',
      syslog.create(syslog.schema.parse(settings), { name: 'siem', log, timeoutMs }),
    );
  }

  const delivers = async (sink: Sink, from = 1) => {
    await sink.open(never);
    const { confirmed } = await sink.send(rendered(3, from), never);
    await sink.confirm(never);
    return confirmed;
  };
  /** On a busy machine a receiver may look at our certificate only once we are connected (S17). */
  const failure = (sink: Sink) =>
    delivers(sink).then(
      () => 'delivered',
      (error: unknown) => {
        expect(error).toBeInstanceOf(UnavailableError);
        expect((error as UnavailableError).reason).toMatch(/auth|network/);
        return String(error);
      },
    );

  const refusals: [Flavour, RegExp][] = [
    ['expired', /its certificate has expired/],
    ['notYetValid', /its certificate is not valid yet/],
    ['otherName', /is for another name: for DNS:other\.example, not for localhost.*tls\.serverName/],
    ['otherCa', /comes from a CA that is not trusted here.*tls\.ca/],
    ['selfSigned', /has signed its certificate itself.*tls\.fingerprint/],
  ];
  it.each(refusals)(
    'does not trust a receiver whose certificate is %s, and says why',
    async (flavour, why) => {
      const port = await receiver(certificates.server[flavour]);
      const told = await failure(aSink(port, { ca }));
      expect(told).toMatch(why);
      expect(told).toContain(`localhost:${port}`);
    },
  );

  it('finds a receiver of another name by `serverName`', async () => {
    const port = await receiver(certificates.server.otherName);
    expect(await delivers(aSink(port, { ca, serverName: 'other.example' }))).toEqual({ refused: [] });
  });

  it('trusts a pinned certificate, whoever has signed it, and no other', async () => {
    const { selfSigned, good } = certificates.server;
    const port = await receiver(selfSigned);
    const fingerprint = new X509Certificate(selfSigned.cert).fingerprint256;
    expect(await delivers(aSink(port, { fingerprint }))).toEqual({ refused: [] });
    const lower = `sha256:${fingerprint.replaceAll(':', '').toLowerCase()}`;
    expect(await delivers(aSink(port, { fingerprint: `${'0'.repeat(64)}, ${lower}` }))).toEqual({
      refused: [],
    });
    const other = new X509Certificate(good.cert).fingerprint256;
    expect(await failure(aSink(port, { fingerprint: other }))).toContain(`its fingerprint is ${fingerprint}`);
  });

  it('wants both, with a CA and a fingerprint', async () => {
    const { good, otherCa } = certificates.server;
    const port = await receiver(good);
    const pin = (pair: { cert: string }) => new X509Certificate(pair.cert).fingerprint256;
    expect(await delivers(aSink(port, { ca, fingerprint: pin(good) }))).toEqual({ refused: [] });
    expect(await failure(aSink(port, { ca, fingerprint: pin(otherCa) }))).toContain(
      'not the one that is pinned',
    );
    const stranger = await receiver(otherCa);
    expect(await failure(aSink(stranger, { ca, fingerprint: pin(otherCa) }))).toContain('not trusted here');
  });

  it('trusts anybody only when told so, and warns', async () => {
    const port = await receiver(certificates.server.selfSigned);
    expect(await delivers(aSink(port, { insecure: true }))).toEqual({ refused: [] });
    expect(said.filter((message) => message.includes('tls.insecure'))).toHaveLength(1);
  });

  it('does not speak a version below `minVersion`', async () => {
    const port = await receiver({ maxVersion: 'TLSv1.2' });
    expect(await delivers(aSink(port, { ca }))).toEqual({ refused: [] });
    expect(await failure(aSink(port, { ca, minVersion: '1.3' }))).toContain('tls.minVersion');
  });

  describe.each(versions)('with %s', (version) => {
    const only = { minVersion: version, maxVersion: version };
    const clients = () => ({ ...only, requestCert: true, rejectUnauthorized: true, ca: certificates.ca });

    it('shows its own certificate', async () => {
      const port = await receiver(clients());
      const pair = writeKeyPair(folder, 'client', certificates.client.good);
      expect(await delivers(aSink(port, { ca, ...pair }))).toEqual({ refused: [] });
    });

    it('S17: says that the receiver wants a certificate', async () => {
      const port = await receiver(clients());
      expect(await failure(aSink(port, { ca }))).toMatch(/certificate of the relay.*tls\.cert/);
    });

    it.each(['otherCa', 'expired', 'selfSigned'] as const)(
      'S17: says that the receiver does not take its certificate (%s)',
      async (flavour) => {
        const port = await receiver(clients());
        const pair = writeKeyPair(folder, 'client', certificates.client[flavour]);
        expect(await failure(aSink(port, { ca, ...pair }))).toMatch(/not take the relay’s certificate/);
      },
    );

    it('S17: nothing counts that a receiver refuses some time after the handshake', async () => {
      const port = await receiver(only, (socket) => void setTimeout(() => socket.destroy(), 60));
      const sink = aSink(port, { ca });
      await sink.open(never);
      const { confirmed } = await sink.send(rendered(1), never);
      const outcome = expect(confirmed).rejects.toThrow(UnavailableError);
      await sleep(80);
      await sink.confirm(never).catch(() => {});
      await outcome;
    });

    it('S17: says what a receiver may mean that resets the connection some time after the handshake', async () => {
      // As a busy one does: what it had to say is lost behind the reset.
      const { promise: secured, resolve } = Promise.withResolvers<void>();
      const port = await receiver(only, (socket) => {
        socket.resume();
        setTimeout(resolve, 100);
      });
      const front = createTcpServer((client) => {
        const behind = connect(port, '127.0.0.1');
        client
          .on('error', () => {})
          .pipe(behind)
          .on('error', () => {})
          .pipe(client);
        void secured.then(() => client.resetAndDestroy());
      });
      closers.add('front', { close: async () => void front.close() });
      const sink = aSink(await listen(front), { ca });
      await sink.open(never);
      const { confirmed } = await sink.send(rendered(1), never);
      await expect(confirmed).rejects.toThrow(/reset .*it probably wants a certificate of the relay/);
    });

    it('S1: is not confirmed by a goodbye of TLS with our data unread: the reset comes after it', async () => {
      // Says goodbye after ours, as a program that is being stopped does, and has read nothing.
      const port = await receiver({ ...only, allowHalfOpen: true }, (socket) => {
        socket.pause();
        setTimeout(() => {
          socket.end();
          setTimeout(() => socket.destroy(), 30);
        }, 200);
      });
      const sink = aSink(port, { ca });
      await sink.open(never);
      const { confirmed } = await sink.send(
        rendered(100, 1, () => 'x'.repeat(1500)),
        never,
      );
      await expect(sink.confirm(never)).rejects.toThrow(UnavailableError);
      await expect(confirmed).rejects.toThrow('sent again');
    });

    it('is confirmed by one that answers our goodbye at once, while our event loop is busy', async () => {
      const port = await receiver(only, (socket) => void socket.resume());
      const sink = aSink(port, { ca });
      for (let round = 0; round < 5; round++) {
        await sink.open(never);
        const { confirmed } = await sink.send(rendered(2, 2 * round + 1), never);
        await sink.confirm(never);
        expect(await confirmed).toEqual({ refused: [] });
      }
    });
  });

  it('S3: a handshake that never ends does, by its time-out and by the signal', async () => {
    const server = createTcpServer((socket) => void socket.on('error', () => {}).resume());
    closers.add('mute', { close: () => new Promise<void>((resolve) => void server.close(() => resolve())) });
    const port = await listen(server);
    const told = await aSink(port, { ca }, 150)
      .open(never)
      .catch((error: unknown) => error);
    expect(told).toMatchObject({ reason: 'timeout' });
    expect(String(told)).toContain('no end of the TLS handshake');
    const stop = new AbortController();
    const opening = aSink(port, { ca }).open(stop.signal);
    await sleep(30);
    stop.abort();
    await expect(opening).rejects.toSatisfy(isAbort);
  });

  it('says that a port does not speak TLS', async () => {
    const server = createTcpServer(
      (socket) =>
        void socket
          .on('error', () => {})
          .resume()
          .end('220 hello\r\n'),
    );
    closers.add('plain', { close: () => new Promise<void>((resolve) => void server.close(() => resolve())) });
    expect(await failure(aSink(await listen(server), { ca }))).toContain('does not speak TLS');
  });

  it.each(['otherCa', 'weak', 'refused'] as const)(
    'S3: memory and sockets do not grow while a bad certificate is tried again and again (%s)',
    async (flavour) => {
      const port = await receiver(flavour === 'otherCa' ? certificates.server.otherCa : {});
      const weak = flavour === 'weak' ? writeKeyPair(folder, 'weak', await weakCertificate()) : {};
      const client = new TlsClient(tlsSchema.parse({ ca, ...weak }), log);
      // What OpenSSL has against it may show only once the socket is there.
      if (flavour === 'refused') client.options = () => ({ cert: 'none' });
      const connect = overTls(client, 'lf', 10_000);
      for (let attempt = 0; attempt < 50; attempt++)
        await expect(connect(hostOf('127.0.0.1', port), never)).rejects.toThrow(UnavailableError);
      const open = () => process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length;
      await expect.poll(open).toBeLessThan(5);
    },
  );

  it('says of its own certificate that TLS does not allow it', async () => {
    const port = await receiver({});
    const pair = writeKeyPair(folder, 'weak', await weakCertificate());
    expect(await failure(aSink(port, { ca, ...pair }))).toContain(
      `tls.cert: file ${pair.cert} has a certificate that TLS does not allow here: its key is too small`,
    );
    writeKeyPair(folder, 'weak', certificates.client.good);
    expect(await delivers(aSink(port, { ca, ...pair }))).toEqual({ refused: [] });
  });

  it('reads its files again for each connection, and keeps the older ones while they are not good', async () => {
    const port = await receiver({ requestCert: true, rejectUnauthorized: true, ca: certificates.ca });
    const pair = writeKeyPair(folder, 'client', certificates.client.otherCa);
    const sink = aSink(port, { ca, ...pair });
    expect(await failure(sink)).toContain('not take the relay’s certificate');
    writeKeyPair(folder, 'client', certificates.client.good);
    expect(await delivers(sink)).toEqual({ refused: [] });
    writeFileSync(pair.key, certificates.client.good.key.slice(0, 80));
    expect(await delivers(sink, 4)).toEqual({ refused: [] });
    expect(said).toContainEqual(
      expect.stringContaining(`tls.key: file ${pair.key} has a private key that is damaged`),
    );
    writeKeyPair(folder, 'client', certificates.client.good);
    expect(await delivers(sink, 7)).toEqual({ refused: [] });
    expect(said).toContainEqual('the TLS files can be used again');
  });

  it('S11: never says what is in its files', async () => {
    const port = await receiver({});
    const key = file('broken.key', 'SECRET-TEXT');
    const cert = file('client.crt', certificates.client.good.cert);
    const told = await failure(aSink(port, { ca, cert, key }));
    expect(told).toContain(`tls.key: file ${key} has no private key`);
    expect(told).not.toContain('SECRET-TEXT');
  });
});
