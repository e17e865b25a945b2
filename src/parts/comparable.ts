import type { Logger } from 'pino';
import type { Config } from '../config/schema.ts';
import { buildPlugin } from '../core/plugin.ts';
import type { Graph } from '../net/graph.ts';
import type { Listing, ReconcileOptions } from '../pipeline/reconcile.ts';
import { sources } from '../sources/index.ts';

export type ComparableSource = Pick<ReconcileOptions, 'name' | 'source' | 'updates'>;

/** What can be compared: sources that can list, and sinks. */
export interface Comparable {
  readonly sources: readonly ComparableSource[];
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
      return isListing(source) ? [{ name, source, updates: settings.updates }] : [];
    }),
    sinks: config.sinks.map(({ name, match }) => ({ name, match })),
  };
}

function isListing(source: Pick<Listing, 'tenant'> & Partial<Listing>): source is Listing {
  return source.list !== undefined && source.standing !== undefined;
}
