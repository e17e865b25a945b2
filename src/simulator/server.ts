import { once } from 'node:events';
import { createServer } from 'node:https';
import { type AddressInfo, BlockList, isIPv6, type Socket } from 'node:net';
import { createAdaptorServer, type HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { type Account, accountJson, type Ledger } from './account.ts';
import type { AlertsApi } from './alerts-api.ts';
import { type Answer, badRequest, errorAnswer, GraphError, type RequestIds } from './answer.ts';
import type { Certificate } from './certificate.ts';
import { type Authority, type Token, TokenError } from './entra.ts';
import type { FaultSwitches, Harm } from './faults.ts';
import type { OrderedAnswers } from './ordered-answers.ts';
import type { Quota } from './quota.ts';
import type { Random } from './random.ts';
import type { Timeline } from './timeline.ts';
import { TcpSockets, transmit, type WireHarm } from './transmit.ts';

/** What the server is made of. */
export interface Parts {
  readonly timeline: Timeline;
  readonly alerts: AlertsApi;
  readonly authority: Authority;
  readonly faults: FaultSwitches;
  readonly quota: Quota;
  readonly ordered: OrderedAnswers;
  /** What all requests of its kind are refused with. */
  readonly refusal: TokenError | GraphError | undefined;
  readonly ledger: Ledger;
  readonly account: Account;
  readonly random: Random;
  readonly clock: () => number;
}

type Request = Context<{ Bindings: HttpBindings }>;

/** Longest pause between two requests on a connection: so long that no poller runs into its end by accident. */
const KEEP_ALIVE_MS = 120_000;

const MAX_FORM_BYTES = 65_536;

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8);
loopback.addAddress('::1', 'ipv6');

/** A server that listens. */
export interface Listening {
  readonly port: number;
  /** Ends it and its connections. Safe twice. */
  close(): Promise<void>;
}

/** Graph, the token endpoint and the account, as one HTTPS server. */
export async function serve(
  parts: Parts,
  certificate: Certificate,
  address: { host: string; port: number },
): Promise<Listening> {
  const { authority, clock, faults, ordered, random, refusal } = parts;
  const sockets = new TcpSockets();
  const send = (c: Request, answer: Answer, harm?: WireHarm) =>
    transmit(c.env.outgoing, dated(answer, clock()), sockets, harm).then(() => RESPONSE_ALREADY_SENT);
  const app = new Hono<{ Bindings: HttpBindings }>();

  app.get('/simulator/account', (c) => {
    const address = c.env.incoming.socket.remoteAddress ?? '';
    const local = loopback.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
    if (!local) return c.text('only from this machine\n', 403);
    return c.body(accountJson(parts.account), 200, { 'Content-Type': 'application/json' });
  });

  app.get('/:tenant/v2.0/.well-known/openid-configuration', (c) => {
    const { origin } = new URL(c.req.url);
    return send(c, authority.discover(c.req.param('tenant'), origin, clock()));
  });

  app.post('/:tenant/oauth2/v2.0/token', bodyLimit({ maxSize: MAX_FORM_BYTES }), async (c) => {
    const form = new URLSearchParams(await c.req.text());
    const nowMs = clock();
    const inItsPlace = ordered.take('token');
    if (inItsPlace) return send(c, inItsPlace);
    if (refusal instanceof TokenError) return send(c, authority.refuse(refusal, nowMs));
    const harm = faults.draw('token', nowMs);
    const answer = () => authority.issue(c.req.param('tenant'), form, new URL(c.req.url).origin, nowMs);
    if (harm?.kind !== 'instead') return send(c, answer(), harm);
    return send(c, harm.answer instanceof GraphError ? authority.transient(harm.answer, nowMs) : harm.answer);
  });

  app.all('/v1.0/*', (c) => serveGraph(c, parts, sockets));

  app.all('*', (c) => send(c, errorAnswer(noSuchResource(c), idsOf(c, random, clock()))));

  // A bug of the simulator shows itself, instead of looking like one of Graph's outages.
  app.onError((error, c) => c.text(`the simulator failed: ${error.stack}\n`, 500));

  const server = createAdaptorServer({
    fetch: app.fetch,
    createServer,
    serverOptions: { cert: certificate.cert, key: certificate.key, keepAliveTimeout: KEEP_ALIVE_MS },
  });
  server.on('connection', (socket: Socket) => sockets.add(socket));
  server.listen(address.port, address.host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      if (!server.listening) return;
      const closed = once(server, 'close');
      server.close();
      sockets.destroy();
      await closed;
    },
  };
}

