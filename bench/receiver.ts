/**
 * Reads lines over TCP from whoever connects, counts them, and answers a close. Says its port, and then, each time that
 * as many have come as one of its arguments says, how many they are and when that was. In a process of its own; no
 * line becomes a string.
 *
 * - `--slow BYTES`: reads no more than so many bytes a second.
 * - `--stamps FILE`: writes to it, at the end, when the event of each alert came; as many as the last argument says.
 */
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { parseArgs } from 'node:util';
import { numberIn } from './alerts.ts';
import { preciseNow, Stamps } from './stamps.ts';

/** So much had come at that time. */
export interface Mark {
  readonly events: number;
  readonly bytes: number;
  /** Milliseconds since 1970, to the microsecond. */
  readonly atMs: number;
}

const LINE_FEED = 10;
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { slow: { type: 'string' }, stamps: { type: 'string' } },
});
const marks = positionals.map(Number);
const slow = Number(values.slow ?? Infinity);
const stamps = values.stamps === undefined ? undefined : new Stamps(marks.at(-1)!, values.stamps);
let [events, bytes, next] = [0, 0, 0];

const server = createServer((socket) => {
  let rest = Buffer.alloc(0);
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (stamps) rest = note(rest.length === 0 ? chunk : Buffer.concat([rest, chunk]), stamps);
    else for (let at = chunk.indexOf(LINE_FEED); at >= 0; at = chunk.indexOf(LINE_FEED, at + 1)) events++;
    while (events >= marks[next]!) tell(marks[next++]!);
    if (slow < Infinity) hold(socket, (1000 * chunk.length) / slow);
  });
});

/** Counts and stamps all lines that are whole, and gives the rest. */
function note(text: Buffer, to: Stamps): Buffer<ArrayBuffer> {
  const now = preciseNow();
  let begin = 0;
  for (let end = text.indexOf(LINE_FEED); end >= 0; end = text.indexOf(LINE_FEED, begin)) {
    events++;
    to.note(numberIn(text, begin), now);
    begin = end + 1;
  }
  return Buffer.from(text.subarray(begin));
}

function hold(socket: Socket, ms: number): void {
  socket.pause();
  setTimeout(() => socket.resume(), ms);
}

function tell(mark: number): void {
  const found: Mark = { events: mark, bytes, atMs: preciseNow() };
  console.log(JSON.stringify(found));
}

server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
