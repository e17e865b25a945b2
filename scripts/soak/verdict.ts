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
  /** The journal's file, and its write-ahead log. */
  readonly journalBytes: number;
  readonly logBytes: number;
  /** From the change of an alert to its arrival; `null`: nothing arrived. */
  readonly latencyMs: number | null;
}

export interface Judged {
  readonly what: string;
  readonly unit: 'bytes' | 'count' | 'ms';
  readonly before: number;
  readonly after: number;
  /** Most that `after` may be. */
  readonly most: number;
  readonly isFlat: boolean;
}

const MiB = 2 ** 20;

/** What a garbage collector leaves lying about for a while, what comes and goes with a connection, and a machine that is busy with other things. */
const SLACK = { share: 0.1, bytes: 8 * MiB, count: 3, ms: 5_000 };

/**
 * Compares the first with the last quarter of the time after the warm-up. Memory, files on disk and latency go up and
 * down, so the middle of each quarter counts, and for the heap the least; of open files and timers, which come back, the
 * most.
 */
export function judge(samples: readonly Sample[], warmUpMs: number): Judged[] {
  const warm = samples.filter(({ atMs }) => atMs >= warmUpMs);
  const size = Math.floor(warm.length / 4);
  if (size === 0) throw new Error('too short: too little was looked at after the warm-up');
  const quarters = [warm.slice(0, size), warm.slice(-size)] as const;
  const compare = (
    what: string,
    unit: Judged['unit'],
    of: (quarter: readonly Sample[]) => number,
  ): Judged => {
    const [before, after] = [of(quarters[0]), of(quarters[1])];
    const most = Math.round(
      unit === 'count' ? before + SLACK.count : before * (1 + SLACK.share) + SLACK[unit],
    );
    return { what, unit, before, after, most, isFlat: after <= most };
  };
  const middle = (value: (sample: Sample) => number | null) => (quarter: readonly Sample[]) =>
    median(quarter.map(value).filter((each) => each !== null));
  return [
    compare(
      'resident memory',
      'bytes',
      middle(({ rssBytes }) => rssBytes),
    ),
    compare('heap after collection', 'bytes', (quarter) =>
      Math.min(...quarter.map(({ heapBytes }) => heapBytes)),
    ),
    compare(
      'journal',
      'bytes',
      middle(({ journalBytes }) => journalBytes),
    ),
    compare(
      'write-ahead log',
      'bytes',
      middle(({ logBytes }) => logBytes),
    ),
    compare('open files', 'count', (quarter) => Math.max(...quarter.map(({ files }) => files))),
    compare('timers and handles', 'count', (quarter) => Math.max(...quarter.map(({ active }) => active))),
    compare(
      'latency',
      'ms',
      middle(({ latencyMs }) => latencyMs),
    ),
  ];
}

/** Of nothing: more than anything, for nothing that arrives is not fast. */
function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.POSITIVE_INFINITY;
}
