import { isIPv6 } from 'node:net';
import { z } from 'zod';
import { knownValues } from '../core/match.ts';
import { pluginOf } from '../core/plugin.ts';
import { recordKinds } from '../core/record.ts';
import { formats } from '../formats/index.ts';
import { duration, EXAMPLE, openEnum, place, size } from '../lib/fields.ts';
import { tenantSchema } from '../net/tenant.ts';
import type { SinkPlugin } from '../sinks/context.ts';
import { sinks } from '../sinks/index.ts';
import { sources } from '../sources/index.ts';

type SchemasOf<Plugins extends readonly { schema: z.ZodObject }[], Shared extends z.core.$ZodShape> = {
  -readonly [Index in keyof Plugins]: Plugins[Index]['schema'] extends z.ZodObject<infer Shape>
    ? z.ZodObject<Shape & Shared, z.core.$strict>
    : never;
};

/** "One of these, told apart by `type`": each plugin's own settings and the shared ones. */
function oneOf<
  const Plugins extends readonly { schema: z.ZodObject; summary: string }[],
  Shared extends z.core.$ZodShape,
>(plugins: Plugins, shared: Shared) {
  const schemas = plugins.map(({ schema, summary }) => schema.extend(shared).describe(summary));
  // `map` forgets which schema stood where; the cast puts it back (test/config/schema.test.ts).
  return z.discriminatedUnion('type', schemas as never) as unknown as z.ZodDiscriminatedUnion<
    SchemasOf<Plugins, Shared>,
    'type'
  >;
}

const word = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,62}$/, 'expected lower-case letters, digits and "-", a letter first');

const name = (example: string) => word.describe('Shown in logs and metrics.').meta({ [EXAMPLE]: example });

const source = oneOf(sources, {
  name: name('alerts'),
}).superRefine(({ settle, overlap }, context) => {
  if (overlap <= settle)
    context.addIssue({
      code: 'custom',
      path: ['overlap'],
      message: 'must be longer than settle',
    });
});

/** At a time, of any sink. */
const MOST_SENDS = 64;

const delivery = z.strictObject({
  batchSize: z.int().min(1).max(1000).default(200).describe('Most records in one send.'),
  window: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(10_000)
    .describe('Most records written and not yet confirmed, but for `confirm.by: delay`.'),
  maxInFlight: z
    .int()
    .min(1)
    .max(MOST_SENDS)
    .default(1)
    .describe(
      'Sends at a time; more than 1 with `http` only. Two revisions of one alert never overtake each other.',
    ),
  maxPerSecond: z
    .number()
    .min(0)
    .max(1_000_000)
    .default(0)
    .describe('Most events a second on average, for a receiver with a licence; 0 is no limit.'),
  timeout: duration({ min: '100ms', max: '1h' })
    .prefault('30s')
    .describe('Longest time for one write and, separately, for one confirmation.'),
  retry: z
    .strictObject({
      initial: duration({ min: '10ms', max: '1h' }).prefault('1s').describe('Wait before the first retry.'),
      max: duration({ min: '10ms', max: '24h' })
        .prefault('5m')
        .describe('Longest wait; retries have no end.'),
    })
    .superRefine(({ initial, max }, context) => {
      if (max < initial)
        context.addIssue({ code: 'custom', path: ['max'], message: 'must not be shorter than initial' });
    })
    .prefault({})
    .describe('Waits after a failed send, growing from one failure to the next.'),
});

const values = (known: readonly string[]) => z.array(openEnum(known)).min(1).optional();

const match = z.strictObject({
  kind: z.array(z.enum(recordKinds)).min(1).optional().describe('What is told about.'),
  severity: values(knownValues.severity).describe('As Graph spells it.'),
  status: values(knownValues.status).describe('As Graph spells it.'),
  serviceSource: values(knownValues.serviceSource).describe('The Defender product, as Graph spells it.'),
  tenant: z.array(z.string()).min(1).optional().describe('Names of tenants.'),
});

/** Less than 8 KiB, above which rsyslog splits an event (S5). */
const EVENT_BYTES = 8000;

/** That of the sink, for settings of which the compiler does not know that they are its own. */
function pluginFor({ type }: { readonly type: string }) {
  return pluginOf<SinkPlugin<z.ZodObject>>(sinks, type);
}

const format = oneOf(formats, {});

const sink = oneOf(sinks, {
  name: name('siem'),
  format: format.optional().describe(`What an event looks like. Default: ${defaultFormats()}.`),
  maxEventBytes: z
    .int()
    .min(1024)
    .max(1_000_000)
    .optional()
    .describe(
      'Most bytes of one event with its header; a larger record goes on in further events. Default: 8000, for ' +
        '`syslog` over `udp` 2048, for `http` and `event-hubs` 200000.',
    ),
  formerly: word
    .optional()
    .describe(
      'Name that the sink had: it goes on where the sink of that name stood, with what waits for it.',
    ),
  startFrom: z
    .enum(['now', 'journal'])
    .default('now')
    .describe(
      'Where a new sink begins: with what comes from now on, or with all that the journal still has.',
    ),
  required: z
    .boolean()
    .default(true)
    .describe(
      'Whether all sources pause when what waits for this sink fills the journal. With `false` the oldest of it is let ' +
        'go of instead, and written down as a gap.',
    ),
  selfEvents: z
    .boolean()
    .default(true)
    .describe(
      'Whether the sink gets what the relay tells of itself (heartbeats, and the events of docs/own-events.md), whatever ' +
        '`match` says.',
    ),
  match: match
    .prefault({})
    .describe(
      'What is sent: what every list names that is given; without any, everything. With `severity` or `status`, an ' +
        'alert that once matched is told until it is resolved, so that none stays open in the SIEM.',
    ),
  delivery: delivery.prefault({}).describe('How records are sent.'),
})
  .superRefine((settings, context) => {
    const most = pluginFor(settings)?.maxInFlight ?? 1;
    // Where all are allowed the field itself has refused more.
    if (most < MOST_SENDS && settings.delivery.maxInFlight > most)
      context.addIssue({
        code: 'custom',
        path: ['delivery', 'maxInFlight'],
        message:
          most > 1
            ? `must be at most ${most}`
            : 'must be 1 (a sink gets one ordered stream; a second send could overtake the first)',
      });
  })
  .transform((settings) => {
    const { maxEventBytes = eventBytesOf(settings), format = formatOf(settings) } = settings;
    return { ...settings, maxEventBytes, format };
  });

