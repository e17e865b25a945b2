import type { Colors } from '../src/cli/io.ts';
import { table } from '../src/cli/table.ts';
import { type Bar, type Figure, figures, type Measured, type Run, type Scenario } from './scenario.ts';
import { median, spread } from './statistics.ts';

/** A subject over all runs. */
export interface Row {
  readonly what: string;
  readonly figures: Partial<Record<Figure, Summary>>;
  readonly note?: string;
}

export interface Summary {
  readonly median: number;
  /** See {@link spread}. */
  readonly spread: number;
  /** In the order of the runs. */
  readonly values: readonly number[];
}

export interface Verdict {
  readonly bar: Bar;
  readonly values: readonly number[];
  /** The median over the runs; `undefined`: not measured. */
  readonly value: number | undefined;
  readonly holds: boolean | undefined;
}

const order = Object.keys(figures) as Figure[];

/** What was measured of a scenario, run after run, as one row for each subject. */
export function rowsOf(runs: readonly (readonly Measured[])[]): Row[] {
  const subjects = [...new Set(runs.flatMap((rows) => rows.map(({ what }) => what)))];
  return subjects.map((what) => {
    const all = runs.flatMap((rows) => rows.filter((row) => row.what === what));
    const note = all.find((row) => row.note !== undefined)?.note;
    const found = order.flatMap((figure) => {
      const values = all.map((row) => row.figures[figure]).filter((value) => value !== undefined);
      return values.length === 0 ? [] : [[figure, summaryOf(values)] as const];
    });
    return { what, figures: Object.fromEntries(found), ...(note !== undefined && { note }) };
  });
}

const summaryOf = (values: readonly number[]): Summary => ({
  median: median(values),
  spread: spread(values),
  values,
});

/** Each ratio is one of figures of the same run; what counts is their median. */
export function verdictsOf(bars: readonly Bar[], runs: readonly Run[]): Verdict[] {
  return bars.map((bar) => {
    const values = runs.map((run) => bar.value(run)).filter((value) => value !== undefined);
    if (values.length === 0) return { bar, values, value: undefined, holds: undefined };
    const value = median(values);
    return { bar, values, value, holds: bar.at === 'least' ? value >= bar.bar : value <= bar.bar };
  });
}

/** A heading and a table. */
export function scenarioText({ name, measures }: Scenario, rows: readonly Row[], colors: Colors): string[] {
  const columns = order.filter((figure) => rows.some((row) => row.figures[figure] !== undefined));
  const cell = (row: Row, figure: Figure): string => {
    const summary = row.figures[figure];
    if (!summary) return '';
    const value = figures[figure].spell(summary.median);
    return summary.values.length > 1 && Number.isFinite(summary.spread)
      ? `${value} ± ${(50 * summary.spread).toFixed(0)} %`
      : value;
  };
  return [
    `${colors.bold(name)}  ${measures}`,
    ...table(
      ['', ...columns.map((figure) => figures[figure].head), ''],
      rows.map((row) => [row.what, ...columns.map((figure) => cell(row, figure)), row.note ?? '']),
      colors,
    ).map((line) => line.trimEnd()),
  ];
}

export function verdictText(verdicts: readonly Verdict[], colors: Colors): string[] {
  const paints = { holds: colors.green, 'DOES NOT HOLD': colors.red, 'not measured': colors.dim };
  return [
    colors.bold('bars'),
    ...table(
      ['', 'measured', 'bar', ''],
      verdicts.map(({ bar, value, holds }) => {
        const text = holds === undefined ? 'not measured' : holds ? 'holds' : 'DOES NOT HOLD';
        return [
          bar.what,
          value === undefined ? '-' : bar.spell(value),
          `at ${bar.at} ${bar.spell(bar.bar)}`,
          { text, paint: paints[text] },
        ];
      }),
      colors,
    ).map((line) => line.trimEnd()),
  ];
}
