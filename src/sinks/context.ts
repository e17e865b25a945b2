import type { Log } from '../core/log.ts';

/** What a sink is given besides its settings. */
export interface SinkContext {
  /** Configured name. */
  readonly name: string;
  readonly log: Log;
  /** `delivery.timeout`, milliseconds: bounds each connect and, separately, each confirmation inside the sink. */
  readonly timeoutMs: number;
}
