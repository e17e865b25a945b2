/**
 * Reads lines over TCP from whoever connects, counts them, and answers a close. Says its port, and then, each time that
 * as many have come as one of its arguments says, how many they are and when that was. In a process of its own; no
 * line becomes a string.
 */

import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';

/** So much had come at that time. */
export interface Mark {
  readonly events: number;
  readonly bytes: number;
  /** Milliseconds since 1970, to the microsecond. */
  readonly atMs: number;
}

const LINE_FEED = 10;
const marks = process.argv.slice(2).map(Number);
let [events, bytes, next] = [0, 0, 0];

const server = createServer((socket) => {
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    for (let at = chunk.indexOf(LINE_FEED); at >= 0; at = chunk.indexOf(LINE_FEED, at + 1)) events++;
    while (events >= marks[next]!) tell(marks[next++]!);
  });
});

function tell(mark: number): void {
  const found: Mark = { events: mark, bytes, atMs: performance.timeOrigin + performance.now() };
  console.log(JSON.stringify(found));
}

server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
