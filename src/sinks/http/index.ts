import { isIP } from 'node:net';
import { z } from 'zod';
import { EXAMPLE, secret, size } from '../../lib/fields.ts';
import { HttpClient } from '../../net/client.ts';
import { ClientCredentials } from '../../net/client-credentials.ts';
import { proxyAddress, proxyLogin } from '../../net/tenant.ts';
import { tlsSchema } from '../../net/tls.ts';
import type { SinkPlugin } from '../context.ts';
import { type Auth, staticAuth, tokenAuth } from './auth.ts';
import { compressions } from './compress.ts';
import { HttpSink, type HttpSinkOptions } from './http-sink.ts';
import { bodies } from './request.ts';
import { Targets, targetOf } from './targets.ts';

/** Most sends at a time. */
const MAX_IN_FLIGHT = 64;
/** Receivers take more by HTTP than by syslog, and a whole alert is worth more than its parts. */
const EVENT_BYTES = 200_000;

/** What is wrong with an address, if so. */
function addressProblem(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'https:' && url?.protocol !== 'http:')
    return 'expected an address such as "https://siem.example.com/ingest"';
  if (url.username !== '' || url.password !== '')
    return 'user and password do not belong in the address; write them as auth';
  return url.hash === '' ? undefined : 'expected an address without "#": what comes after it is never sent';
}

const address = z
  .string()
  .superRefine((text, context) => {
    const message = addressProblem(text);
    if (message === undefined) return;
    // At a path below, so that no message repeats the text.
    context.addIssue({ code: 'custom', path: text.includes('@') ? ['password'] : [], message });
  })
  .meta({ title: 'address' });

const headerName = z
  .string()
  .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/, 'expected the name of a header, such as "X-Api-Key"')
  .refine((name) => !OURS.includes(name.toLowerCase()), 'this header is set by the relay itself');

/** Those by which a far end takes a request apart; another value would break it. */
const OURS = [
  'content-length',
  'content-encoding',
  'transfer-encoding',
  'host',
  'connection',
  'idempotency-key',
  'expect',
  'trailer',
  'upgrade',
];

const headerText = z.string().regex(/^[\x20-\x7e]*$/, 'expected ASCII characters without line breaks');

const header = z
  .strictObject({
    name: headerName.describe('Its name.').meta({ [EXAMPLE]: 'X-Source' }),
    value: headerText
      .optional()
      .describe('Its value.')
      .meta({ [EXAMPLE]: 'defender' }),
    secret: secret().optional().describe('In place of `value`: one that must not be shown.'),
  })
  .superRefine(({ value, secret }, context) => {
    if ((value === undefined) === (secret === undefined))
      context.addIssue({ code: 'custom', path: ['value'], message: 'give "value" or "secret"' });
  });

const auth = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('none') }).describe('No credentials, or such as stand in `headers`.'),
  z
    .strictObject({
      type: z.literal('basic'),
      user: z
        .string()
        .min(1)
        .regex(/^[^:]*$/, 'expected a name without ":": what comes after it would be taken for the password')
        .describe('Name of the user.')
        .meta({ [EXAMPLE]: 'relay' }),
      password: secret().describe('Password.'),
    })
    .describe('User and password.'),
  z
    .strictObject({
      type: z.literal('bearer'),
      token: secret().describe('Sent as `Authorization: Bearer TOKEN`.'),
    })
    .describe('A token that does not change by itself.'),
  z
    .strictObject({
      type: z.literal('api-key'),
      header: headerName.default('X-Api-Key').describe('Header that it is sent in.'),
      key: secret().describe('The key.'),
    })
    .describe('A key in a header.'),
  z
    .strictObject({
      type: z.literal('oauth2'),
      tokenUrl: address
        .describe('Where tokens are asked for.')
        .meta({ [EXAMPLE]: 'https://login.example.com/oauth2/token' }),
      clientId: z
        .string()
        .min(1)
        .describe('Client id.')
        .meta({ [EXAMPLE]: 'relay' }),
      clientSecret: secret().describe('Client secret.'),
      scope: z.string().min(1).optional().describe('Scopes, separated by blanks.'),
      audience: z.string().min(1).optional().describe('Audience, where the token server wants one.'),
      login: z
        .enum(['basic', 'body'])
        .default('basic')
        .describe('Whether id and secret are sent in the header, or in the body.'),
      tls: tlsSchema.optional().describe('For the token server.'),
    })
    .describe('Tokens by OAuth2 client credentials, renewed before they expire.'),
]);

