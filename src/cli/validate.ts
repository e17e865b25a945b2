import { loadConfig } from '../config/load.ts';
import { ConfigError, type Problem, problemLine, problemText } from '../config/problem.ts';
import type { Config } from '../config/schema.ts';
import { type Colors, colorsFor, type Io, isTerminal } from './io.ts';

type Output = Pick<Io, 'stdout' | 'env'>;

/** Checks a config without touching the network. Returns the exit code: 0 fine, 2 not. */
export async function validateCommand(
  args: { config?: string; json?: boolean },
  io: Output,
): Promise<number> {
  const check = examine(args.config, io);
  io.stdout.write(args.json ? `${JSON.stringify(check.report, null, 2)}\n` : forPeople(check, io));
  return check.report.ok ? 0 : 2;
}

interface Check {
  /** What `--json` prints. */
  readonly report: {
    readonly ok: boolean;
    readonly problems: readonly Problem[];
    readonly warnings: readonly Problem[];
  };
  readonly summary: string;
}

function examine(configPath: string | undefined, io: Output): Check {
  try {
    const { path, config, warnings } = loadConfig(configPath, io.env ? { env: io.env } : {});
    return { report: { ok: true, problems: [], warnings }, summary: `${path}: fine (${inventory(config)})` };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const { problems } = error;
    return { report: { ok: false, problems, warnings: [] }, summary: counted(problems.length, 'problem') };
  }
}

function inventory(config: Config): string {
  return [
    counted(config.tenants.length, 'tenant'),
    counted(config.sources.length, 'source'),
    counted(config.sinks.length, 'sink'),
  ].join(', ');
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

/** Aligned and coloured on a terminal; in a pipe one plain line for each problem, as editors and grep like it. */
function forPeople({ report, summary }: Check, io: Output): string {
  const { ok, problems, warnings } = report;
  if (!isTerminal(io.stdout)) {
    const lines = [
      ...problems.map(problemLine),
      ...warnings.map((warning) => `${problemLine(warning)} (warning)`),
    ];
    return [...lines, ...(ok ? [summary] : []), ''].join('\n');
  }
  const colors = colorsFor(io.stdout, io.env);
  const lines = [
    ...table(problems, colors.red, colors),
    ...table(warnings, colors.yellow, colors),
    ok ? colors.green(summary) : colors.red(summary),
  ];
  return `${lines.join('\n')}\n`;
}

function table(problems: readonly Problem[], mark: (text: string) => string, colors: Colors): string[] {
  const rows = problems.map((problem) => ({ place: placeOf(problem), path: problem.path, problem }));
  const placeWidth = Math.max(0, ...rows.map(({ place }) => place.length));
  const pathWidth = Math.max(0, ...rows.map(({ path }) => path.length));
  return rows.map(({ place, path, problem }) => {
    const columns = [
      mark(place.padEnd(placeWidth)),
      ...(pathWidth > 0 ? [colors.bold(path.padEnd(pathWidth))] : []),
    ];
    return [...columns, problemText(problem)].join('  ');
  });
}

function placeOf({ file, line, column }: Problem): string {
  return line === undefined ? file : `${file}:${line}:${column}`;
}
