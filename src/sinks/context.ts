import type { z } from 'zod';
import type { Log } from '../core/log.ts';
import type { Plugin } from '../core/plugin.ts';
import type { Sink } from '../core/sink.ts';

/** What a sink is given besides its settings. */
export interface SinkContext {
  /** Configured name. */
  readonly name: string;
  readonly log: Log;
  /** `delivery.timeout`, milliseconds: bounds each connect and, separately, each confirmation inside the sink. */
  readonly timeoutMs: number;
}

/** What a folder of `sinks/` exports. */
export interface SinkPlugin<Schema extends z.ZodObject> extends Plugin<Schema, Sink, SinkContext> {
  /** Type of the format when `format` is not set; left out: `cef`. */
  readonly defaultFormat?: string;
  /** Most sends at a time that it allows; left out: one, as an ordered stream needs. */
  readonly maxInFlight?: number;
  /** Most bytes of an event when `maxEventBytes` is not set; left out: what all sinks have. */
  defaultEventBytes?(settings: z.output<Schema>): number | undefined;
  /** What settings come to that are not set, by the others; all as in the file, for `show`. */
  implied?(settings: z.input<Schema>): Readonly<Record<string, unknown>>;
}
