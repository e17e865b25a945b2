import { UsageError } from '../core/errors.ts';
import { isoOfTicks, isTicks, ticksOf, ticksOfMs } from '../core/ticks.ts';
import { parseDuration } from '../lib/measures.ts';

/**
 * Ticks of a time that a flag names: ISO 8601 with or without zone (then UTC), to the day or more exact, `now`, or a
 * duration back from now.
 *
 * @throws {UsageError} it is none of these
 */
export function timeOf(flag: string, text: string, nowMs: number): bigint {
  const back = text === 'now' ? 0 : parseDuration(text);
  const time = back === undefined ? isoTime(text.trim()) : ticksOfMs(nowMs - back);
  if (time !== undefined && isTicks(time)) return time;
  throw new UsageError(
    `${flag} ${text}: expected a time such as "2026-11-27", "2026-11-27T08:00:00Z", or a duration back from now such as "48h"`,
  );
}

/**
 * The range of `--from` and `--to`, as ISO 8601 in UTC.
 *
 * @throws {UsageError} one is no time, or it is empty
 */
export function rangeOf(flags: { readonly from: string; readonly to: string }): { from: string; to: string } {
  const nowMs = Date.now();
  const [from, to] = [timeOf('--from', flags.from, nowMs), timeOf('--to', flags.to, nowMs)];
  if (from >= to) throw new UsageError(`--from ${flags.from} is not before --to ${flags.to}`);
  return { from: isoOfTicks(from), to: isoOfTicks(to) };
}

const DAY = /^\d{4}-\d{2}-\d{2}$/;
const MINUTE = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2})(Z|[+-]\d{2}:\d{2})?$/i;

function isoTime(text: string): bigint | undefined {
  if (DAY.test(text)) return ticksOf(`${text}T00:00:00Z`);
  const [, minute, zone = 'Z'] = MINUTE.exec(text) ?? [];
  return minute === undefined ? (ticksOf(text) ?? ticksOf(`${text}Z`)) : ticksOf(`${minute}:00${zone}`);
}