const schema = z
  .strictObject({
    type: z.literal('http'),
    url: address
      .optional()
      .describe('Where to send. `http://` only to this machine, or with `tls.insecure`.')
      .meta({ [EXAMPLE]: 'https://siem.example.com/ingest' }),
    urls: z
      .array(address)
      .min(1)
      .optional()
      .describe('In place of `url`: several. The first that works is used.'),
    secretUrl: secret()
      .optional()
      .describe('In place of `url`: one whose path or query is as good as a password.'),
    method: z.enum(['POST', 'PUT']).default('POST').describe('Method of the requests.'),
    body: z
      .enum(bodies)
      .default('ndjson')
      .describe(
        'What a request holds: a line for each event (`ndjson`), a JSON array of them (`array`), or one event alone (`single`).',
      ),
    maxRequestBytes: size({ min: '16KiB', max: '64MiB' })
      .prefault('1MiB')
      .describe('Most bytes of one request, before it is compressed; a single event may have more.'),
    compression: z
      .enum(compressions)
      .default('none')
      .describe('How requests are compressed. A receiver that answers 415 gets them as they are.'),
    headers: z.array(header).max(50).default([]).describe('Further headers.'),
    auth: auth.prefault({ type: 'none' }).describe('How the relay shows who it is.'),
    tls: tlsSchema.optional().describe('For `https://`.'),
    proxy: proxyAddress
      .optional()
      .describe('HTTP proxy; without it HTTPS_PROXY and NO_PROXY count, for `https://`.'),
    proxyLogin: proxyLogin.optional().describe('Who we are at the proxy.'),
  })
  .superRefine(({ url, urls, secretUrl, auth, headers, tls, proxy, proxyLogin }, context) => {
    const refuse = (path: (string | number)[], message: string) =>
      context.addIssue({ code: 'custom', path, message });
    const given = [url, urls, secretUrl].filter((one) => one !== undefined).length;
    if (given === 0) refuse(['url'], 'missing; where to send');
    if (given > 1) refuse([url ? 'url' : 'urls'], 'give one of "url", "urls" and "secretUrl"');
    const problem = secretUrl && addressProblem(secretUrl.reveal());
    if (problem !== undefined) refuse(['secretUrl'], problem);
    if (isInClear(secretUrl?.reveal()) && !tls?.insecure) refuse(['secretUrl'], IN_CLEAR);
    if (proxyLogin && proxy === undefined) refuse(['proxyLogin'], 'needs the "proxy" that it is for');
    if (isInClear(url) && !tls?.insecure) refuse(['url'], IN_CLEAR);
    for (const [index, one] of (urls ?? []).entries())
      if (isInClear(one) && !tls?.insecure) refuse(['urls', index], IN_CLEAR);
    if (auth.type === 'oauth2' && isInClear(auth.tokenUrl) && !auth.tls?.insecure)
      refuse(['auth', 'tokenUrl'], IN_CLEAR);
    const isAuthorized = headers.some(({ name }) => name.toLowerCase() === 'authorization');
    if (isAuthorized && auth.type !== 'none' && auth.type !== 'api-key')
      refuse(['headers'], '"auth" sets the header Authorization; take one of them out');
  });

const IN_CLEAR =
  'expected https://: over http:// anybody on the way reads the events and the credentials. "tls: { insecure: true }" allows it';

/** Whether what is sent there can be read on its way. */
function isInClear(text: string | undefined): boolean {
  if (text === undefined || !URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  if (protocol !== 'http:') return false;
  const isLoopback =
    hostname === 'localhost' || hostname === '[::1]' || (isIP(hostname) === 4 && hostname.startsWith('127.'));
  return !isLoopback;
}

export type HttpSettings = z.output<typeof schema>;

export const http: SinkPlugin<typeof schema> = {
  schema,
  summary: 'Sends batches as HTTP requests to any address: webhooks, Logstash, Vector, Cribl.',
  defaultFormat: 'json',
  defaultEventBytes: () => EVENT_BYTES,
  maxInFlight: MAX_IN_FLIGHT,
  create(settings, { log, timeoutMs }) {
    const { method, body, compression, maxRequestBytes, proxy, proxyLogin } = settings;
    const tls = settings.tls ?? tlsSchema.parse({});
    const { url, urls = url === undefined ? [] : [url], secretUrl } = settings;
    const targets = [...urls, ...(secretUrl ? [secretUrl] : [])].map(targetOf);
    const way = { proxy, proxyLogin, log };
    const client = new HttpClient({ ...way, tls });
    const { auth, notes, warnings } = authOf(settings, way, timeoutMs);
    return new HttpSink({
      targets: new Targets(targets, log, () => performance.now()),
      client,
      auth,
      method,
      body,
      compression,
      maxRequestBytes,
      headers: settings.headers.map(({ name, value, secret }) => ({ name, value: secret ?? value ?? '' })),
      timeoutMs,
      now: Date.now,
      log,
      notes: [...client.notes(), ...notes],
      warnings: [
        ...(targets.some((target) => isInClear(target.url())) ? [IN_CLEAR_WARNING] : []),
        ...warnings,
      ],
    });
  },
};

const IN_CLEAR_WARNING =
  'url begins with http://: anybody on the way can read the events and the credentials. Use https://';

const TOKEN_IN_CLEAR_WARNING =
  'auth.tokenUrl begins with http://: anybody on the way can read the client secret and the tokens. Use https://';

/** With what an operator has to know of it. */
function authOf(
  { auth }: HttpSettings,
  way: Omit<ConstructorParameters<typeof HttpClient>[0], 'tls'>,
  timeoutMs: number,
): { auth: Auth } & Pick<HttpSinkOptions, 'notes' | 'warnings'> {
  if (auth.type !== 'oauth2') return { auth: staticAuth(auth), notes: [], warnings: [] };
  const client = new HttpClient({ ...way, tls: auth.tls ?? tlsSchema.parse({}), place: 'auth.tls' });
  return {
    // A token and the request that it is for share the time of one send.
    auth: tokenAuth(new ClientCredentials(auth, client, Math.floor(timeoutMs / 3))),
    notes: client.notes(),
    warnings: isInClear(auth.tokenUrl) ? [TOKEN_IN_CLEAR_WARNING] : [],
  };
}