/** One request to Graph: token, quota, fault, role, answer, and its line in the account. */
async function serveGraph(c: Request, parts: Parts, sockets: TcpSockets): Promise<Response> {
  const { authority, faults, ledger, ordered, quota, random, clock, refusal } = parts;
  const nowMs = clock();
  parts.timeline.advance(nowMs);
  const url = new URL(c.req.url);
  const ids = idsOf(c, random, nowMs);
  const entry = ledger.request(nowMs, url.pathname + url.search);
  let harm: Harm | undefined;
  let answer: Answer;
  try {
    const token = authority.check(c.req.header('authorization'), nowMs);
    entry.token = token.number;
    const inItsPlace = ordered.take('graph');
    if (inItsPlace) answer = inItsPlace;
    else {
      if (refusal instanceof GraphError) throw refusal;
      quota.take(token.tenant, nowMs);
      harm = faults.draw('graph', nowMs);
      if (harm?.kind === 'instead') {
        if (harm.revokes) authority.revoke(token);
        if (harm.answer instanceof GraphError) throw harm.answer;
        answer = harm.answer;
      } else {
        checkRole(token);
        answer = route(c, url, parts.alerts, nowMs);
      }
    }
  } catch (error) {
    if (!(error instanceof GraphError)) throw error;
    answer = errorAnswer(error, ids);
  }
  if (harm?.kind !== 'silence') entry.status = answer.status;
  if (answer.status === 429) ledger.throttled += 1;
  const headers = { 'request-id': ids.requestId, 'client-request-id': ids.clientRequestId };
  const marked = dated({ ...answer, headers: { ...answer.headers, ...headers } }, nowMs);
  const wireHarm = harm?.kind === 'instead' ? undefined : harm;
  const complete = await transmit(c.env.outgoing, marked, sockets, wireHarm);
  if (complete && answer.alerts) ledger.complete(entry, answer.alerts);
  return RESPONSE_ALREADY_SENT;
}

/** Graph's clock is its `Date` header, on every answer. */
function dated(answer: Answer, nowMs: number): Answer {
  return { ...answer, headers: { ...answer.headers, Date: new Date(nowMs).toUTCString() } };
}

/** @throws {GraphError} 404, 405, or what the resource refuses */
function route(c: Request, url: URL, alerts: AlertsApi, nowMs: number): Answer {
  const match = /^\/v1\.0\/security\/alerts_v2(?:\/([^/]+))?$/.exec(url.pathname);
  if (!match) throw noSuchResource(c);
  if (c.req.method !== 'GET') {
    throw new GraphError(405, 'Request_BadRequest', `The method '${c.req.method}' is not allowed here.`);
  }
  const allMembers = /(^|,)\s*include-unknown-enum-members\s*(,|$)/i.test(c.req.header('prefer') ?? '');
  const id = match[1];
  if (id === undefined) return alerts.list(url, allMembers, nowMs);
  return alerts.get(decoded(id), url.origin, allMembers);
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw badRequest('Bad Request - Error in query syntax.');
  }
}

function noSuchResource(c: Request): GraphError {
  const segment = c.req.path.split('/').at(-1);
  return new GraphError(404, 'BadRequest', `Resource not found for the segment '${segment}'.`);
}

/** Roles that Graph takes for alerts; the last two are on its list, though the page does not name them. */
const acceptedRoles = [
  'SecurityAlert.Read.All',
  'SecurityAlert.ReadWrite.All',
  'SecurityIncident.Read.All',
  'SecurityIncident.ReadWrite.All',
];

function checkRole(token: Token): void {
  if (acceptedRoles.some((role) => token.roles.includes(role))) return;
  throw new GraphError(
    403,
    'Forbidden',
    `Missing application roles. API required roles: ${acceptedRoles.join(',')}, application roles: ${token.roles.join(',')}.`,
  );
}

function idsOf(c: Request, random: Random, nowMs: number): RequestIds {
  const requestId = random.guid();
  return { requestId, clientRequestId: c.req.header('client-request-id') ?? requestId, nowMs };
}
