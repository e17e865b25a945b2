import type { Window } from './slice.ts';

/** How a reading goes through its range. Kept in memory only: a restart finds it out again. */
export interface Pace {
  /** Ticks of a window. */
  readonly width: bigint;
  /** Alerts that one request brings, as far as is known. */
  readonly page: number;
  /**
   * End of a window that failed, and how many in it have been read since: what follows is halved until what fails
   * stands alone (R5).
   */
  readonly bad?: { readonly to: bigint; readonly passed: number };
  /** End of a window that had more than one request brings, and how many of its alerts are left. */
  readonly crowd?: { readonly to: bigint; readonly left: number };
}

/** A window is aimed at this share of what one request brings. */
const AIM = 0.7;
/** Graph gives no more at once. */
const MOST_PAGE = 1_000;
/** After so many windows in a row that were read, nothing in the rest may be bad at all: it is tried in one. */
const FALSE_ALARM = 2;
/** A window that had little in it is followed by one that is wider, by this at most. */
const MOST_WIDENING = 16;

/** The next window of a range that begins at `from`. */
export function nextWindow(from: bigint, end: bigint, { width, page, bad, crowd }: Pace): Window {
  let wanted = width;
  if (crowd && crowd.to > from) {
    const rest = crowd.to - from;
    wanted = crowd.left <= AIM * page ? rest : earlier(wanted, rest / 2n);
  }
  if (bad && bad.to > from) {
    const rest = bad.to - from;
    wanted = earlier(wanted, bad.passed < FALSE_ALARM ? rest / 2n : rest);
  }
  return { from, to: earlier(from + atLeastOne(wanted), end) };
}

/**
 * The pace after a window was read whole: the next one is wider when it had little in it.
 *
 * @param found rows of the last answer, and how many alerts there are in the window, as far as Graph says
 */
export function wider(
  pace: Pace,
  window: Window,
  { rows, count = rows }: { rows: number; count: number | undefined },
): Pace {
  const { page, bad, crowd } = pace;
  const room = rows === 0 ? MOST_WIDENING : Math.floor((AIM * page) / rows);
  const widened = (window.to - window.from) * BigInt(Math.min(MOST_WIDENING, Math.max(1, room)));
  return {
    // On the way to what fails a window is narrow for that reason alone.
    width: bad && pace.width > widened ? pace.width : widened,
    // It may have been short by chance.
    page: Math.max(rows, Math.min(MOST_PAGE, Math.ceil(page * 1.25))),
    ...(bad && bad.to > window.to && { bad: { to: bad.to, passed: bad.passed + 1 } }),
    ...(crowd &&
      crowd.to > window.to && { crowd: { to: crowd.to, left: crowd.left - Math.max(rows, count) } }),
  };
}

/**
 * The pace after a window had more than one request brings.
 *
 * @param found how many alerts it has, as far as Graph says; how many of them came; and a time that most of these have,
 *   which gets a window of its own
 */
export function narrower(
  { bad }: Pace,
  { from, to }: Window,
  { count, page, tie }: { count: number | undefined; page: number; tie?: bigint | undefined },
): Pace {
  const rest = { page, ...(bad && { bad }) };
  if (tie !== undefined && tie > from && tie < to) return { ...rest, width: tie - from };
  const share = count === undefined ? 0.5 : Math.min(0.5, (AIM * page) / count);
  const width = tie === from ? 1n : atLeastOne(BigInt(Math.floor(Number(to - from) * share)));
  // A count that is less than what came already says nothing.
  return { ...rest, width, ...(count !== undefined && count > page && { crowd: { to, left: count } }) };
}

/** The pace after a window failed while other requests work. */
export const suspicious = (pace: Pace, window: Window): Pace => ({
  ...pace,
  bad: { to: window.to, passed: 0 },
});

/** The pace after an answer was larger than allowed: there may be many alerts in the window, or one that is huge. */
export const heavy = (pace: Pace, window: Window): Pace => ({
  ...suspicious(pace, window),
  width: atLeastOne((window.to - window.from) / 2n),
});

/** So many windows in a row are narrowed down to the one time that cannot be read … */
const NARROWED = 8;
/** … and each further one is set aside when it is no wider than this many times the one before. */
const GROWTH = 4n;
/** Wide enough for anything. */
const MOST_GROWN = 32;
/** What failed so long ago says nothing about what fails now. */
const STREAK_MS = 3_600_000;

/**
 * What fails one after the other, without one alert between that can be read. Where that goes on it is not this or
 * that alert: to find each time by itself would take for ever, and what comes after them would wait for it (R5).
 */
export class Streak {
  #count = 0;
  #latestMs = Number.NEGATIVE_INFINITY;

  /** @param steadyMs now, by a clock that nobody sets */
  failed(steadyMs: number): void {
    this.#count = this.#countAt(steadyMs) + 1;
    this.#latestMs = steadyMs;
  }

  /** An alert has been read. */
  passed(): void {
    this.#count = 0;
  }

  /** Ticks: what fails and is no wider is set aside as it is. */
  grain(steadyMs: number): bigint {
    const grown = Math.min(MOST_GROWN, Math.max(0, this.#countAt(steadyMs) - NARROWED));
    return GROWTH ** BigInt(grown);
  }

  #countAt(steadyMs: number): number {
    return steadyMs - this.#latestMs > STREAK_MS ? 0 : this.#count;
  }
}

const earlier = (a: bigint, b: bigint): bigint => (a < b ? a : b);
const atLeastOne = (width: bigint): bigint => (width > 1n ? width : 1n);
