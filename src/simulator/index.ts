import { randomInt } from 'node:crypto';
import { type Account, Ledger } from './account.ts';
import { AlertsApi } from './alerts-api.ts';
import { type Ca, makeCertificate } from './certificate.ts';
import { Authority, CLIENT_ID, CLIENT_SECRET } from './entra.ts';
import { type FaultName, FaultSwitches, type Faults } from './faults.ts';
import { givenAlert } from './given.ts';
import { type Endpoint, OrderedAnswers } from './ordered-answers.ts';
import { Poison } from './poison.ts';
import { Quota } from './quota.ts';
import { Random } from './random.ts';
import { type RefusalName, refusalTable } from './refusals.ts';
import type { AlertRevision } from './revision.ts';
import { serve } from './server.ts';
import { AlertStore, type Order } from './store.ts';
import { Timeline } from './timeline.ts';
import { Unrest } from './unrest.ts';

export type { Account, CompleteAnswer, Raised, RequestEntry } from './account.ts';
export {
  DEFAULT_PROBABILITY,
  type FaultName,
  type Faults,
  faultNames,
  faultTable,
  parseFaults,
} from './faults.ts';
export { readSimulatorCa, type SimulatorFiles, writeSimulatorFiles } from './files.ts';
export type { Endpoint } from './ordered-answers.ts';
export { parseRefusal, type RefusalName, refusalTable } from './refusals.ts';
export type { Order } from './store.ts';

const HOUR_MS = 3_600_000;

export interface SimulatorOptions {
  /** Address to listen on; default 127.0.0.1. */
  readonly host?: string | undefined;
  /** DNS name by which others reach it: in its certificate and in `url`; default: `url` has 127.0.0.1. */
  readonly name?: string | undefined;
  /** Default 0: one that is free. */
  readonly port?: number | undefined;
  /** Raise so many and no more; default: without an end. */
  readonly alerts?: number | undefined;
  /** Alerts a second, default 1; 0: all at the start. */
  readonly rate?: number | undefined;
  /** With `rate` 0: the alerts are spread evenly over so many milliseconds before the start; default 0. */
  readonly historyMs?: number | undefined;
  /** Alerts to serve as they are (as `lib/json.ts` reads them), all from the start; none are raised besides. */
  readonly input?: readonly object[] | undefined;
  /** Faults that are on, with their probability (0..1). */
  readonly faults?: Faults | undefined;
  /** All requests for a token, or all to Graph, are refused so; default: none. */
  readonly refuse?: RefusalName | undefined;
  /** Graph's limit of 150 requests a minute; default true. */
  readonly quota?: boolean | undefined;
  /** The same seed gives the same alerts; default: another one each time. */
  readonly seed?: number | undefined;
  /** Fault `late`: shortest and longest lateness; default 1 to 20 seconds. */
  readonly lateMs?: readonly [number, number] | undefined;
  /** Fault `very-late`: the same; default 1 to 6 hours. */
  readonly veryLateMs?: readonly [number, number] | undefined;
  /** Faults `update` and `unrevised`: shortest and longest time between two changes; default 1 to 10 seconds. */
  readonly updateMs?: readonly [number, number] | undefined;
  /** Fault `outage`: how long one lasts at least and at most; default 5 to 20 seconds. */
  readonly outageMs?: readonly [number, number] | undefined;
  /** Fault `ties`: so many alerts; default 3,000, and 400 when `skip-limit` is on too. */
  readonly ties?: number | undefined;
  /** Fault `skip-limit`: beyond so many rows no further page is offered; default 500 or 2,000, by chance. */
  readonly skipLimit?: number | undefined;
  /** So many alerts are there from the start, besides those that are raised; default 0. */
  readonly backlog?: number | undefined;
  /** How far back the first one of the backlog lies, the others follow evenly; default 24 hours. */
  readonly backlogSpanMs?: number | undefined;
  /** So many of the backlog, in its middle, have one and the same `lastUpdateDateTime`; default 0. */
  readonly backlogTies?: number | undefined;
  /** In which order a list is served; default `newest`, as Graph's page says. */
  readonly order?: Order | undefined;
  /** A larger `$top` is silently taken for this; default 1,000. */
  readonly maxTop?: number | undefined;
  /** Application roles of the client; default `SecurityAlert.Read.All`. */
  readonly roles?: readonly string[] | undefined;
  /** How long a token is good; default 3599 seconds. */
  readonly tokenSeconds?: number | undefined;
  /** Signs the server's certificate; default: one made for this. */
  readonly ca?: Ca | undefined;
  /** How long a next link is good; default ten minutes. */
  readonly nextLinkMs?: number | undefined;
  /** Milliseconds since 1970, of everything: stamps, `Date`, expiry. Default `Date.now`. */
  readonly clock?: (() => number) | undefined;
}

