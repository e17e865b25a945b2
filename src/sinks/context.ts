import type { z } from 'zod';
import type { Log } from '../core/log.ts';
import type { Plugin } from '../core/plugin.ts';
import type { Sink } from '../core/sink.ts';
import type { Credential } from '../net/credential.ts';

/** What a sink is given besides its settings. */
export interface SinkContext {
  /** Configured name. */
  readonly name: string;
  readonly log: Log;
  /** `delivery.timeout`, milliseconds: bounds each connect and, separately, each confirmation inside the sink. */
  readonly timeoutMs: number;
  /** Of a configured tenant, shared with all who sign in to it; left out where nothing is sent. */
  credential?(tenant: string): Credential;
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
