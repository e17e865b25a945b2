import type { Reconciled } from '../core/reconciled.ts';
import type { Sink } from '../core/sink.ts';
import type { Source } from '../core/source.ts';

/** Time, told twice. */
export interface Clock {
  /** Milliseconds since 1970: for people. */
  readonly now: () => number;
  /** Milliseconds of a clock that nobody sets: for how long something lasts. */
  readonly steady: () => number;
}

/** One moment by both clocks. */
export interface Moment {
  readonly atMs: number;
  readonly steadyMs: number;
}

export interface Failure extends Moment {
  /** `unavailableReasons`, or `bug`. */
  readonly reason: string;
  readonly message: string;
}

export interface SourceVitals {
  readonly name: string;
  readonly tenant: string;
  readonly type: string;
  /** From one poll to the next. */
  readonly everyMs: number;
  /** Since when it is there. */
  readonly since: Moment;
  /** It has got something done: an answer is on disk that moved its checkpoint, or a reading came to its end. */
  readonly good: Moment | undefined;
  /** A reading came to its end. */
  readonly read: Moment | undefined;
  readonly failure: Failure | undefined;
  readonly notes: readonly string[];
  /** When it was last compared with what the sinks were given, and what came out; by schedule. */
  readonly compared?: ComparedVitals;
}

export interface ComparedVitals {
  readonly atMs: number;
  readonly result: Pick<Reconciled, 'from' | 'to' | 'listed' | 'sinks' | 'unread'>;
}

export interface SinkVitals {
  readonly name: string;
  readonly connected: boolean;
  /** Since when it is, or is not. */
  readonly changed: Moment;
  readonly unconfirmed: number;
  readonly delivered: Moment | undefined;
  readonly failure: Failure | undefined;
  /** The first failure since the far end last took something. */
  readonly failingSince: Moment | undefined;
  readonly confirms: string | undefined;
  readonly notes: readonly string[];
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** What the parts of a running relay last did; in memory, for readiness and status. */
export class Vitals {
  readonly started: Moment;
  readonly #clock: Clock;
  #stopping = false;
  #refused: Failure | undefined;
  readonly #sources = new Map<string, { vitals: SourceVitals; notes: () => readonly string[] }>();
  readonly #compared = new Map<string, ComparedVitals>();
  readonly #sinks = new Map<string, { vitals: SinkVitals; sink: Pick<Sink, 'confirms' | 'notes'> }>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.started = this.moment();
  }

  moment(): Moment {
    return { atMs: this.#clock.now(), steadyMs: this.#clock.steady() };
  }

  /** The relay was asked to stop. */
  get stopping(): boolean {
    return this.#stopping;
  }

  stop(): void {
    this.#stopping = true;
  }

  /** A config was loaded while the relay runs: why it is not used, or that it is. */
  config(refusal: string | undefined): void {
    this.#refused =
      refusal === undefined ? undefined : { ...this.moment(), reason: 'config', message: refusal };
  }

  /** The config of the file is another one than that in use, because it was refused. */
  get refused(): Failure | undefined {
    return this.#refused;
  }

  get sources(): readonly SourceVitals[] {
    return [...this.#sources].map(([key, { vitals, notes }]) => {
      const compared = this.#compared.get(key);
      return { ...vitals, notes: notes(), ...(compared && { compared }) };
    });
  }

  /** A source was compared by schedule. */
  compared({ source, tenant, from, to, listed, sinks, unread }: Reconciled, atMs: number): void {
    const key = sourceKey(source, tenant);
    if (this.#sources.has(key))
      this.#compared.set(key, { atMs, result: { from, to, listed, sinks, unread } });
  }

  get sinks(): readonly SinkVitals[] {
    return [...this.#sinks.values()].map(({ vitals, sink }) => ({
      ...vitals,
      confirms: sink.confirms,
      notes: sink.notes?.() ?? [],
    }));
  }

  /** It has left the config. */
  forgetSource(name: string, tenant: string): void {
    this.#sources.delete(sourceKey(name, tenant));
    this.#compared.delete(sourceKey(name, tenant));
  }

  /** It has left the config. */
  forgetSink(name: string): void {
    this.#sinks.delete(name);
  }

  /** Takes the place of one of the same name. */
  source(settings: Pick<SourceVitals, 'name' | 'tenant' | 'type' | 'everyMs'>) {
    const vitals: Writable<SourceVitals> = {
      ...settings,
      since: this.moment(),
      good: undefined,
      read: undefined,
      failure: undefined,
      notes: [],
    };
    let source: Pick<Source, 'notes'> = {};
    this.#sources.set(sourceKey(settings.name, settings.tenant), {
      vitals,
      notes: () => source.notes?.() ?? [],
    });
    return {
      /** The source itself, which is made after whoever observes it. */
      is: (made: Pick<Source, 'notes'>) => {
        source = made;
      },
      healthy: () => {
        vitals.good = this.moment();
      },
      read: () => {
        vitals.read = this.moment();
      },
      failed: (reason: string, message: string) => {
        vitals.failure = { ...this.moment(), reason, message };
      },
    };
  }

  /** Takes the place of one of the same name. */
  sink(name: string, sink: Pick<Sink, 'confirms' | 'notes'>) {
    const vitals: Writable<SinkVitals> = {
      name,
      connected: false,
      changed: this.moment(),
      unconfirmed: 0,
      delivered: undefined,
      failure: undefined,
      failingSince: undefined,
      confirms: undefined,
      notes: [],
    };
    this.#sinks.set(name, { vitals, sink });
    return {
      connected: (connected: boolean) => {
        if (connected !== vitals.connected) vitals.changed = this.moment();
        vitals.connected = connected;
      },
      unconfirmed: (records: number) => {
        vitals.unconfirmed = records;
      },
      delivered: () => {
        vitals.delivered = this.moment();
      },
      healthy: () => {
        vitals.failingSince = undefined;
      },
      failed: (reason: string, message: string) => {
        vitals.failure = { ...this.moment(), reason, message };
        vitals.failingSince ??= vitals.failure;
      },
    };
  }
}

const sourceKey = (name: string, tenant: string) => JSON.stringify([name, tenant]);
