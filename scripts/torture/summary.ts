import { spellDuration } from '../../src/lib/spell.ts';
import type { SceneVerdict } from './scene.ts';

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
  const sum = (of: (result: Result) => number) => results.reduce((total, result) => total + of(result), 0);
  const wrong = {
    lost: all(({ verdict }) => verdict.lost),
    'out of order': all(({ verdict }) => verdict.outOfOrder),
    merged: all(({ verdict }) => verdict.merged),
    'never raised': all(({ verdict }) => verdict.unknown),
    altered: all(({ verdict }) => verdict.altered),
    renumbered: all(({ verdict }) => verdict.renumbered),
    'stuck after': all(({ stuck }) => stuck),
    'unforeseen errors': all(({ unforeseen }) => unforeseen),
    'ended badly': all(({ verdict: { exitCode }, lastLog }) =>
      exitCode === 0 ? [] : [`exit code ${exitCode}: ${lastLog}`],
    ),
  };
  const recoveries = all((result) => result.recoveries);
  const duplicated = sum(({ verdict }) => verdict.duplicated);
  const mayRepeat = MOST_REPEATED * Math.max(1, recoveries.length);
  const longest = spellDuration(Math.max(0, ...recoveries));
  const cannot = new Map(all((result) => [...result.cannot]));
  const isClean = duplicated <= mayRepeat && Object.values(wrong).every(({ length }) => length === 0);
  return {
    isClean,
    lines: [
      '',
      `owed ${sum(({ verdict }) => verdict.owed)}, delivered ${sum(({ verdict }) => verdict.delivered)}, ` +
        `duplicated ${duplicated} (at most ${mayRepeat}), torn by a kill ${sum(({ verdict }) => verdict.torn.length)}, ` +
        `longest recovery ${longest}`,
      ...Object.entries(wrong).flatMap(([what, which]) => [
        `${what}: ${which.length}`,
        ...which.slice(0, SHOWN).map((each) => `  ${each.slice(0, 500)}`),
      ]),
      ...[...cannot].map(([name, why]) => `not done: ${name} (${why})`),
      isClean ? 'clean' : 'NOT CLEAN',
    ],
  };
}
