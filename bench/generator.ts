/**
 * Graph and its token endpoint with so many alerts, from bytes that are there already: `--dir DIR --alerts N`. Writes
 * the simulator's files into DIR, and is asked as the simulator is, for lists by `lastUpdateDateTime` alone. The
 * simulator itself keeps and renders objects, which takes as much of the processor as the relay that is measured.
 *
 * They are there from the start; or, with `--rate N --stamps FILE`, so many rise each second, and when each was served
 * for the first time, to the last byte of its page, stands in the file at the end.
 */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { makeCertificate } from '../src/simulator/certificate.ts';
import { Authority, CLIENT_ID, CLIENT_SECRET } from '../src/simulator/entra.ts';
import { writeSimulatorFiles } from '../src/simulator/files.ts';
import { windowOf } from '../src/simulator/filter.ts';
import { parseQuery } from '../src/simulator/query.ts';
import { Random } from '../src/simulator/random.ts';
import { Alerts, FIRST_MS, risingFrom, TENANT } from './alerts.ts';
import { preciseNow, Stamps } from './stamps.ts';

const MOST_TOP = 1_000;
const DEFAULT_TOP = 100;

const { values } = parseArgs({
  options: {
    dir: { type: 'string' },
    alerts: { type: 'string' },
    rate: { type: 'string' },
    stamps: { type: 'string' },
  },
});
const total = Number(values.alerts);
const rate = values.rate === undefined ? undefined : Number(values.rate);
const begun = Date.now();
const alerts = new Alerts(rate === undefined ? {} : { keyAt: risingFrom(begun, rate) });
const stamps = values.stamps === undefined ? undefined : new Stamps(total, values.stamps);
/** So many can be read now. */
const count = (): number =>
  rate === undefined ? total : Math.min(total, Math.floor(((Date.now() - begun) * rate) / 1000));

/** Enough for the largest page. */
const PAGE_BYTES = MOST_TOP * (alerts.mostBytes + 1) + 4_096;
/** Memory of pages that have been sent. */
const idle: Buffer[] = [];
const authority = new Authority({
  roles: ['SecurityAlert.Read.All'],
  lifetimeSeconds: 3_599,
  random: new Random(1),
});
const certificate = await makeCertificate(Date.now());
const server = createServer({ cert: certificate.cert, key: certificate.key }, (request, response) => {
  answer(request, response).catch((error) => {
    // A relay that asks for something else is not measured with wrong answers.
    console.error(error);
    process.exit(1);
  });
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
await writeSimulatorFiles(values.dir!, {
  url: origin,
  caPem: certificate.ca,
  caKeyPem: certificate.caKey,
  tenantId: TENANT,
  clientId: CLIENT_ID,
  clientSecret: CLIENT_SECRET,
  quota: false,
  account: { raised: [{ raisedAt: rate === undefined ? FIRST_MS : begun }] },
});
console.log(`ready at ${origin} since ${begun}`);

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url!, origin);
  const [, tenant = ''] = url.pathname.split('/');
  if (url.pathname.endsWith('/openid-configuration')) {
    send(response, authority.discover(tenant, origin, Date.now()));
  } else if (url.pathname.endsWith('/token')) {
    const form = new URLSearchParams(await text(request));
    send(response, authority.issue(tenant, form, origin, Date.now()));
  } else {
    authority.check(request.headers.authorization, Date.now());
    const memory = idle.pop() ?? Buffer.allocUnsafeSlow(PAGE_BYTES);
    const { body, begin, end } = list(url, memory);
    response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': body.length });
    response.end(body);
    response.once('close', () => {
      idle.push(memory);
      const now = preciseNow();
      for (let number = begin; stamps && number < end; number++) stamps.note(number, now);
    });
  }
}

function send(response: ServerResponse, { status, headers, body }: ReturnType<Authority['discover']>): void {
  response.writeHead(status, headers);
  response.end(body);
}

/** A page, and which alerts stand on it. */
function list(url: URL, memory: Buffer): { body: Buffer; begin: number; end: number } {
  const { filter, top = DEFAULT_TOP, skipToken = '0', count: counts } = parseQuery(url.searchParams);
  const window = windowOf(filter);
  if (window.rest) throw new Error(`not only by time: ${url.search}`);
  const there = count();
  const [from, to] = [alerts.firstFrom(window.from, there), alerts.firstFrom(window.to, there)];
  const end = Math.max(from, to - Number(skipToken));
  const begin = Math.max(from, end - Math.min(top, MOST_TOP));
  const next = new URL(url);
  next.searchParams.set('$skiptoken', String(to - begin));
  const head = {
    '@odata.context': `${origin}/v1.0/$metadata#security/alerts_v2`,
    ...(counts && { '@odata.count': to - from }),
    ...(begin > from && { '@odata.nextLink': next.href }),
  };
  return { body: alerts.page(head, begin, end, memory), begin, end };
}
