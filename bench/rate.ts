import { cpuOf, memoryOf } from '../scripts/watch.ts';
import type { Mark } from './receiver.ts';
import type { Receiver } from './receivers.ts';
import type { Measured } from './scenario.ts';

/** Until here all is warming up. */
const WARM_UP = 0.1;
const PATIENCE_MS = 180_000;

/** The numbers of events that a receiver of so many has to tell. */
export const marksOf = (events: number): number[] => [Math.round(WARM_UP * events), events];

/**
 * How fast somebody gives a receiver its events, and what that costs; from the first mark to the last, so that a
 * start counts for nothing.
 *
 * @param pid the process whose processor time and memory count
 */
export async function rateOf(receiver: Receiver, pid: number): Promise<Measured['figures']> {
  const [begin, end] = [await markWith(receiver, pid), await markWith(receiver, pid)];
  const events = end.events - begin.events;
  return {
    perSecond: (1000 * events) / (end.atMs - begin.atMs),
    cpuMicros: (end.cpuMs - begin.cpuMs) * (1000 / events),
    bytes: memoryOf(pid, 'VmHWM'),
  };
}

async function markWith(receiver: Receiver, pid: number): Promise<Mark & { readonly cpuMs: number }> {
  const mark = await receiver.mark(PATIENCE_MS);
  return { ...mark, cpuMs: cpuOf(pid) };
}
