import { spellDuration } from '../../src/lib/spell.ts';
import type { SceneVerdict, SinkVerdict } from './scene.ts';

/** What one scene came to. */
export interface Result {
  readonly verdict: SceneVerdict;
  /** After which no fresh alert arrived in time. */
  readonly stuck: readonly string[];
  /** Milliseconds from the end of each harm until a fresh alert arrived. */
  readonly recoveries: readonly number[];
  /** What could not be done here, and why. */
  readonly cannot: ReadonlyMap<string, string>;
  /** Log lines of errors that nobody foresaw. */
  readonly unforeseen: readonly string[];
  readonly lastLog: string;
}

/** Most events that one harm may repeat: the window, and what was confirmed since cursors were last stored. */
const MOST_REPEATED = 1_000;
const SHOWN = 5;

export function resultOf(
  verdict: SceneVerdict,
  { stuck, recoveries, cannot, log }: Pick<Result, 'stuck' | 'recoveries' | 'cannot'> & { log: string },
): Result {
  // A stack is logged of what is a bug (F1).
  const unforeseen = log.split('\n').filter((line) => line.includes('"stack":'));
  const lastLog = log.trimEnd().split('\n').at(-1) ?? '';
  return { verdict, stuck, recoveries, cannot, unforeseen, lastLog };
}

export function summaryOf(results: readonly Result[]): { lines: string[]; isClean: boolean } {
  const all = <T>(of: (result: Result) => readonly T[]) => results.flatMap(of);
  const mayRepeat = ({ recoveries: { length } }: Result) => MOST_REPEATED * Math.max(1, length);
  const sinks = results.flatMap(({ verdict }) => [...verdict.sinks]);
  const ofSinks = (of: (verdict: SinkVerdict) => readonly string[]) =>
    sinks.flatMap(([name, verdict]) => of(verdict).map((each) => `${name}: ${each}`));
  const wrong = {
    lost: ofSinks(({ lost }) => lost),
    'out of order': ofSinks(({ outOfOrder }) => outOfOrder),
    merged: ofSinks(({ merged }) => merged),
    'never raised': ofSinks(({ unknown }) => unknown),
    altered: ofSinks(({ altered }) => altered),
    renumbered: ofSinks(({ renumbered }) => renumbered),
    'repeated too often': results.flatMap((result) =>
      [...result.verdict.sinks]
        .filter(([, { duplicated }]) => duplicated > mayRepeat(result))
        .map(
          ([name, { duplicated }]) => `${name}: ${duplicated} times, and at most ${mayRepeat(result)} may be`,
        ),
    ),
    'stuck after': all(({ stuck }) => stuck),
    'unforeseen errors': all(({ unforeseen }) => unforeseen),
    'ended badly': all(({ verdict: { exitCode }, lastLog }) =>
      exitCode === 0 ? [] : [`exit code ${exitCode}: ${lastLog}`],
    ),
  };
  const recoveries = all((result) => result.recoveries);
  const longest = spellDuration(Math.max(0, ...recoveries));
  const cannot = new Map(all((result) => [...result.cannot]));
  const isClean = Object.values(wrong).every(({ length }) => length === 0);
  return {
    isClean,
    lines: [
      '',
      ...[...Map.groupBy(sinks, ([name]) => name)].map(([name, of]) => {
        const sum = (count: (verdict: SinkVerdict) => number) =>
          of.reduce((total, [, verdict]) => total + count(verdict), 0);
        return `${name}: owed ${sum(({ owed }) => owed)}, delivered ${sum(({ delivered }) => delivered)}, duplicated ${sum(({ duplicated }) => duplicated)}`;
      }),
      `longest recovery ${longest}, torn by a kill ${all(({ verdict }) => verdict.torn).length}`,
      ...Object.entries(wrong).flatMap(([what, which]) => [
        `${what}: ${which.length}`,
        ...which.slice(0, SHOWN).map((each) => `  ${each.slice(0, 500)}`),
      ]),
      ...[...cannot].map(([name, why]) => `not done: ${name} (${why})`),
      isClean ? 'clean' : 'NOT CLEAN',
    ],
  };
}
