/** What was found at one moment. */
export interface Sample {
  /** Milliseconds since the start. */
  readonly atMs: number;
  /** Resident memory of the relay. */
  readonly rssBytes: number;
  /** Of it JavaScript's own; the least of some is what garbage collection leaves. */
  readonly heapBytes: number;
  /** Open files and sockets of the relay. */
  readonly files: number;
  /** What keeps its event loop alive: timers, requests, handles. */
  readonly active: number;
}

export interface Judged {
  readonly what: string;
  readonly before: number;
  readonly after: number;
  /** Most that `after` may be. */
  readonly most: number;
  readonly isFlat: boolean;
}

const MiB = 2 ** 20;

/** What a garbage collector leaves lying about for a while, and what comes and goes with a connection. */
const SLACK = { share: 0.1, bytes: 8 * MiB, count: 3 };

/**
 * Compares the first with the second half of the time after the warm-up. Memory goes up and down, so for the resident
 * part the middle of each half counts, and for the heap the least; of files and timers, which come back, the most.
 */
export function judge(samples: readonly Sample[], warmUpMs: number): Judged[] {
  const warm = samples.filter(({ atMs }) => atMs >= warmUpMs);
  const halves = [warm.slice(0, warm.length / 2), warm.slice(warm.length / 2)] as const;
  if (halves[0].length === 0) throw new Error('too short: nothing was looked at after the warm-up');
  const compare = (
    what: string,
    most: (before: number) => number,
    of: (half: readonly Sample[]) => number,
  ) => {
    const [before, after] = [of(halves[0]), of(halves[1])];
    return { what, before, after, most: most(before), isFlat: after <= most(before) };
  };
  const memory = (before: number) => Math.round(before * (1 + SLACK.share) + SLACK.bytes);
  const count = (before: number) => before + SLACK.count;
  return [
    compare('resident memory', memory, (half) => median(half.map(({ rssBytes }) => rssBytes))),
    compare('heap after collection', memory, (half) => Math.min(...half.map(({ heapBytes }) => heapBytes))),
    compare('open files', count, (half) => Math.max(...half.map(({ files }) => files))),
    compare('timers and handles', count, (half) => Math.max(...half.map(({ active }) => active))),
  ];
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
