import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';

/** A connection as rhea takes it, whatever carries its bytes; and one that can be made mute or be cut. */
export interface Line {
  onmessage: ((event: { data: Buffer }) => void) | null;
  onclose: (() => void) | null;
  onerror: ((error: Error) => void) | null;
  send(data: Buffer): void;
  close(): void;
  /** From now on nothing is said, and nothing heard. */
  mute(): void;
  /** Ends it without a word. */
  cut(): void;
}

export function lineOverStream(socket: Duplex): Line {
  const line = newLine(
    (data) => void socket.write(data),
    () => void socket.end(),
    () => void (socket as Socket).destroy(),
  );
  socket.on('data', (data: Buffer) => line.heard(data));
  socket.on('end', () => line.ended());
  socket.on('close', () => line.ended());
  socket.on('error', () => {});
  return line;
}

export function lineOverWebSocket(socket: WebSocket): Line {
  const line = newLine(
    (data) => socket.send(data),
    () => socket.close(),
    () => socket.terminate(),
  );
  socket.on('message', (data: Buffer) => line.heard(data));
  socket.on('close', () => line.ended());
  socket.on('error', () => {});
  return line;
}

function newLine(write: (data: Buffer) => void, close: () => void, cut: () => void) {
  let isMute = false;
  let isOver = false;
  const line = {
    onmessage: null as Line['onmessage'],
    onclose: null as Line['onclose'],
    onerror: null as Line['onerror'],
    send(data: Buffer) {
      if (!isMute && !isOver) write(data);
    },
    close() {
      if (!isMute) close();
    },
    mute() {
      isMute = true;
    },
    cut,
    heard(data: Buffer) {
      if (!isMute) line.onmessage?.({ data });
    },
    ended() {
      if (isOver) return;
      isOver = true;
      line.onclose?.();
    },
  };
  return line;
}
