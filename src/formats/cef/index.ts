import { z } from 'zod';
import type { Format } from '../../core/format.ts';
import type { Plugin } from '../../core/plugin.ts';
import type { FormatContext } from '../context.ts';
import { createCef } from './cef.ts';
import { defaultSeverities } from './header.ts';

const number = (name: keyof typeof defaultSeverities, what: string) =>
  z.int().min(0).max(10).default(defaultSeverities[name]).describe(`Severity in CEF of ${what}.`);

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
  severity: z
    .strictObject({
      unknown: number('unknown', 'an alert whose severity is not known, or new'),
      informational: number('informational', 'an informational alert'),
      low: number('low', 'an alert of low severity'),
      medium: number('medium', 'an alert of medium severity'),
      high: number('high', 'an alert of high severity'),
      critical: number('critical', 'a critical alert'),
    })
    .prefault({}),
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
