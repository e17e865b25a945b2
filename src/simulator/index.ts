import { randomInt } from 'node:crypto';
import { type Account, Ledger } from './account.ts';
import { AlertsApi } from './alerts-api.ts';
import { makeCertificate } from './certificate.ts';
import { Authority, CLIENT_ID, CLIENT_SECRET } from './entra.ts';
import { FaultSwitches, type Faults } from './faults.ts';
import { givenAlert } from './given.ts';
import { Quota } from './quota.ts';
import { Random } from './random.ts';
import { serve } from './server.ts';
import { AlertStore } from './store.ts';
import { Timeline } from './timeline.ts';

export type { Account, CompleteAnswer, Raised, RequestEntry } from './account.ts';
export {
  DEFAULT_PROBABILITY,
  type FaultName,
  type Faults,
  faultNames,
  faultTable,
  parseFaults,
} from './faults.ts';
export { type SimulatorFiles, writeSimulatorFiles } from './files.ts';

export interface SimulatorOptions {
  /** Address to listen on; default 127.0.0.1. */
  readonly host?: string | undefined;
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
  /** Graph's limit of 150 requests a minute; default true. */
  readonly quota?: boolean | undefined;
  /** The same seed gives the same alerts; default: another one each time. */
  readonly seed?: number | undefined;
  /** Fault `late`: shortest and longest lateness; default 1 to 20 seconds. */
  readonly lateMs?: readonly [number, number] | undefined;
  /** Fault `update`: shortest and longest time between two revisions; default 1 to 10 seconds. */
  readonly updateMs?: readonly [number, number] | undefined;
  /** Application roles of the client; default `SecurityAlert.Read.All`. */
  readonly roles?: readonly string[] | undefined;
  /** How long a token is good; default 3599 seconds. */
  readonly tokenSeconds?: number | undefined;
  /** How long a next link is good; default ten minutes. */
  readonly nextLinkMs?: number | undefined;
  /** Milliseconds since 1970, of everything: stamps, `Date`, expiry. Default `Date.now`. */
  readonly clock?: (() => number) | undefined;
}

/** Microsoft Graph's alerts and the token endpoint of Entra ID, on this machine, with faults to order (D12). */
export interface Simulator {
  /** `https://127.0.0.1:PORT`: root of Graph and authority at once. */
  readonly url: string;
  /** The CA to trust. */
  readonly caPem: string;
  /** Any GUID will do; this one stands in the alerts. */
  readonly tenantId: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly seed: number;
  /** What it has done until now. The lists are live. */
  readonly account: Account;
  /** Roles that the next token will hold. */
  setRoles(roles: readonly string[]): void;
  /** These faults from now on, and no others. */
  setFaults(faults: Faults): void;
  /** All faults off. Planned updates are dropped; what is late still becomes visible in its time. */
  heal(): void;
  /** Raises alerts now, beyond those of the rate; default one. */
  raise(count?: number): void;
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
  // Streams of their own, so that the number of requests has no say in the alerts.
  const stream = (name: number) => new Random(seed, -name);
  const tenantId = stream(1).guid();
  const ledger = new Ledger();
  const store = new AlertStore();
  const faults = new FaultSwitches(options.faults ?? {}, stream(2));
  const timeline = new Timeline(
    {
      seed,
      tenantId,
      startMs: clock(),
      rate,
      alerts,
      historyMs: options.historyMs ?? 0,
      lateMs: options.lateMs ?? [1_000, 20_000],
      updateMs: options.updateMs ?? [1_000, 10_000],
    },
    store,
    faults,
    ledger.raised,
  );
  for (const alert of (input ?? []).map(givenAlert).toSorted(byRevision)) timeline.give(alert);
  timeline.advance(clock());
  const authority = new Authority({
    roles: options.roles ?? ['SecurityAlert.Read.All'],
    lifetimeSeconds: options.tokenSeconds ?? 3599,
    random: stream(3),
  });
  const account = openAccount(ledger, store, timeline, clock);
  // By the true time: whoever connects checks it, whatever the time of the alerts is.
  const certificate = await makeCertificate(Date.now());
  const server = await serve(
    {
      timeline,
      alerts: new AlertsApi(store, { random: stream(4), nextLinkMs: options.nextLinkMs ?? 600_000 }),
      authority,
      faults,
      quota: options.quota === false ? undefined : new Quota(),
      ledger,
      account,
      random: stream(5),
      clock,
    },
    certificate,
    { host: options.host ?? '127.0.0.1', port: options.port ?? 0 },
  );

  return {
    url: `https://127.0.0.1:${server.port}`,
    caPem: certificate.ca,
    tenantId,
    clientId: CLIENT_ID,
    clientSecret: CLIENT_SECRET,
    seed,
    account,
    setRoles: (roles) => {
      authority.roles = roles;
    },
    setFaults: (on) => {
      // What is due already happens under the faults of its time.
      timeline.advance(clock());
      faults.set(on);
    },
    heal: () => {
      timeline.advance(clock());
      faults.set({});
      timeline.cancelUpdates();
    },
    raise: (count = 1) => timeline.raise(count, clock()),
    stopRaising: () => {
      timeline.advance(clock());
      timeline.stop();
    },
    close: () => server.close(),
  };
}

function byRevision(a: ReturnType<typeof givenAlert>, b: ReturnType<typeof givenAlert>): number {
  const [left, right] = [a.fields.lastUpdateDateTime, b.fields.lastUpdateDateTime];
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

/** The account as it is read: up to this moment. */
function openAccount(ledger: Ledger, store: AlertStore, timeline: Timeline, clock: () => number): Account {
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
    answers: ledger.answers,
    requests: ledger.requests,
    newest: () => {
      timeline.advance(clock());
      return new Map(store.all().map(({ id, revision }) => [id, revision]));
    },
  };
}
