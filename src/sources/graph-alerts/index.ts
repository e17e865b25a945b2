import { z } from 'zod';
import type { Plugin } from '../../core/plugin.ts';
import type { Source } from '../../core/source.ts';
import { duration, size } from '../../lib/fields.ts';
import type { SourceContext } from '../context.ts';
import { GraphAlerts } from './source.ts';

const schema = z.strictObject({
  type: z.literal('graph-alerts'),
  tenant: z.string().describe('Name of the tenant to read from.'),
  startFrom: z
    .union([duration(), z.iso.datetime({ offset: true })])
    .prefault('24h')
    .describe('How far back the first start ever reads: a duration, or an ISO time.'),
  settle: duration({ max: '10m' })
    .prefault('10s')
    .describe('Each poll asks this far back behind the watermark, for alerts that become visible late.'),
  overlap: duration({ min: '1s', max: '24h' })
    .prefault('10m')
    .describe(
      'Every half of this, the whole of it is read again, for alerts that become visible later still.',
    ),
  updates: z
    .enum(['all', 'none'])
    .default('all')
    .describe('Whether each revision of an alert is told, or its first sight only.'),
  response: z
    .strictObject({
      maxBytes: size({ min: '64KiB', max: '256MiB' })
        .prefault('16MiB')
        .describe('Largest answer that is read.'),
    })
    .prefault({}),
});

export const graphAlerts: Plugin<typeof schema, Source, SourceContext> = {
  schema,
  summary: 'Alerts of all Microsoft Defender products, from /security/alerts_v2 of Microsoft Graph.',
  create: (settings, { name, log, graph }) =>
    new GraphAlerts(settings, { name, log, graph: graph(settings.tenant), now: Date.now }),
};

export { alertRecord } from './map.ts';
