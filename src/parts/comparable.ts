import type { Logger } from 'pino';
import type { Config } from '../config/schema.ts';
import { buildPlugin } from '../core/plugin.ts';
import type { Reconciled, ReconcileStep, ReconcileWish } from '../core/reconciled.ts';
import type { Task } from '../core/task.ts';
import { ticksOf } from '../core/ticks.ts';
import type { Graph } from '../net/graph.ts';
import { type Listing, type ReconcileOptions, reconcile } from '../pipeline/reconcile.ts';
import { sources } from '../sources/index.ts';

/** What can be compared: sources that can list, and sinks. */
export interface Comparable {
  readonly sources: readonly { readonly name: string; readonly source: Listing }[];
  readonly sinks: ReconcileOptions['sinks'];
}

export interface ComparableContext {
  readonly log: Pick<Logger, 'child'>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Milliseconds of a clock that nobody sets. */
  readonly steady: () => number;
}

/**
 * What of a config can be compared. The sources are made anew: one at work finds its own pace, and is watched for being
 * silent; what is listed beside it must not disturb either.
 */
export function comparable(
  config: Pick<Config, 'sources' | 'sinks' | 'reconcile'>,
  graphs: ReadonlyMap<string, Graph>,
  { log, now, steady }: ComparableContext,
): Comparable {
  return {
    sources: config.sources.flatMap((settings) => {
      const { name, tenant } = settings;
      const source = buildPlugin(sources, settings, {
        name,
        log: log.child({ source: name, tenant, part: 'reconcile' }),
        now,
        steady,
        miscounted: () => {},
        comparedMs: config.reconcile.window,
        graph: (wanted) => graphs.get(wanted)!,
      });
      return isListing(source) ? [{ name, source }] : [];
    }),
    sinks: config.sinks.map(({ name, match }) => ({ name, match })),
  };
}

function isListing(source: Pick<Listing, 'tenant'> & Partial<Listing>): source is Listing {
  return source.list !== undefined && source.standing !== undefined;
}

/** Compares all sources, one after the other, as somebody wishes. */
export async function reconcileAll(
  { sources, sinks }: Comparable,
  journal: ReconcileOptions['journal'],
  wish: ReconcileWish,
  task: Task<ReconcileStep>,
): Promise<Reconciled[]> {
  const [from = 0n, to = 0n] = [ticksOf(wish.from), ticksOf(wish.to)];
  const results: Reconciled[] = [];
  for (const { name, source } of sources) {
    const range = { from, to, byPresentMatch: true };
    results.push(await reconcile({ name, source, journal, sinks, ...range }, task));
  }
  return results;
}