/** Microsoft Graph's alerts and the token endpoint of Entra ID, on this machine, with faults to order (D12). */
export interface Simulator {
  /** `https://127.0.0.1:PORT` (or with the name it was given): root of Graph and authority at once. */
  readonly url: string;
  /** The CA to trust. */
  readonly caPem: string;
  /** Its private key. */
  readonly caKeyPem: string;
  /** Any GUID will do; this one stands in the alerts. */
  readonly tenantId: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly seed: number;
  /** What it has done until now. The lists are live. */
  readonly account: Account;
  /** How often each fault has struck until now. */
  readonly strikes: ReadonlyMap<FaultName, number>;
  /** Graph's limit of 150 requests a minute is on. */
  readonly quota: boolean;
  /** Roles that the next token will hold. */
  setRoles(roles: readonly string[]): void;
  /** These faults from now on, and no others. */
  setFaults(faults: Faults): void;
  /** All faults off. Planned updates are dropped; what is late still becomes visible in its time. */
  heal(): void;
  /**
   * The next request to Graph (with a good token), or for a token, is answered so, whatever the faults are; called
   * several times: the next ones. The account does not count it as an answer with alerts.
   *
   * @param body JSON, unless it is text: then it is sent as it is
   */
  answerNext(status: number, body: unknown, headers?: Readonly<Record<string, string>>, to?: Endpoint): void;
  /** Until the next `setFaults` or `heal` this `lastUpdateDateTime` cannot be read (fault `poison-page`). */
  poison(revision: string | undefined): void;
  /** Raises alerts now, beyond those of the rate; default one. `tied`: with one time, and spared by the faults. */
  raise(count?: number, how?: { readonly tied?: boolean }): void;
  /** Changes alerts now, each to a new revision: these, or so many of those that can be read; default one. */
  update(which?: readonly string[] | number): void;
  /** Raises and updates nothing more by itself; goes on answering. */
  stopRaising(): void;
  /** Ends server and connections. Safe twice. */
  close(): Promise<void>;
}

