/** When a file is put aside, and what becomes of it. */
export interface Rotation {
  /** Bytes; not set: however large. */
  readonly maxBytes: number | undefined;
  /** Milliseconds; not set: however old. */
  readonly everyMs: number | undefined;
  /** How many that were put aside are kept. */
  readonly keep: number;
  readonly compress: Compression | undefined;
}

export const compressions = ['gzip', 'zstd'] as const;
export type Compression = (typeof compressions)[number];

/** What is added to the name of a file that was compressed. */
export const SUFFIX: Readonly<Record<Compression, string>> = { gzip: '.gz', zstd: '.zst' };

/** What is added to that while it is being written. */
export const PART = '.part';

/** Of the file as it stands. */
export interface Extent {
  readonly bytes: number;
  /** Last write, milliseconds since 1970. */
  readonly writtenMs: number;
}

/**
 * Is it time to put the file aside before so many bytes more are written? Periods count from 1970 in UTC, and the file's
 * own last write tells which one it belongs to: so a restart changes nothing.
 */
export function isDue(
  { bytes, writtenMs }: Extent,
  more: number,
  rotation: Rotation,
  nowMs: number,
): boolean {
  const { maxBytes, everyMs } = rotation;
  if (bytes === 0) return false;
  if (maxBytes !== undefined && bytes + more > maxBytes) return true;
  return everyMs !== undefined && Math.floor(writtenMs / everyMs) < Math.floor(nowMs / everyMs);
}

/** `20260304T101500.123Z`, so that names sort by time. */
const STAMP = /^\d{8}T\d{6}\.\d{3}Z/;
const SUFFIXES = ['', ...Object.values(SUFFIX), ...Object.values(SUFFIX).map((suffix) => suffix + PART)];

/** One file that was put aside, in all forms it may have at the moment. */
export interface Aside {
  readonly stamp: string;
  /** `''`, `.gz`, `.gz.part` … */
  readonly suffixes: readonly string[];
}

/** Name of a file that was put aside, without suffix. */
export const asideName = (name: string, stamp: string): string => `${name}-${stamp}`;

/** Those of a folder's `entries` that `name` was put aside as, oldest first. */
export function asidesIn(entries: readonly string[], name: string): Aside[] {
  const found = new Map<string, string[]>();
  for (const entry of entries) {
    if (!entry.startsWith(`${name}-`)) continue;
    const rest = entry.slice(name.length + 1);
    const [stamp] = STAMP.exec(rest) ?? [];
    if (stamp === undefined || !SUFFIXES.includes(rest.slice(stamp.length))) continue;
    found.set(stamp, [...(found.get(stamp) ?? []), rest.slice(stamp.length)]);
  }
  return [...found.entries()]
    .map(([stamp, suffixes]) => ({ stamp, suffixes }))
    .sort((a, b) => (a.stamp < b.stamp ? -1 : 1));
}

/** A stamp behind all others, also after the clock was set back: the oldest name is the first to be deleted. */
export function nextStamp(asides: readonly Aside[], nowMs: number): string {
  const last = asides.at(-1)?.stamp;
  const ms = last === undefined ? nowMs : Math.max(nowMs, msOf(last) + 1);
  return new Date(ms).toISOString().replaceAll(/[-:]/g, '');
}

function msOf(stamp: string): number {
  const iso = stamp.replace(/^(\d{4})(\d\d)(\d\dT\d\d)(\d\d)(\d\d\.\d{3}Z)$/, '$1-$2-$3:$4:$5');
  const ms = Date.parse(iso);
  return Number.isNaN(ms) ? 0 : ms;
}
