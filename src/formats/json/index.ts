import { z } from 'zod';
import type { Format } from '../../core/format.ts';
import type { Plugin } from '../../core/plugin.ts';
import type { FormatContext } from '../context.ts';
import { formatJson } from './json.ts';

const schema = z.strictObject({
  type: z.literal('json'),
});

export const json: Plugin<typeof schema, Format, FormatContext> = {
  schema,
  summary: 'JSON as Microsoft sent it, in an envelope with id, revision and running number.',
  create: () => formatJson,
};