/**
 * Starts a simulator, ready to be asked.
 *
 * @throws {Error} when the options contradict each other, an input alert is no alert, or the port is taken
 */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const { input, rate = 1, clock = Date.now, seed = randomInt(2 ** 31) } = options;
  const alerts = input ? 0 : (options.alerts ?? Infinity);
  if (rate === 0 && alerts === Infinity) {
    throw new Error('rate 0 raises all alerts at the start: say how many with "alerts"');
  }
  const { backlog = 0, backlogTies = 0 } = options;
  if (backlogTies > backlog) {
    throw new Error(`backlogTies (${backlogTies}) cannot be more than the backlog (${backlog})`);
  }
  // Streams of their own, so that the number of requests has no say in the alerts.
  const stream = (name: number) => new Random(seed, -name);
  const tenantId = stream(1).guid();
  const ledger = new Ledger();
  const store = new AlertStore(options.order);
  const faults = new FaultSwitches(options.faults ?? {}, {
    random: stream(2),
    outageMs: options.outageMs ?? [5_000, 20_000],
  });
  const timeline = new Timeline(
    {
      seed,
      tenantId,
      startMs: clock(),
      random: stream(6),
      rate,
      alerts,
      historyMs: options.historyMs ?? 0,
      lateMs: options.lateMs ?? [1_000, 20_000],
      veryLateMs: options.veryLateMs ?? [HOUR_MS, 6 * HOUR_MS],
      updateMs: options.updateMs ?? [1_000, 10_000],
    },
    store,
    faults,
    ledger.raised,
  );
  timeline.raiseBacklog({
    count: backlog,
    spanMs: options.backlogSpanMs ?? 24 * HOUR_MS,
    tied: backlogTies,
  });
  const given = (input ?? []).map((body, index) => givenAlert(body, index));
  for (const alert of given.toSorted(byRevision)) timeline.give(alert);
  timeline.advance(clock());
  const authority = new Authority({
    roles: options.roles ?? ['SecurityAlert.Read.All'],
    lifetimeSeconds: options.tokenSeconds ?? 3599,
    random: stream(3),
  });
  const poison = new Poison();
  const ordered = new OrderedAnswers();
  const choice = stream(7);
  const unrest = new Unrest({ timeline, store, faults, random: choice, ties: options.ties });
  const account = openAccount({ ledger, store, timeline, poison, clock });
  // By the true time: whoever connects checks it, whatever the time of the alerts is.
  const certificate = await makeCertificate(Date.now(), options.ca, options.name);
  const server = await serve(
    {
      timeline,
      alerts: new AlertsApi({
        store,
        faults,
        unrest,
        poison,
        random: stream(4),
        nextLinkMs: options.nextLinkMs ?? 600_000,
        maxTop: options.maxTop ?? 1_000,
        skipLimit: options.skipLimit,
      }),
      authority,
      faults,
      quota: new Quota(options.quota ?? true, faults),
      ordered,
      refusal: options.refuse && refusalTable[options.refuse].error,
      ledger,
      account,
      random: stream(5),
      clock,
    },
    certificate,
    { host: options.host ?? '127.0.0.1', port: options.port ?? 0 },
  );

  const setFaults = (on: Faults) => {
    // What is due already happens under the faults of its time.
    timeline.advance(clock());
    faults.set(on);
    if (!on['poison-page']) poison.set(undefined);
  };

  return {
    url: `https://${options.name ?? '127.0.0.1'}:${server.port}`,
    caPem: certificate.ca,
    caKeyPem: certificate.caKey,
    tenantId,
    clientId: CLIENT_ID,
    clientSecret: CLIENT_SECRET,
    seed,
    account,
    strikes: faults.strikes,
    quota: options.quota ?? true,
    setRoles: (roles) => {
      authority.roles = roles;
    },
    setFaults,
    heal: () => {
      setFaults({});
      timeline.cancelUpdates();
    },
    answerNext: (status, body, headers = {}, to = 'graph') => ordered.add(to, status, body, headers),
    poison: (revision) => poison.set(revision),
    raise: (count = 1, how = {}) => timeline.raise(count, clock(), how),
    update: (which = 1) => {
      timeline.advance(clock());
      const alerts = typeof which === 'number' ? someOf(store, which, choice) : these(store, which);
      timeline.update(alerts, clock());
    },
    stopRaising: () => {
      timeline.advance(clock());
      timeline.stop();
    },
    close: () => server.close(),
  };
}

function byRevision(a: AlertRevision, b: AlertRevision): number {
  const [left, right] = [a.fields.lastUpdateDateTime, b.fields.lastUpdateDateTime];
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

/** So many different ones, by chance. */
function someOf(store: AlertStore, count: number, random: Random): AlertRevision[] {
  const all = store.all();
  const chosen = new Set<AlertRevision>();
  while (chosen.size < Math.min(count, all.length)) chosen.add(random.pick(all));
  return [...chosen];
}

function these(store: AlertStore, ids: readonly string[]): AlertRevision[] {
  return ids.map((id) => {
    const alert = store.get(id);
    if (!alert) throw new Error(`no alert "${id}" can be read`);
    return alert;
  });
}

/** The account as it is read: up to this moment. */
function openAccount(parts: {
  ledger: Ledger;
  store: AlertStore;
  timeline: Timeline;
  poison: Poison;
  clock: () => number;
}): Account {
  const { ledger, store, timeline, poison, clock } = parts;
  return {
    get raised() {
      timeline.advance(clock());
      return ledger.raised;
    },
    get pending() {
      timeline.advance(clock());
      return timeline.pending;
    },
    get throttled() {
      return ledger.throttled;
    },
    get busiestMinute() {
      return ledger.busiestMinute();
    },
    get poisoned() {
      return poison.revision;
    },
    answers: ledger.answers,
    requests: ledger.requests,
    newest: () => {
      timeline.advance(clock());
      return new Map(store.all().map(({ id, revision }) => [id, revision]));
    },
  };
}
