import type { Journal, JournalStats } from '../core/journal.ts';
import type { Progress } from '../core/source.ts';
import { orAbort } from '../lib/wait.ts';
import type { Filling } from './filling.ts';
import { type Problem, problemsOf } from './readiness.ts';
import { type Status, statusOf } from './status.ts';
import type { Vitals } from './vitals.ts';

export interface ReportOptions {
  readonly version: string;
  /** The state directory. */
  readonly directory: string;
  readonly vitals: Vitals;
  readonly journal: Pick<Journal, 'stats' | 'coverage' | 'checkpoint' | 'fault'>;
  readonly filling: Pick<Filling, 'fullInSeconds'>;
  /** Where a checkpoint of a source of that type stands. */
  readonly progressOf: (type: string, checkpoint: string) => Progress | undefined;
  /** Takes secrets out of a text: it shows what a far end has said. */
  readonly strike: (text: string) => string;
}

/** A journal that takes longer does not answer. */
const ANSWER_MS = 5_000;

/** What a running relay says of itself when it is asked. */
export function reportOn(options: ReportOptions) {
  const { version, directory, vitals, journal, filling, progressOf, strike } = options;
  const struck = <T>(shown: T): T => JSON.parse(strike(JSON.stringify(shown))) as T;
  /** The answer of the journal, or `none`; while it waits for its disk it has none. */
  const inTime = <T>(ask: () => Promise<T>, none: T): Promise<T> => {
    if (journal.fault?.usable === false) return Promise.resolve(none);
    return orAbort(ask(), AbortSignal.timeout(ANSWER_MS)).catch(() => none);
  };
  const statsOrNone = () => inTime<JournalStats | undefined>(() => journal.stats(), undefined);

  const progress = async () =>
    await Promise.all(
      vitals.sources.map(async ({ name: source, tenant, type }) => {
        const checkpoint = await journal.checkpoint({ source, tenant });
        const found = checkpoint === undefined ? undefined : progressOf(type, checkpoint);
        return { source, tenant, progress: found };
      }),
    );

  return {
    async problems(): Promise<readonly Problem[]> {
      return struck(problemsOf(vitals, await statsOrNone(), vitals.moment(), journal.fault));
    },

    async status(): Promise<Status> {
      const [stats, coverage, places] = await Promise.all([
        statsOrNone(),
        inTime(() => journal.coverage(), []),
        inTime(progress, []),
      ]);
      const now = vitals.moment();
      const problems = problemsOf(vitals, stats, now, journal.fault);
      const found = { version, directory, running: true, problems, now, vitals, stats, coverage, filling };
      return struck(statusOf({ ...found, progress: places }));
    },
  };
}
