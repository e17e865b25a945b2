/** Most times in an hour that one thing is told to be at fault: what comes and goes is told by that, and no more. */
const MOST_AN_HOUR = 6;
const HOUR_MS = 3_600_000;

export interface Told {
  /** It is at fault, since then; milliseconds since 1970. */
  begun(sinceMs: number): void;
  /** It is well again. */
  over(sinceMs: number): void;
}

/**
 * How things stand, as far as it was told. It is looked at again and again, and what is told follows how things are: it
 * is over only when it was told to have begun, and what could not be told at once is told later if it is still so.
 */
export class Standing {
  readonly #things = new Map<string, { sinceMs: number | undefined; times: number[] }>();

  /**
   * @param sinceMs since when the thing is at fault; `undefined`: it is not
   * @param steadyMs of a clock that nobody sets
   */
  look(thing: string, sinceMs: number | undefined, steadyMs: number, { begun, over }: Told): void {
    const known = this.#things.get(thing) ?? { sinceMs: undefined, times: [] };
    if (known.sinceMs !== undefined && sinceMs === undefined) {
      over(known.sinceMs);
      known.sinceMs = undefined;
    } else if (known.sinceMs === undefined && sinceMs !== undefined) {
      known.times = known.times.filter((time) => steadyMs - time < HOUR_MS);
      if (known.times.length >= MOST_AN_HOUR) return;
      known.times.push(steadyMs);
      known.sinceMs = sinceMs;
      this.#things.set(thing, known);
      begun(sinceMs);
    }
  }

  /** Of these things alone it is known how they stand: the others are gone. */
  keep(things: ReadonlySet<string>): void {
    for (const thing of this.#things.keys()) if (!things.has(thing)) this.#things.delete(thing);
  }
}
