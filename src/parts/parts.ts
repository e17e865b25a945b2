import type { Config, SinkConfig, SourceConfig } from '../config/schema.ts';
import { JournalUnavailableError } from '../core/errors.ts';
import type { JournalStats } from '../core/journal.ts';
import type { Stop } from '../lib/stop.ts';
import { isAbort, orAbort } from '../lib/wait.ts';
import { openGraph, type TenantGraph } from '../net/graph.ts';
import { type Comparable, comparable } from './comparable.ts';
import { keyOf } from './key.ts';
import type { Part, PartContext } from './part.ts';
import { type SinkPart, sinkPart } from './sink-part.ts';
import { type SourcePart, sourcePart } from './source-part.ts';

/** A part, and whether that of another config is the same. */
interface Member<P extends Part = Part> {
  /** `source alerts`: nothing else has it. */
  readonly name: string;
  readonly key: string;
  readonly part: P;
}

/** A member at work. */
interface AtWork<P extends Part = Part> extends Member<P> {
  /** Ends it: softly, after `graceMs` hard. Resolves when it has ended and let go of everything. */
  end(graceMs: number): Promise<void>;
  readonly ended: Promise<void>;
}

interface Tenant {
  readonly key: string;
  readonly graph: TenantGraph;
}

/** What another config wants, made or taken over. */
interface Made {
  readonly tenants: ReadonlyMap<string, Tenant>;
  readonly sources: readonly Member<SourcePart>[];
  readonly sinks: readonly Member<SinkPart>[];
}

/** What a change came to: names of parts. */
export interface Changed {
  readonly started: readonly string[];
  readonly ended: readonly string[];
  readonly kept: number;
}

/** The part of a relay's config that says which parts there are. */
export type PartsConfig = Pick<Config, 'tenants' | 'sources' | 'sinks' | 'heartbeat' | 'stop' | 'reconcile'>;

/**
 * All sources and sinks of the relay. They come to be, and are changed while the relay runs, in one and the same way:
 * {@link change}. What two configs have in common goes on untouched.
 */
export class Parts {
  readonly #context: PartContext;
  readonly #stop: Stop;
  readonly #failed = new AbortController();
  /** Nothing is begun any more. */
  readonly #over: AbortSignal;
  readonly #sources = new Map<string, AtWork<SourcePart>>();
  readonly #sinks = new Map<string, AtWork<SinkPart>>();
  readonly #tenants = new Map<string, Tenant>();
  #changing: Promise<unknown> = Promise.resolve();
  /** That of the parts which are at work. */
  #config: PartsConfig | undefined;

  constructor(context: PartContext, stop: Stop) {
    this.#context = context;
    this.#stop = stop;
    this.#over = AbortSignal.any([stop.soft, this.#failed.signal]);
  }

  /**
   * Makes the parts be those of `config`. In this order: new ones are made, which may fail, and then nothing has changed;
   * those that are not the same any more end, and sinks confirm what they have written; the journal is told of all sinks,
   * in one commit, so that what is read from then on is owed to each of them (K8); the new ones begin. A sink that has
   * changed goes on from its cursor, which nobody else moves any more by then.
   *
   * @throws {RelayError} something cannot be made as the config wants it
   */
  change(config: PartsConfig): Promise<Changed> {
    const changed = this.#changing.then(() => this.#change(config));
    this.#changing = changed.catch(() => {});
    return changed;
  }

