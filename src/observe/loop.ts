import type { Log } from '../core/log.ts';
import { spellDuration } from '../lib/spell.ts';

const LOOK_MS = 1_000;
/** So late, confirmations and time-outs are no longer what they were meant to be. */
const LATE_MS = 2_000;

/**
 * Tells when the event loop stood still: something computed for too long, or the machine gave the process no time.
 *
 * @param steady milliseconds of a clock that nobody sets
 */
export function watchLoop(log: Log, steady: () => number): { close(): void } {
  let last = steady();
  const timer = setInterval(() => {
    const now = steady();
    const lateMs = Math.round(now - last - LOOK_MS);
    last = now;
    if (lateMs < LATE_MS) return;
    log.warn(
      { lateMs },
      `nothing could be done for ${spellDuration(lateMs)}: the process got no time, or was busy with one thing`,
    );
  }, LOOK_MS);
  timer.unref();
  return { close: () => clearInterval(timer) };
}
