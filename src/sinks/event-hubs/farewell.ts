const HEADER_BYTES = 8;
/** Who only sends hears small frames: one that is announced as larger is nonsense, and would be kept in memory until it ends. */
const MOST_BYTES = 1024 * 1024;
/** `detach`, `end` (of a session), `close`. */
const FAREWELLS: ReadonlySet<number> = new Set([0x16, 0x17, 0x18]);

/**
 * Watches the frames of an AMQP connection for the far end taking its leave, of a link or of all. The SDK hears of it,
 * too, and keeps what is on its way waiting for its time-out all the same.
 *
 * @param onNonsense is called once, for a frame that is larger than any; then nothing more is heard
 * @returns is to be given all bytes of the far end
 * @see https://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-transport-v1.0-os.html
 */
export function watchFarewell(onFarewell: () => void, onNonsense: () => void): (bytes: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  let isOver = false;
  return (bytes) => {
    if (isOver) return;
    rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
    while (rest.length >= HEADER_BYTES) {
      const isPreamble = rest.toString('latin1', 0, 4) === 'AMQP';
      const size = isPreamble ? HEADER_BYTES : Math.max(HEADER_BYTES, rest.readUInt32BE(0));
      if (size > MOST_BYTES) {
        isOver = true;
        rest = Buffer.alloc(0);
        return onNonsense();
      }
      if (rest.length < size) return;
      if (!isPreamble && FAREWELLS.has(performativeOf(rest.subarray(0, size)) ?? 0)) onFarewell();
      rest = rest.subarray(size);
    }
  };
}

/** What a frame is about: the code of the described type that it begins with. */
function performativeOf(frame: Buffer): number | undefined {
  const start = (frame[4] ?? 0) * 4;
  const isAmqp = frame[5] === 0;
  return isAmqp && frame[start] === 0 && frame[start + 1] === 0x53 ? frame[start + 2] : undefined;
}
