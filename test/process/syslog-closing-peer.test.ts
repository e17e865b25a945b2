import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { Receipt, Sink } from '../../src/core/sink.ts';
import { Closers } from '../../src/lib/closers.ts';
import { frame } from '../../src/sinks/syslog/frame.ts';
import { rendered } from '../contracts/sink.contract.ts';
import { testCertificates } from '../support/certificates.ts';
import { startClosingPeer } from '../support/closing-peer.ts';
import { sinkTo } from './delivering-to.ts';

/** `npm run test:long` makes 1,000. */
const TRIES = Number(process.env.SYSLOG_TRIES ?? 60);

const CLOSES_AFTER_MS = 6;
const BUSY_MS = 50;
const never = new AbortController().signal;
const first = rendered(20);
const small = rendered(20, 21);
/** More than comes in with one read. */
const large = rendered(20, 21, (number) => `event ${number} `.padEnd(8000, 'x'));

let closers: Closers;
afterEach(() => closers.close());

function busy(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

/** When our event loop stops for a while, after the last write was asked for. */
const stops = [
  // Before a turn of it: what was written is with the kernel, and the peer's FIN waits there without a look at it.
  async () => {
    for (let hop = 0; hop < 50; hop++) await undefined;
    await new Promise(process.nextTick);
    for (let hop = 0; hop < 50; hop++) await undefined;
  },
  // As soon as the quiet time has begun, and in the middle of it.
  () => new Promise(setImmediate),
  () => sleep(10),
];

/** Sends two batches with a pause between, and says whether all of it is confirmed. */
async function deliver(sink: Sink, last: typeof small, pauseMs: number, stop: () => Promise<unknown>) {
  try {
    await sink.open(never);
    const receipts: Receipt[] = [await sink.send(first, never)];
    busy(pauseMs);
    const confirming = sink.send(last, never).then((receipt) => {
      receipts.push(receipt);
      return sink.confirm(never);
    });
    // Looked at below.
    confirming.catch(() => {});
    await stop();
    busy(BUSY_MS);
    await confirming;
    await Promise.all(receipts.map(({ confirmed }) => confirmed));
    return true;
  } catch {
    return false;
  } finally {
    await sink.close();
  }
}

describe.each(['tcp', 'TLSv1.2', 'TLSv1.3'] as const)('a receiver over %s', (version) => {
  it(
    `S1: that closes by itself around our last write is never taken for one that has read all: ${TRIES} tries`,
    async () => {
      closers = new Closers();
      const isTls = version !== 'tcp';
      const { server } = await testCertificates();
      const tls = { ...server.good, minVersion: version, maxVersion: version };
      const peer = await startClosingPeer(isTls ? (tls as object) : undefined);
      closers.add('peer', { close: () => peer.stop() });
      const sink = await sinkTo({ host: '127.0.0.1', port: peer.port }, { isTls });
      const bytesOf = (batch: typeof small) =>
        frame(
          batch.flatMap((one) => sink.messages(one)),
          'lf',
        ).length;

      const found = { confirmed: 0, unconfirmed: 0, 'falsely confirmed': 0 };
      for (let attempt = 0; attempt < TRIES; attempt++) {
        const stop = stops[Math.floor(attempt / 3) % stops.length]!;
        // From 0 to 1 in all tries.
        const part = Math.floor(attempt / 9) / Math.ceil(TRIES / 9);
        const last = attempt % 3 === 1 ? large : small;
        let pauseMs = 0;
        if (attempt % 3 === 0) {
          // Some time before our last write until some time after it.
          peer.closeAfter(CLOSES_AFTER_MS);
          pauseMs = 2 + 10 * part;
        } else if (attempt % 3 === 1) {
          // With any part of it read.
          peer.closeAt(bytesOf(first) + Math.ceil(part * bytesOf(last)));
        } else {
          // Some time before we close until some time after it.
          peer.closeAfter(BUSY_MS + 60 * part);
        }
        const isConfirmed = await deliver(sink, last, pauseMs, stop);
        const isRead = (await peer.read(attempt)) === bytesOf([...first, ...last]);
        if (!isConfirmed) found.unconfirmed += 1;
        else found[isRead ? 'confirmed' : 'falsely confirmed'] += 1;
      }
      console.log(`${version}, closing by itself:`, found);
      expect(found['falsely confirmed']).toBe(0);
      expect(found.confirmed).toBeGreaterThan(0);
      expect(found.unconfirmed).toBeGreaterThan(TRIES / 3);
    },
    30_000 + TRIES * 500,
  );
});
