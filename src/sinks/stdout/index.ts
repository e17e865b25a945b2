import { z } from 'zod';
import type { SinkPlugin } from '../context.ts';
import { StdoutSink } from './stdout-sink.ts';

const schema = z.strictObject({
  type: z.literal('stdout'),
});

export const stdout: SinkPlugin<typeof schema> = {
  schema,
  summary: 'Writes each event as a line to standard output.',
  create: () => new StdoutSink(process.stdout),
};