  /** Resolves when all have ended, which is after a stop. */
  async ended(): Promise<void> {
    if (!this.#over.aborted)
      await new Promise((resolve) => this.#over.addEventListener('abort', resolve, { once: true }));
    await this.#changing;
    await Promise.all(this.#all().map(({ ended }) => ended));
    if (this.#failed.signal.aborted) throw this.#failed.signal.reason;
  }

  /** Of the present config: when, and how far back, it is compared. */
  get reconcile(): PartsConfig['reconcile'] | undefined {
    return this.#config?.reconcile;
  }

  /** What can be compared by the present config. */
  comparable(): Comparable {
    const config = this.#config;
    if (!config) return { sources: [], sinks: [] };
    const graphs = new Map([...this.#tenants].map(([name, { graph }]) => [name, graph]));
    return comparable(config, graphs, this.#context);
  }

  reopen(): void {
    for (const { part } of this.#sinks.values()) part.reopen();
  }

  async close(): Promise<void> {
    const ends = await Promise.allSettled(this.#all().map(({ part }) => part.close()));
    for (const { graph } of this.#tenants.values()) await graph.close();
    const failures = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []));
    if (failures.length > 0) throw new AggregateError(failures, 'not everything could be closed');
  }

  async #change(config: PartsConfig): Promise<Changed> {
    const { journal } = this.#context;
    const tenants = new Map<string, Tenant>();
    let sources: Member<SourcePart>[];
    let sinks: Member<SinkPart>[];
    try {
      for (const settings of config.tenants) tenants.set(settings.name, this.#tenant(settings));
      const graphs = new Map([...tenants].map(([name, { graph }]) => [name, graph]));
      sources = config.sources.map((settings) => {
        const { window } = config.reconcile;
        const key = keyOf([settings, tenants.get(settings.tenant)?.key, window]);
        const make = () => sourcePart(settings, window, graphs, this.#context);
        return this.#sameOr(this.#sources, sourceName(settings), key, make);
      });
      sinks = config.sinks.map((settings) => {
        // Another tenant is another credential.
        const tenant = 'tenant' in settings ? tenants.get(settings.tenant ?? '') : undefined;
        const key = keyOf([settings, config.heartbeat, tenant?.key]);
        const credential = (name: string) => tenants.get(name)!.graph.credential;
        const make = () => sinkPart(settings, config.heartbeat.every, credential, this.#context);
        return this.#sameOr(this.#sinks, sinkName(settings), key, make);
      });
    } catch (error) {
      await this.#closeTenants(tenants, this.#tenants);
      throw error;
    }

    await orAbort(journal.available(), this.#over);
    try {
      return await this.#replace(config, { tenants, sources, sinks });
    } catch (error) {
      // Half of it is done, and there is no way back: that is the end, unless it ends anyway.
      if (!isAbort(error) || !this.#over.aborted) this.#failed.abort(error);
      throw error;
    }
  }

  async #replace(config: PartsConfig, { tenants, sources, sinks }: Made): Promise<Changed> {
    const { journal } = this.#context;
    const wanted = new Set<Part>([...sources, ...sinks].map(({ part }) => part));
    const leaving = this.#all().filter(({ part }) => !wanted.has(part));
    await Promise.all(leaving.map((member) => member.end(config.stop.grace)));
    const names = new Set([...sources, ...sinks].map(({ name }) => name));
    for (const { name, part } of leaving) {
      this.#sources.delete(name);
      this.#sinks.delete(name);
      if (!names.has(name)) await part.forget();
    }
    await this.#closeTenants(this.#tenants, tenants);
    for (const name of this.#tenants.keys()) {
      if (tenants.has(name)) continue;
      this.#tenants.delete(name);
      await this.#context.metrics.forget({ tenant: name });
    }
    for (const [name, tenant] of tenants) this.#tenants.set(name, tenant);

    this.#config = config;
    const before = await this.#stats();
    const positions = await orAbort(journal.register(sinks.map(({ part }) => part.registration)), this.#over);
    const after = await this.#stats();
    const comingSources = sources.filter(({ name }) => !this.#sources.has(name));
    const comingSinks = sinks.filter(({ name }) => !this.#sinks.has(name));
    for (const member of comingSources) {
      const run = (stop: Stop) => member.part.run(stop);
      this.#sources.set(member.name, this.#begin(member, run));
    }
    for (const member of comingSinks) {
      const from = positions.get(member.part.registration.name)!;
      const run = (stop: Stop) => member.part.run(stop, { from, before, after });
      this.#sinks.set(member.name, this.#begin(member, run));
    }
    const coming = [...comingSources, ...comingSinks];
    return {
      started: coming.map(({ name }) => name),
      ended: leaving.map(({ name }) => name).filter((name) => !names.has(name)),
      kept: names.size - coming.length,
    };
  }

  /** Waited for while the disk is at fault. */
  async #stats(): Promise<JournalStats> {
    const { journal } = this.#context;
    for (;;) {
      await orAbort(journal.available(), this.#over);
      try {
        return await orAbort(journal.stats(), this.#over);
      } catch (error) {
        if (!(error instanceof JournalUnavailableError)) throw error;
      }
    }
  }

  #all(): AtWork[] {
    return [...this.#sources.values(), ...this.#sinks.values()];
  }

  /** The one at work, if it is the same, else a new one. */
  #sameOr<P extends Part>(
    atWork: ReadonlyMap<string, Member<P>>,
    name: string,
    key: string,
    make: () => P,
  ): Member<P> {
    const present = atWork.get(name);
    return present?.key === key ? present : { name, key, part: make() };
  }

  #tenant(settings: PartsConfig['tenants'][number]): Tenant {
    const { name } = settings;
    const key = keyOf(settings);
    const present = this.#tenants.get(name);
    if (present?.key === key) return present;
    const { metrics, news, now, random } = this.#context;
    const log = this.#context.log.child({ tenant: name });
    const credentialExpiresSoon = (atMs: number) => news.expires(name, atMs);
    const observer = { ...metrics.graph(name), credentialExpiresSoon };
    return { key, graph: openGraph(settings, { log, observer, now, random }) };
  }

  /** Those of the one list that are not in the other. */
  async #closeTenants(tenants: ReadonlyMap<string, Tenant>, but: ReadonlyMap<string, Tenant>): Promise<void> {
    for (const [name, { graph }] of tenants) if (but.get(name)?.graph !== graph) await graph.close();
  }

  #begin<P extends Part>({ name, key, part }: Member<P>, run: (stop: Stop) => Promise<void>): AtWork<P> {
    const soft = new AbortController();
    const hard = new AbortController();
    const stop = {
      soft: AbortSignal.any([this.#over, soft.signal]),
      hard: AbortSignal.any([this.#stop.hard, this.#failed.signal, hard.signal]),
    };
    const ended = run(stop).catch((error: unknown) => {
      if (isAbort(error) && stop.soft.aborted) return;
      // Each part fails alone (F1): what comes here ends them all.
      this.#failed.abort(error);
    });
    return {
      name,
      key,
      part,
      ended,
      async end(graceMs) {
        soft.abort();
        const timer = setTimeout(() => hard.abort(), graceMs);
        await ended;
        clearTimeout(timer);
        await part.close();
      },
    };
  }
}

const sourceName = ({ name, tenant }: SourceConfig) => `source ${name} (tenant ${tenant})`;
const sinkName = ({ name }: SinkConfig) => `sink ${name}`;
