import type { Duplex } from 'node:stream';
import { UnavailableError, type UnavailableReason } from '../../core/errors.ts';
import { explain } from './explain.ts';

export interface ConfirmOptions {
  /** For messages. */
  readonly peer: string;
  /** How long the peer must keep still before our FIN; see {@link quietMs}. */
  readonly quietMs: number;
  /** Longest wait for the peer's FIN after ours. */
  readonly timeoutMs: number;
}

type State = 'quiet' | 'looking' | 'closing' | 'waiting' | 'settled';

/**
 * Gets the confirmation of everything that was written to a connection out of TCP itself (S2), and ends the
 * connection with it. Resolves when the peer's process has read every byte; rejects with an UnavailableError
 * when that cannot be known, and the connection is destroyed then. All write callbacks must have come before,
 * nothing may be written after, and the socket must flow and close by itself once both sides have ended.
 *
 * Why it proves something: a receiver that closes its socket with unread data sends RST, not FIN. So a FIN says
 * that its process had read all that had come in *when it closed*. What is left to make sure is that all had come in
 * by then. That holds if the receiver closes because of our FIN, which comes in after our last byte. It need not
 * hold if the receiver closes by itself, with our last bytes still under way; to Node that looks the same.
 *
 * - `quiet`: all is with our kernel, maybe not yet with the peer's. Lasts longer than a round trip, so that a peer
 *   that closed by itself before our last bytes came in is heard of here: by its FIN, or by the RST with which it
 *   answers bytes after its close. Any end of the connection now proves nothing.
 * - `looking`: the timer that ends `quiet` may fire before an event that has long been waiting in the kernel is looked
 *   at, if our process was busy meanwhile. Two turns of the event loop look at all of them. Any end proves nothing.
 * - `closing`: `end()` was called, our FIN is not yet out. Any end still proves nothing.
 * - `waiting`: our FIN is out (`finish`). The peer's FIN (`end`) is the proof. An error, a close without FIN, or the
 *   time-out proves nothing.
 * - `settled`: said one or the other. What happens to the connection after that is not looked at.
 *
 * A FIN that crosses ours counts as proof: it came after `looking`, so from a peer to which all had come in.
 *
 * One gap is left. TCP may hold our last bytes back for longer than `quiet` (a slow reader, a lost segment). A peer
 * that closes by itself within the round trip in which they are still under way, having just read all that it had,
 * sends a FIN that looks like an answer; the RST that follows it comes too late for us to see.
 */
export function confirmByClose(socket: Duplex, options: ConfirmOptions): Promise<void> {
  const { peer, timeoutMs } = options;
  return new Promise((resolve, reject) => {
    let state: State = 'quiet';
    let timer = setTimeout(look, options.quietMs);
    const settle = (failure?: UnavailableError) => {
      state = 'settled';
      clearTimeout(timer);
      socket.off('finish', onFinish).off('end', onEnd).off('error', onError).off('close', onClose);
      if (!failure) return resolve();
      socket.destroy();
      reject(failure);
    };
    const unproven = (reason: UnavailableReason, what: string) =>
      settle(new UnavailableError(`${peer} ${what}; what it has not confirmed is sent again`, { reason }));

    function look() {
      state = 'looking';
      setImmediate(() => setImmediate(close));
    }
    function close() {
      if (state !== 'looking') return;
      state = 'closing';
      timer = setTimeout(onTimeout, timeoutMs);
      socket.end();
    }
    function onFinish() {
      if (state === 'closing') state = 'waiting';
    }
    function onEnd() {
      if (state === 'waiting') settle();
      else unproven('network', 'closed the connection by itself before it was asked to confirm');
    }
    function onError(cause: Error) {
      settle(explain(peer, 'confirming what was sent', cause));
    }
    function onClose() {
      unproven('network', 'is gone: the connection was closed without a confirmation');
    }
    function onTimeout() {
      const advice =
        'Does it read too slowly, or never answer a close? Raise delivery.timeout in the first case';
      unproven('timeout', `has not closed its side within ${timeoutMs} ms after we closed ours. ${advice}`);
    }

    if (!socket.readable || !socket.writable) return onClose();
    socket.on('finish', onFinish).on('end', onEnd).on('error', onError).on('close', onClose);
  });
}

/**
 * How long a peer must keep still before our FIN: more than the round trip that connecting took at least, and
 * enough for what a busy machine may delay.
 */
export function quietMs(connectMs: number): number {
  return Math.max(20, 2 * connectMs);
}
