import type { Log } from '../core/log.ts';
import type { Graph } from '../net/graph.ts';

/** What a source is given besides its settings. */
export interface SourceContext {
  /** Configured name. */
  readonly name: string;
  readonly log: Log;
  /** Graph of a configured tenant; shared by all sources of that tenant. */
  graph(tenant: string): Graph;
}
