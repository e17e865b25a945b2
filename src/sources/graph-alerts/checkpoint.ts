/**
 * Where reading goes on from. Times are ticks, or milliseconds of the server's clock, never of our own (R4).
 */
export interface Checkpoint {
  /** Older alerts are not wanted: `startFrom`, as it was worked out at the first start ever. */
  readonly start: bigint;
  /** Up to here everything that was visible has been read, but for what the open ranges still have to read. */
  readonly watermark: bigint;
  /** When the last whole reading of each kind began. */
  readonly readAt: Readonly<Record<LateKind, number>>;
  /** Readings that have begun and not come to their end, each of another kind. */
  readonly open: readonly Range[];
  /** What could not be read and was set aside; it is tried again (R5). */
  readonly unreadable: readonly Unreadable[];
}

/** Readings of what became visible late: every half `overlap`, and every `sweep.every` (R2). */
export const lateKinds = ['overlap', 'sweep'] as const;
export type LateKind = (typeof lateKinds)[number];
export type RangeKind = LateKind | 'backfill';

/** A reading in closed windows, oldest first: what is updated before `from` has been read. */
export interface Range extends Span {
  readonly kind: RangeKind;
  /** When it began. */
  readonly begun: number;
}

/** Alerts that cannot be read: of one time, or of all times from one to another. */
export interface Unreadable extends Span {
  /** When it is tried again. */
  readonly retryAt: number;
}

/** Times from `from` until before `to`; ticks. */
export interface Span {
  readonly from: bigint;
  readonly to: bigint;
}

const VERSION = 3;
/** What was set aside was always one time then, `at`. */
const VERSION_OF_TICKS = 2;

/** Before the first reading ever: the poll begins at the server's `now`, and a backfill reads from `start` to there. */
export function firstCheckpoint(startTicks: bigint, nowTicks: bigint, nowMs: number): Checkpoint {
  // `startFrom` may name a year 0; ticks begin with year 1, and so does all that a filter can ask for.
  const start = startTicks > 0n ? startTicks : 0n;
  const backfill: Range = { kind: 'backfill', from: start, to: nowTicks, begun: nowMs };
  return {
    start,
    watermark: start > nowTicks ? start : nowTicks,
    readAt: { overlap: nowMs, sweep: nowMs },
    open: start < nowTicks ? [backfill] : [],
    unreadable: [],
  };
}

/** A checkpoint as the journal keeps it. */
export function formatCheckpoint(checkpoint: Checkpoint): string {
  const text = (_key: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value);
  return JSON.stringify({ version: VERSION, ...checkpoint }, text);
}

/**
 * A checkpoint that {@link formatCheckpoint} wrote. One that cannot be read is not a first start: taking it for
 * one would skip or repeat in silence.
 *
 * @throws {Error} what is wrong with it
 */
export function parseCheckpoint(text: string): Checkpoint {
  const fields = objectOf(JSON.parse(text), 'it');
  const { version } = fields;
  if (version !== VERSION && version !== VERSION_OF_TICKS) {
    throw new Error(`its version is ${JSON.stringify(version)}, not ${VERSION}`);
  }
  const readAt = objectOf(fields.readAt, 'its readAt');
  return {
    start: ticksIn(fields, 'start'),
    watermark: ticksIn(fields, 'watermark'),
    readAt: { overlap: timeIn(readAt, 'overlap'), sweep: timeIn(readAt, 'sweep') },
    open: listIn(fields, 'open').map((range) => ({
      kind: kindIn(range),
      ...spanIn(range),
      begun: timeIn(range, 'begun'),
    })),
    unreadable: listIn(fields, 'unreadable').map((span) => ({
      ...(version === VERSION ? spanIn(span) : tickIn(span)),
      retryAt: timeIn(span, 'retryAt'),
    })),
  };
}

type Fields = Readonly<Record<string, unknown>>;

function objectOf(value: unknown, what: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw new Error(`${what} is not a JSON object`);
}

function ticksIn(fields: Fields, name: string): bigint {
  const value = fields[name];
  if (typeof value === 'string' && /^\d{1,19}$/.test(value)) return BigInt(value);
  throw new Error(`its ${name} is not a number of ticks`);
}

function spanIn(fields: Fields): Span {
  return { from: ticksIn(fields, 'from'), to: ticksIn(fields, 'to') };
}

function tickIn(fields: Fields): Span {
  const at = ticksIn(fields, 'at');
  return { from: at, to: at + 1n };
}

function timeIn(fields: Fields, name: string): number {
  const value = fields[name];
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw new Error(`its ${name} is not a time`);
}

function kindIn({ kind }: Fields): RangeKind {
  if (kind === 'overlap' || kind === 'sweep' || kind === 'backfill') return kind;
  throw new Error(`it has an open range of an unknown kind, ${JSON.stringify(kind)}`);
}

function listIn(fields: Fields, name: string): Fields[] {
  const value = fields[name];
  if (!Array.isArray(value)) throw new Error(`its ${name} is not a list`);
  return value.map((item) => objectOf(item, `something in its ${name}`));
}
