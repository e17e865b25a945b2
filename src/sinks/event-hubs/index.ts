import { z } from 'zod';
import { UnavailableError } from '../../core/errors.ts';
import { EXAMPLE, secret } from '../../lib/fields.ts';
import { proxyAddress } from '../../net/tenant.ts';
import { TlsClient, tlsSchema } from '../../net/tls.ts';
import type { SinkContext, SinkPlugin } from '../context.ts';
import { hubOf, parseConnectionString } from './connection-string.ts';
import { EventHubsSink, type Opening } from './event-hubs-sink.ts';
import { bounded, type KeyOf } from './events.ts';
import type { Place } from './explain.ts';
import type { Login } from './producer.ts';

const DEFAULT_PORT = { amqp: 5671, websockets: 443 } as const;
const EMULATOR_PORT = 5672;
/** Fits a hub of every tier (Basic takes 256 KB), with what goes with it. */
const DEFAULT_EVENT_BYTES = 200_000;
/** A step must end before its time is over, to say what it waited for. */
const SHARE_OF_TIME = 0.9;

const schema = z
  .strictObject({
    type: z.literal('event-hubs'),
    connectionString: secret()
      .optional()
      .describe('Connection string of a shared access policy with the claim Send.')
      .meta({ [EXAMPLE]: `\${env:EVENT_HUBS_CONNECTION_STRING}` }),
    namespace: z
      .string()
      .regex(
        /^[A-Za-z0-9.-]+(:\d{1,5})?$/,
        'expected the host name of a namespace such as "contoso.servicebus.windows.net"',
      )
      .optional()
      .describe('In place of `connectionString`: host name of the namespace, to sign in with `tenant`.'),
    tenant: z.string().optional().describe('Name of the tenant whose credential signs in to `namespace`.'),
    eventHub: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,255}$/, 'expected the name of an event hub')
      .optional()
      .describe('Name of the event hub; default: the EntityPath of `connectionString`.'),
    partitionKey: z
      .enum(['id', 'none', 'fixed'])
      .default('id')
      .describe(
        'What keeps the order: all records of one `id` in one partition, all records in one (`fixed`), or nothing (`none`).',
      ),
    fixedKey: z
      .string()
      .min(1, 'expected a text')
      .max(128, 'expected at most 128 characters')
      .optional()
      .describe('The key of `partitionKey: fixed`.'),
    transport: z
      .enum(['amqp', 'websockets'])
      .default('amqp')
      .describe(
        'AMQP over TLS (port 5671), or inside WebSockets (port 443) where only HTTPS is let through.',
      ),
    proxy: proxyAddress.optional().describe('HTTP proxy on the way; HTTPS_PROXY does not count here.'),
    proxyLogin: z
      .strictObject({
        user: z.string().min(1, 'expected the name of the user').describe('User at the proxy.'),
        password: secret().describe('Password at the proxy.'),
      })
      .optional()
      .describe('Who we are at the proxy.'),
    tls: tlsSchema.optional().describe('For a private CA, such as that of an inspecting proxy.'),
  })
  .superRefine((settings, context) => {
    const refuse = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message });
    const { connectionString, namespace, tenant, eventHub, partitionKey, fixedKey, proxy, proxyLogin } =
      settings;
    if (connectionString === undefined && namespace === undefined)
      refuse('connectionString', 'missing; or give "namespace" and "tenant" to sign in with Entra ID');
    if (connectionString !== undefined && namespace !== undefined)
      refuse('namespace', 'give "connectionString" or "namespace", not both');
    if (namespace !== undefined && tenant === undefined)
      refuse('tenant', 'missing; name of the tenant whose credential signs in');
    if (namespace !== undefined && eventHub === undefined)
      refuse('eventHub', 'missing; name of the event hub');
    const fault = connectionString && faultOf(connectionString.reveal(), eventHub);
    if (fault !== undefined) refuse('connectionString', fault);
    if (namespace === undefined && tenant !== undefined)
      refuse('tenant', 'needs "namespace"; a connection string signs in by itself');
    if (partitionKey === 'fixed' && fixedKey === undefined) refuse('fixedKey', 'missing; the key to use');
    if (partitionKey !== 'fixed' && fixedKey !== undefined) refuse('fixedKey', 'needs "partitionKey: fixed"');
    if (proxyLogin && proxy === undefined) refuse('proxyLogin', 'needs the "proxy" that it is for');
  });

