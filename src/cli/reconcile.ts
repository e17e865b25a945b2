import { loadConfig } from '../config/load.ts';
import { secretsOf } from '../config/secrets.ts';
import { askRelay } from '../control/client.ts';
import { RelayError } from '../core/errors.ts';
import type { Journal } from '../core/journal.ts';
import type { Reconciled, ReconcileResult, ReconcileStep, ReconcileWish } from '../core/reconciled.ts';
import { Closers } from '../lib/closers.ts';
import { openGraph } from '../net/graph.ts';
import { openLogger } from '../observe/logger.ts';
import { comparable } from '../parts/comparable.ts';
import { type ReconcilingJournal, reconcileAll } from '../parts/reconciling.ts';
import { openStopped } from './administer.ts';
import { colorsFor, type Io, isTerminal } from './io.ts';
import { progressLine } from './progress-line.ts';
import { reconcileText, stepText } from './reconcile-text.ts';
import { rangeOf } from './times.ts';

export interface ReconcileFlags {
  readonly config?: string;
  readonly json?: boolean;
  readonly from: string;
  readonly to: string;
  readonly fix?: boolean;
}

/** Tries at one request to Graph: somebody waits for the answer, or for the reason why there is none. */
const ATTEMPTS = 5;

/**
 * Lists what Graph has in a range against what each sink was given: has the relay do it that runs, or does it itself when
 * none runs (K9).
 *
 * @returns the exit code: 0 nothing is missing, or it is no more; 1 something is, or not all could be compared
 */
export async function reconcileCommand(flags: ReconcileFlags, io: Io): Promise<number> {
  const wish = { ...rangeOf(flags), fix: flags.fix === true };
  const line = isTerminal(io.stderr) && !flags.json ? progressLine(io.stderr) : undefined;
  const result = await ask(flags, wish, (step) => line?.show(stepText(step)), io).finally(() =>
    line?.clear(),
  );
  io.stdout.write(
    flags.json ? `${JSON.stringify(result, null, 2)}\n` : reconcileText(result, colorsFor(io.stdout, io.env)),
  );
  return result.sources.some(isShort) ? 1 : 0;
}

const isShort = ({ complete, sinks, unread }: Reconciled): boolean =>
  !complete || unread.length > 0 || sinks.some(({ missing, repaired }) => missing > repaired);

async function ask(
  flags: ReconcileFlags,
  wish: ReconcileWish,
  progress: (step: ReconcileStep) => void,
  io: Io,
): Promise<ReconcileResult> {
  const env = io.env && { env: io.env };
  // Of a relay that runs nothing is needed but its place; it has the secrets.
  const { state } = loadConfig(flags.config, { needs: [], ...env }).config;
  const answer = await askRelay(state.directory, 'reconcile', wish, { onProgress: progress });
  if (answer) return answer.value;
  const { config } = loadConfig(flags.config, env);
  const log = openLogger('warn', io.stderr, secretsOf(config));
  const closers = new Closers();
  try {
    const journal = whichDoesNotWait(closers.add('journal', await openStopped(state, io)));
    const graphs = new Map(
      config.tenants.map((settings) => {
        const observer = { requested: () => {}, throttled: () => {} };
        const graph = openGraph(settings, { log, observer, attempts: ATTEMPTS });
        return [settings.name, closers.add(`tenant ${settings.name}`, graph)];
      }),
    );
    const all = comparable(config, graphs, { log, now: Date.now, steady: () => performance.now() });
    const { signal } = new AbortController();
    return await reconcileAll(all, journal, wish, { signal, progress });
  } finally {
    await closers.close();
  }
}

/** Without a relay nothing makes room in a journal that is full. */
function whichDoesNotWait(journal: Journal): ReconcilingJournal {
  const room = async () => {
    const { paused } = await journal.stats();
    if (paused)
      throw new RelayError('the journal is full of what sinks still need: start the relay, and try again');
  };
  return {
    room,
    checkpoint: (key) => journal.checkpoint(key),
    compare: (window) => journal.compare(window),
    follows: (sink, ids) => journal.follows(sink, ids),
    repair: (missing) => journal.repair(missing),
    gaps: () => journal.gaps(),
    closeGap: (gap) => journal.closeGap(gap),
  };
}
