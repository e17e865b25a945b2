/**
 * Times as Graph gives them: ISO 8601 in UTC with 0 to 7 fraction digits. A JavaScript `Date` keeps three,
 * and as strings `…29Z` sorts after `…29.47Z`, so neither may be used to compare two of them (traps G3, G4).
 * A tick is 100 ns, counted from 0001-01-01T00:00:00Z as .NET and Graph's own ids do.
 */

/** 100 ns units in a millisecond. */
export const TICKS_PER_MS = 10_000n;

/** Ticks from 0001-01-01 to 1970-01-01. */
const UNIX_EPOCH_TICKS = 621_355_968_000_000_000n;

/** Ticks of 9999-12-31T23:59:59.9999999Z: what comes later has no four-digit year. */
const LAST_TICKS = 3_155_378_975_999_999_999n;

const ISO = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,7})\d*)?(Z|[+-]\d{2}:\d{2})$/i;

/**
 * Ticks of an ISO 8601 time with zone; `undefined` when `text` is not one, or not in the years 1 to 9999. Digits
 * beyond the seventh are cut.
 */
export function ticksOf(text: unknown): bigint | undefined {
  if (typeof text !== 'string') return undefined;
  const match = ISO.exec(text);
  if (!match) return undefined;
  const [, seconds = '', fraction = '', zone = 'Z'] = match;
  const ms = Date.parse(`${seconds}${zone}`.toUpperCase());
  if (Number.isNaN(ms) || !isDay(seconds.slice(0, 10))) return undefined;
  const ticks = ticksOfMs(ms) + BigInt(fraction.padEnd(7, '0'));
  return isTicks(ticks) ? ticks : undefined;
}

/** Whether it is a time in the years 1 to 9999. */
export function isTicks(ticks: bigint): boolean {
  return ticks >= 0n && ticks <= LAST_TICKS;
}

/** `Date.parse` takes the 30th of February for the 2nd of March. */
function isDay(date: string): boolean {
  const day = Number(date.slice(8));
  return day <= 28 || new Date(`${date}T00:00:00Z`).getUTCDate() === day;
}

/** Ticks of a whole number of milliseconds since 1970. */
export function ticksOfMs(ms: number): bigint {
  return UNIX_EPOCH_TICKS + BigInt(Math.trunc(ms)) * TICKS_PER_MS;
}

/** Milliseconds since 1970, rounded down: safe as a lower bound (`ge`). */
export function msOfTicks(ticks: bigint): number {
  const since = ticks - UNIX_EPOCH_TICKS;
  const rest = ((since % TICKS_PER_MS) + TICKS_PER_MS) % TICKS_PER_MS;
  return Number((since - rest) / TICKS_PER_MS);
}

/** `2025-05-07T08:15:31.4366667Z`: always seven fraction digits, as a `$filter` of Graph takes it. */
export function isoOfTicks(ticks: bigint): string {
  const ms = msOfTicks(ticks);
  const rest = ticks - ticksOfMs(ms);
  return `${new Date(ms).toISOString().slice(0, -1)}${String(rest).padStart(4, '0')}Z`;
}

/** `2025-05-07T08:15:31Z`: to the second, rounded down; for people. */
export function isoSecondsOfTicks(ticks: bigint): string {
  return `${new Date(msOfTicks(ticks)).toISOString().slice(0, 19)}Z`;
}

/** The earlier first. */
export function compareTicks(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