/** What is wrong with a connection string, without anything secret of it. */
function faultOf(text: string, eventHub: string | undefined): string | undefined {
  try {
    hubOf(eventHub, parseConnectionString(text).eventHub);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

type EventHubsSettings = z.output<typeof schema>;

export const eventHubs: SinkPlugin<typeof schema> = {
  schema,
  summary: 'Azure Event Hubs by AMQP; confirmed when the broker has accepted.',
  defaultFormat: 'json',
  defaultEventBytes: () => DEFAULT_EVENT_BYTES,
  create(settings, given) {
    const context = { ...given, timeoutMs: Math.floor(given.timeoutMs * SHARE_OF_TIME) };
    const tls = new TlsClient(settings.tls ?? tlsSchema.parse({}), context.log);
    return new EventHubsSink({
      opening: () => openingOf(settings, context, tls),
      keyOf: keyOf(settings),
      tls,
      timeoutMs: context.timeoutMs,
    });
  },
};

function keyOf({ partitionKey, fixedKey }: EventHubsSettings): KeyOf {
  if (partitionKey === 'id') return ({ record }) => bounded(record.id);
  return () => fixedKey;
}

function openingOf(settings: EventHubsSettings, context: SinkContext, tls: TlsClient): Opening {
  const { transport, proxy, proxyLogin } = settings;
  const { timeoutMs } = context;
  const { host, port, eventHub, login, isPlain, grant, secrets } = wayOf(settings, context);
  const place: Place = { name: `event hub ${eventHub} at ${host}`, grant, secrets };
  const webSockets = transport === 'websockets';
  const usual = isPlain ? EMULATOR_PORT : DEFAULT_PORT[transport];
  const route = {
    host,
    port: port ?? usual,
    tls: isPlain ? undefined : tls,
    webSockets,
    proxy: proxy === undefined ? undefined : { origin: proxy, login: proxyLogin },
    timeoutMs,
  };
  return {
    place,
    async open(signal) {
      // Large, with the SDK: who has no such sink must not wait for it.
      const [{ makeProducer }, { openWire }] = await Promise.all([
        import('./producer.ts'),
        import('./wire.ts'),
      ]);
      return makeProducer(login, eventHub, await openWire(route, signal), timeoutMs);
    },
  };
}

interface Way {
  readonly host: string;
  readonly port: number | undefined;
  readonly eventHub: string;
  readonly login: Login;
  readonly isPlain: boolean;
  /** How sending is allowed to who signs in. */
  readonly grant: string;
  readonly secrets: readonly string[];
}

function wayOf(
  { connectionString, namespace, tenant, eventHub }: EventHubsSettings,
  context: SinkContext,
): Way {
  if (connectionString !== undefined) {
    const text = connectionString.reveal();
    const parsed = parsedOf(text);
    return {
      host: parsed.host,
      port: parsed.port,
      eventHub: hubOf(eventHub, parsed.eventHub),
      login: { connectionString: text },
      isPlain: parsed.isEmulator,
      grant: `check the ${parsed.signature ? 'signature (its key, its end, what it is for)' : 'key'} in connectionString, and that its shared access policy has the claim Send`,
      secrets: [text, parsed.key, parsed.signature, signedBy(parsed.signature)].filter(
        (secret) => secret !== undefined,
      ),
    };
  }
  const [host = '', port] = (namespace ?? '').split(':');
  const credential = context.credential?.(tenant ?? '');
  if (!credential)
    throw new UnavailableError(`there is no credential of tenant ${tenant}`, { reason: 'auth' });
  return {
    host,
    port: port === undefined ? undefined : Number(port),
    eventHub: hubOf(eventHub, undefined),
    login: { host, credential },
    isPlain: false,
    grant: `give the identity of tenant ${tenant} the role "Azure Event Hubs Data Sender" on the namespace or the event hub; it takes some minutes to count`,
    secrets: [],
  };
}

/** What of a signature may be told by nobody, also where the rest of it is not. */
function signedBy(signature: string | undefined): string | undefined {
  return /\bsig=([^&]+)/.exec(signature ?? '')?.[1];
}

function parsedOf(text: string) {
  try {
    return parseConnectionString(text);
  } catch (error) {
    throw new UnavailableError(`connectionString: ${(error as Error).message}`, { reason: 'auth' });
  }
}
