import { z } from 'zod';
import type { Plugin } from '../../core/plugin.ts';
import type { Sink } from '../../core/sink.ts';
import type { SinkContext } from '../context.ts';
import { StdoutSink } from './stdout-sink.ts';

const schema = z.strictObject({
  type: z.literal('stdout'),
});

export const stdout: Plugin<typeof schema, Sink, SinkContext> = {
  schema,
  summary: 'Writes each event as a line to standard output.',
  create: () => new StdoutSink(process.stdout),
};
