import { z } from 'zod';
import { knownValues } from '../../core/match.ts';
import { duration, EXAMPLE, KNOWN, size } from '../../lib/fields.ts';
import type { SourcePlugin } from '../context.ts';
import { parseCheckpoint } from './checkpoint.ts';
import { progressOf } from './plan.ts';
import { GraphAlerts } from './source.ts';

/** Words that Graph knows; another one is only warned of. They are put in a query, so nothing but words. */
const words = (known: readonly string[]) =>
  z
    .array(
      z
        .string()
        .regex(/^[A-Za-z0-9]+$/, 'expected a word of Graph such as "high"')
        .meta({ [KNOWN]: known }),
    )
    .default([]);

const schema = z.strictObject({
  type: z.literal('graph-alerts'),
  tenant: z
    .string()
    .describe('Name of the tenant to read from.')
    .meta({ [EXAMPLE]: 'contoso' }),
  startFrom: z
    .union([duration(), z.iso.datetime({ offset: true })])
    .prefault('24h')
    .describe('How far back the first start ever reads: a duration, or an ISO time.'),
  every: duration({ min: '1s', max: '24h' }).prefault('30s').describe('Time from one poll to the next.'),
  settle: duration({ max: '10m' })
    .prefault('10s')
    .describe('Each poll asks this far back behind the watermark, for alerts that become visible late.'),
  overlap: duration({ min: '1s', max: '24h' })
    .prefault('10m')
    .describe(
      'Every half of this, the whole of it is read again, for alerts that become visible later still.',
    ),
  sweep: z
    .strictObject({
      every: duration({ min: '1m', max: '24h' }).prefault('1h').describe('Time from one sweep to the next.'),
      window: duration({ min: '1m', max: '30d' }).prefault('24h').describe('How far back a sweep reads.'),
    })
    .prefault({})
    .describe('Reads everything again in the background, for alerts that become visible hours late.'),
  filter: z
    .strictObject({
      serviceSource: words(knownValues.serviceSource).describe(
        'Only alerts of these products, in Graph’s words.',
      ),
      severity: words(knownValues.severity).describe(
        'Only alerts that have been of one of these severities since they are known.',
      ),
      status: words(knownValues.status).describe(
        'Only alerts that have had one of these states since they are known.',
      ),
    })
    .prefault({})
    .describe('Which alerts are read; what is left out here no sink can ever be given.'),
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

export const graphAlerts: SourcePlugin<typeof schema> = {
  schema,
  summary: 'Alerts of all Microsoft Defender products, from /security/alerts_v2 of Microsoft Graph.',
  create: (settings, { name, log, graph, now, steady, miscounted, comparedMs }) =>
    new GraphAlerts(
      { ...settings, compared: comparedMs },
      { name, log, graph: graph(settings.tenant), now, steady, miscounted },
    ),
  progress: (checkpoint) => progressOf(parseCheckpoint(checkpoint)),
};

export { alertRecord } from './map.ts';