/** In words: "`cef`, of `http` `json`". */
function defaultFormats(): string {
  const others = (sinks as readonly SinkPlugin<z.ZodObject>[]).flatMap(({ schema, defaultFormat }) =>
    defaultFormat === undefined ? [] : [`of \`${schema.shape.type?.value}\` \`${defaultFormat}\``],
  );
  return ['`cef`', ...others].join(', ');
}

function formatOf(settings: { readonly type: string }) {
  return format.parse({ type: pluginFor(settings)?.defaultFormat ?? 'cef' });
}

function eventBytesOf(settings: { readonly type: string }): number {
  return pluginFor(settings)?.defaultEventBytes?.(settings) ?? EVENT_BYTES;
}

/**
 * What settings of a sink that are not set come to by the others.
 *
 * @param settings as they would stand in the file, with their defaults
 */
export function impliedBy(settings: {
  readonly type: string;
  readonly format?: unknown;
}): Readonly<Record<string, unknown>> {
  return {
    maxEventBytes: eventBytesOf(settings),
    // Of a format that is set, nothing is implied by the sink.
    ...(settings.format === undefined && { format: formatOf(settings) }),
    ...pluginFor(settings)?.implied?.(settings),
  };
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

const LISTEN = /^(?:\[(?<v6>[^\]]+)\]|(?<name>[^\s:[\]]+)):(?<port>\d{1,5})$/;

/** Host and port of `127.0.0.1:9464` or `[::1]:9464`; port 0 is any free one; `undefined` when it is neither. */
export function parseListen(text: string): Address | 'off' | undefined {
  if (text === 'off') return 'off';
  const { v6, name: host = v6, port: digits } = LISTEN.exec(text)?.groups ?? {};
  const port = Number(digits);
  if (host === undefined || port > 65_535 || (v6 !== undefined && !isIPv6(v6))) return undefined;
  return { host, port };
}

const listen = z
  .string()
  .transform((text, context) => {
    const address = parseListen(text);
    if (address !== undefined) return address;
    const message = 'expected an address and port such as "127.0.0.1:9464" or "[::1]:9464", or "off"';
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  })
  .meta({ title: 'address and port' });

/** The whole config file. Keys of features that are not there yet are unknown keys, and those are errors. */
export const configSchema = z.strictObject({
  state: z
    .strictObject({
      directory: place({ orMemory: true })
        .prefault('./state')
        .describe(
          'Folder of the journal, on a local disk. A relative one begins at the folder of this file.',
        ),
      maxBytes: size({ min: '64MiB' })
        .prefault('2GiB')
        .describe('Room of the journal. When what is undelivered fills it, but for 1 %, sources pause.'),
      retention: duration()
        .prefault('7d')
        .describe('How long delivered records are kept, while there is room.'),
    })
    .prefault({})
    .describe('The journal on disk.'),
  stop: z
    .strictObject({
      grace: duration({ max: '1h' })
        .prefault('10s')
        .describe('Time for what is in flight when asked to stop.'),
    })
    .prefault({})
    .describe('How the relay ends.'),
  reconcile: z
    .strictObject({
      every: z
        .union([z.literal('off'), duration({ min: '10m', max: '30d' })])
        .prefault('24h')
        .describe(
          'Time from one comparison to the next, or `off`: then gaps are not refilled by themselves either.',
        ),
      window: duration({ min: '1m', max: '30d' })
        .prefault('48h')
        .describe('How far back a comparison goes. What was read is remembered so long.'),
    })
    .prefault({})
    .describe(
      'Lists what Graph has and compares it with what each sink was given; delivers what is missing, marked as repair.',
    ),
  tenants: z
    .array(tenantSchema)
    .default([])
    .describe('Directories (tenants) of Entra ID, and how to sign in.'),
  sources: z.array(source).default([]).describe('What is read.'),
  sinks: z.array(sink).default([]).describe('Where it is sent.'),
  server: z
    .strictObject({
      listen: listen
        .prefault('127.0.0.1:9464')
        .describe('Address and port of `/metrics`, `/healthz`, `/readyz` and `/status`, or `off`.'),
    })
    .prefault({})
    .describe('The relay’s own web server.'),
  heartbeat: z
    .strictObject({
      every: duration({ min: '10s', max: '24h' }).prefault('5m').describe('Time from one to the next.'),
    })
    .prefault({})
    .describe('An event to every sink that says "still here", so that a SIEM can tell silence from failure.'),
  log: z
    .strictObject({
      level: z
        .enum(['debug', 'info', 'warn', 'error'])
        .default('info')
        .describe('Least severity that is logged.'),
    })
    .prefault({})
    .describe('The log, on standard error.'),
});

export type Config = z.output<typeof configSchema>;
export type SourceConfig = Config['sources'][number];
export type SinkConfig = Config['sinks'][number];

/** The parts that a command may or may not need; all others have defaults. */
export const parts = ['tenants', 'sources', 'sinks'] as const;
export type Part = (typeof parts)[number];
