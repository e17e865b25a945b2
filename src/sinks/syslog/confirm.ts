import { UnavailableError, type UnavailableReason } from '../../core/errors.ts';
import type { Acknowledgement, FourTuple } from './acknowledged.ts';
import type { Connection, Happening } from './connection.ts';

/**
 * - `quiet`: all is with our kernel, maybe not yet with the peer's. Lasts longer than a round trip, so that a peer
 *   that closed by itself before our last bytes came in is heard of here: by its FIN, or by the RST with which it
 *   answers bytes after its close. Any end of the connection now proves nothing.
 * - `looking`: the timer that ends `quiet` may fire before an event that has long been waiting in the kernel is looked
 *   at, if our process was busy meanwhile. Two turns of the event loop look at all of them. Any end proves nothing.
 * - `draining`: the kernel is asked, where it can be, whether all is acknowledged: the network may hold our last bytes
 *   back for longer than `quiet` (a slow reader, a lost segment). Any end proves nothing.
 * - `closing`: we have closed; our end mark (FIN, with TLS the `close_notify` before it) is not yet out. Any end proves
 *   nothing.
 * - `waiting`: it is out. The peer's FIN is the proof. Its `close_notify` (TLS) is not: a program can send one with our
 *   data unread, and resets the connection only after that (seen with Node, TLS 1.2 and 1.3).
 * - `proved`, `unproved`: for good; what happens to the connection after that is not looked at.
 */
export type State = 'quiet' | 'looking' | 'draining' | 'closing' | 'waiting' | 'proved' | 'unproved';

/** What drives it: the connection, the clock, the event loop, the kernel. */
export type Event = Happening | 'quiet-over' | 'looked' | 'time-up' | Acknowledgement;

const ENDS = {
  goodbye: 'unproved',
  'their-fin': 'unproved',
  error: 'unproved',
  gone: 'unproved',
  'time-up': 'unproved',
} as const;

const steps: Readonly<Record<State, Partial<Readonly<Record<Event, State>>>>> = {
  quiet: { ...ENDS, 'quiet-over': 'looking' },
  looking: { ...ENDS, looked: 'draining' },
  draining: { ...ENDS, acknowledged: 'closing', unknown: 'closing', ended: 'unproved' },
  closing: { ...ENDS, 'our-fin': 'waiting' },
  waiting: { ...ENDS, goodbye: 'waiting', 'their-fin': 'proved' },
  proved: {},
  unproved: {},
};

/** The state after an event. Pure, and all there is to say about what proves what. */
export function step(state: State, event: Event): State {
  return steps[state][event] ?? state;
}

export interface ConfirmOptions {
  /** How long the peer must keep still before our FIN; see {@link quietMs}. */
  readonly quietMs: number;
  /**
   * Longest time for all that comes after the quiet time: on a slow line that may be the longer one. Without one it
   * lasts as long as the connection.
   */
  readonly timeoutMs?: number;
  /** What may lie behind a close that nobody asked for; to be said with it. */
  readonly hint?: string;
  /** Waits until the peer's kernel has acknowledged all, and says whether it has. */
  readonly acknowledged: (tuple: FourTuple, signal: AbortSignal) => Promise<Acknowledgement>;
}

/**
 * Gets the confirmation of everything that was written to a connection out of TCP itself (S2), and ends the
 * connection with it. Resolves when the peer's process has read every byte; rejects with an UnavailableError
 * when that cannot be known, and the connection is destroyed then. All writes must have resolved before, and
 * nothing may be written after.
 *
 * Why it proves something: a receiver that closes its socket with unread data sends RST, not FIN. So a FIN says
 * that its process had read all that had come in *when it closed*. What is left to make sure is that all had come in
 * by then. That holds if the receiver closes because of our FIN, which comes in after our last byte. It need not
 * hold if the receiver closes by itself, with our last bytes still under way; that is what the states are for. Bytes
 * that its kernel has acknowledged had come in: after a close it answers with RST. So once all is acknowledged any
 * FIN without a reset is a proof, also one that crosses ours. All of that is about a receiver that closes its socket:
 * one that ends only its own side (`shutdown(SHUT_WR)`) after ours, and reads on or not, proves nothing, and cannot be
 * told from one that closes.
 */
export function confirmByClose(connection: Connection, options: ConfirmOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    let state: State = 'quiet';
    const over = new AbortController();
    const on = (event: Event, cause?: unknown) => {
      const before = state;
      const now = step(before, event);
      if (now === before) return;
      state = now;
      if (now === 'looking') setImmediate(() => setImmediate(() => on('looked')));
      if (now === 'draining') drain();
      if (now === 'closing') connection.halfClose();
      if (now === 'proved') settle();
      if (now === 'unproved') settle(whyUnproved(connection, options, before, event, cause));
    };
    const drain = () => {
      if (!connection.tuple) return on('unknown');
      // It rejects only when all is over.
      options.acknowledged(connection.tuple, over.signal).then(on, () => {});
    };
    const settle = (failure?: UnavailableError) => {
      clearTimeout(quiet);
      clearTimeout(timeUp);
      unlisten();
      over.abort();
      if (!failure) return resolve();
      connection.destroy();
      reject(failure);
    };

    const unlisten = connection.listen(on);
    const quiet = setTimeout(() => on('quiet-over'), options.quietMs);
    const timeUp =
      options.timeoutMs === undefined
        ? undefined
        : setTimeout(() => on('time-up'), options.quietMs + options.timeoutMs);
    if (!connection.isAlive()) on('gone');
  });
}

function whyUnproved(
  connection: Connection,
  options: ConfirmOptions,
  state: State,
  event: Event,
  cause: unknown,
): UnavailableError {
  if (event === 'error') return connection.explain('confirming what was sent', cause);
  const because = (reason: UnavailableReason, what: string) =>
    new UnavailableError(`${connection.host.name} ${what}; what it has not confirmed is sent again`, {
      reason,
    });
  if (event === 'gone')
    return because(
      'network',
      `is gone: the connection was closed without a confirmation${connection.suspicion}`,
    );
  if (event !== 'time-up')
    return because(
      'network',
      `closed the connection by itself before it was asked to confirm${options.hint ?? ''}`,
    );
  const what = state === 'waiting' ? 'closed its side after we closed ours' : 'taken what it was sent';
  const advice = 'Does it read too slowly, or never answer a close? Raise delivery.timeout in the first case';
  return because('timeout', `has not ${what} within the time-out. ${advice}`);
}

/**
 * How long a peer must keep still before our FIN: more than the round trip that connecting took at least, and
 * enough for what a busy machine may delay.
 */
export function quietMs(connectMs: number): number {
  return Math.max(20, 2 * connectMs);
}
