import type { z } from 'zod';
import type { Log } from '../core/log.ts';
import type { Plugin } from '../core/plugin.ts';
import type { Progress, Source } from '../core/source.ts';
import type { Graph } from '../net/graph.ts';

/** What a source is given besides its settings. */
export interface SourceContext {
  /** Configured name. */
  readonly name: string;
  readonly log: Log;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Milliseconds of a clock that nobody sets. */
  readonly steady: () => number;
  /** How far back what it gave is compared with what it lists (reconcile), milliseconds: so long it is remembered (K4). */
  readonly comparedMs: number;
  /** The far end's count of a list did not agree with the list, however often it was read. */
  readonly miscounted: () => void;
  /** Graph of a configured tenant; shared by all sources of that tenant. */
  graph(tenant: string): Graph;
}

/** A source that can say where a checkpoint of its stands, also when it does not run. */
export interface SourcePlugin<Schema extends z.ZodObject> extends Plugin<Schema, Source, SourceContext> {
  /**
   * Pure.
   *
   * @throws {Error} it is no checkpoint of this source
   */
  progress(checkpoint: string): Progress;
}
