import { z } from 'zod';
import type { Format } from '../../core/format.ts';
import type { Plugin } from '../../core/plugin.ts';
import type { FormatContext } from '../context.ts';
import { createCef } from './cef.ts';

const schema = z.strictObject({
  type: z.literal('cef'),
  profile: z
    .enum(['defender'])
    .default('defender')
    .describe('Which fields go where; the page of CEF has the tables.'),
  signatureId: z
    .enum(['detector', 'category', 'title'])
    .default('detector')
    .describe('What the event class id is made of. `category` for QRadar, which maps every id by hand.'),
  vendor: z
    .string()
    .min(1)
    .max(63)
    .default('Microsoft')
    .describe('Device Vendor. Splunk Connect for Syslog takes `Microsoft` for Windows logs.'),
  equals: z
    .enum(['escape', 'replace'])
    .default('escape')
    .describe(
      '`replace`: write `=` in values as U+FF1D, for receivers that un-escape before they look for keys.',
    ),
  pipe: z
    .enum(['escape', 'replace'])
    .default('escape')
    .describe(
      '`replace`: write `|` in the header as `¦`, for receivers that split it without heeding escapes.',
    ),
});

export type CefSettings = z.output<typeof schema>;

export const cef: Plugin<typeof schema, Format, FormatContext> = {
  schema,
  summary: 'ArcSight Common Event Format, version 0.',
  create: (settings) => createCef(settings),
};
