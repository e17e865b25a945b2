/** What is measured of a subject; each is a column. */
export type Figure = keyof typeof figures;

const whole = (value: number) => Math.round(value).toLocaleString('en');
const short = (value: number) => (value >= 100 ? whole(value) : value.toPrecision(3));

/** In the order of their columns. */
export const figures = {
  perSecond: { head: 'records/s', spell: whole },
  cpuMicros: { head: 'CPU µs/record', spell: short },
  ms: { head: 'ms', spell: short },
  p50Ms: { head: 'p50 ms', spell: short },
  p99Ms: { head: 'p99 ms', spell: short },
  maxMs: { head: 'max ms', spell: short },
  cpuShare: { head: 'CPU % of a core', spell: (value: number) => (100 * value).toFixed(2) },
  bytes: { head: 'memory MB', spell: (value: number) => whole(value / 1e6) },
} as const;

/** One subject in one run. */
export interface Measured {
  readonly what: string;
  readonly figures: Partial<Record<Figure, number>>;
  /** Why there are no figures, or what is to be known with them. */
  readonly note?: string;
}

export interface Context {
  /** Less of everything: the figures are rough. */
  readonly quick: boolean;
  /** What is going on, for who waits. */
  readonly say: (line: string) => void;
}

/** Something that is measured in each run, or once. */
export interface Scenario {
  readonly name: string;
  readonly measures: string;
  /** It takes long, and is steady enough. */
  readonly once?: boolean;
  run(context: Context): Promise<readonly Measured[]>;
}

/** What has been measured in one run, by scenario and subject. */
export class Run {
  readonly #measured = new Map<string, Measured>();

  add(scenario: string, rows: readonly Measured[]): void {
    for (const row of rows) this.#measured.set(`${scenario} ${row.what}`, row);
  }

  /** `undefined`: it was not measured. */
  figure(scenario: string, what: string, figure: Figure): number | undefined {
    return this.#measured.get(`${scenario} ${what}`)?.figures[figure];
  }
}

/** What must be reached. */
export interface Bar {
  readonly what: string;
  readonly at: 'most' | 'least';
  readonly bar: number;
  readonly spell: (value: number) => string;
  /** In one run; `undefined` when not all of it was measured there. */
  value(run: Run): number | undefined;
}
