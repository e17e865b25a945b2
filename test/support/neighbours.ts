import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Closers } from '../../src/lib/closers.ts';
import { testCertificates } from './certificates.ts';
import { neverRead, type Script, slow, startCollector } from './collectors.ts';
import { type EventHubs, SERVER_BUSY, startEventHubs } from './event-hubs/index.ts';
import { startReceiver } from './http-receiver.ts';
import { lateAndReversed, type RelpScript, startRelpServer } from './relp-server.ts';

/** A receiver, the settings of the sink that sends to it, and what has arrived. */
export interface Neighbour {
  /** `tcp-dead`, … */
  readonly name: string;
  /** As they stand between the braces of a sink in YAML. */
  readonly settings: string;
  events(): readonly string[];
}

type Started = Omit<Neighbour, 'name'>;

/** Of each kind of sink the states in which its receiver can be. */
interface Kind {
  readonly healthy: () => Promise<Started>;
  /** It takes what comes, or the connection alone, and never says that it has it. */
  readonly dead: () => Promise<Started>;
  /** Left out: there is no such thing. */
  readonly slow?: () => Promise<Started>;
}

const SLOWLY_MS = 300;
const later = () => new Promise((resolve) => setTimeout(resolve, SLOWLY_MS));

/** Starts receivers of all kinds in all states. @param folder for their files */
export class Neighbourhood {
  readonly #folder: string;
  readonly #closers: Closers;

  constructor(folder: string, closers: Closers) {
    this.#folder = folder;
    this.#closers = closers;
  }

  readonly #kinds: Readonly<Record<string, Kind>> = {
    tcp: {
      healthy: () => this.#overTcp(),
      dead: () => this.#overTcp(neverRead),
      slow: () => this.#overTcp(slow(SLOWLY_MS)),
    },
    tls: {
      healthy: () => this.#overTls(),
      dead: () => this.#overTls(neverRead, true),
      slow: () => this.#overTls(slow(SLOWLY_MS)),
    },
    relp: {
      healthy: () => this.#overRelp(),
      dead: () => this.#overRelp(({ name }) => name === 'syslog'),
      slow: () => this.#overRelp(lateAndReversed(SLOWLY_MS)),
    },
    http: {
      healthy: () => this.#overHttp(),
      dead: () => this.#overHttp(() => new Promise(() => {})),
      slow: () => this.#overHttp(later),
    },
    'event-hubs': {
      healthy: () => this.#overAmqp(),
      dead: () => this.#overAmqp('silence'),
      slow: () => this.#overAmqp(SERVER_BUSY),
    },
    file: { healthy: () => this.#toFile(), dead: () => this.#toFile(false) },
  };

  get kinds(): readonly string[] {
    return Object.keys(this.#kinds);
  }

  /** @param states those that are wanted */
  async start(states: readonly (keyof Kind)[] = ['healthy', 'dead', 'slow']): Promise<readonly Neighbour[]> {
    const all: Neighbour[] = [];
    for (const [kind, known] of Object.entries(this.#kinds))
      for (const state of states) {
        const started = await known[state]?.();
        if (started) all.push({ name: `${kind}-${state}`, ...started });
      }
    return all;
  }

  #file(name: string): string {
    return join(mkdtempSync(join(this.#folder, 'neighbour-')), name);
  }

  async #overTcp(script?: Script): Promise<Started> {
    const collector = this.#closers.add('collector', await startCollector('lf', script && { script }));
    const settings = `type: syslog, host: 127.0.0.1, port: ${collector.port}`;
    return { settings, events: () => collector.events };
  }

  async #overTls(script?: Script, isPlain = false): Promise<Started> {
    const { ca, server } = await testCertificates();
    const file = this.#file('ca.pem');
    writeFileSync(file, ca);
    const options = { ...(!isPlain && { tls: server.good }), ...(script && { script }) };
    const collector = this.#closers.add('collector', await startCollector('octet-counting', options));
    const settings = `type: syslog, transport: tls, host: 127.0.0.1, port: ${collector.port}, tls: { ca: ${file} }`;
    return { settings, events: () => collector.events };
  }

  async #overRelp(script?: RelpScript): Promise<Started> {
    const server = this.#closers.add('relp', await startRelpServer(script && { script }));
    const settings = `type: syslog, transport: relp, host: 127.0.0.1, port: ${server.port}`;
    return { settings, events: () => server.accepted };
  }

  async #overHttp(after?: () => Promise<unknown>): Promise<Started> {
    const receiver = this.#closers.add('http', await startReceiver(after && (() => ({ after: after() }))));
    return { settings: `type: http, url: '${receiver.origin}/'`, events: () => receiver.taken };
  }

  async #overAmqp(always?: EventHubs['always']): Promise<Started> {
    const hubs = this.#closers.add('hubs', await startEventHubs());
    hubs.always = always;
    const secret = this.#file('connection-string');
    writeFileSync(secret, hubs.connectionString('alerts'));
    const settings = `type: event-hubs, connectionString: '\${file:${secret}}'`;
    return { settings, events: () => hubs.texts() };
  }

  /** In a folder that turns out to be a file, or not. */
  async #toFile(isThere = true): Promise<Started> {
    const folder = this.#file('folder');
    if (isThere) mkdirSync(folder);
    else writeFileSync(folder, '');
    const file = join(folder, 'events.log');
    const events = () => (isThere ? readFileSync(file, 'utf8').split('\n') : []);
    return { settings: `type: file, path: ${file}`, events };
  }
}
