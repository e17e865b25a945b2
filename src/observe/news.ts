import { type Coverage, pausesOf, secondsOf } from '../core/coverage.ts';
import type { Fault, GapStats, JournalOpening, JournalStats, Refusal, SourceKey } from '../core/journal.ts';
import { type OwnEvent, type OwnReason, ownReasons } from '../core/own-event.ts';
import { isOwn } from '../core/record.ts';
import type { Page } from '../core/source.ts';
import type { Alarm } from './filling.ts';
import { downSince, isLate } from './readiness.ts';
import { Standing } from './standing.ts';
import type { Failure, Moment, SinkVitals, SourceVitals, Vitals } from './vitals.ts';

export interface NewsOptions {
  /** See `Journal.tell`. */
  readonly tell: (event: OwnEvent) => void;
  readonly vitals: Pick<Vitals, 'stopping' | 'sources' | 'sinks' | 'moment'>;
  /** Takes secrets out of a text. */
  readonly strike: (text: string) => string;
}

/**
 * A sink is told to fail when it has been down for so long: longer than a receiver takes to be started again, and shorter
 * than readiness waits, for this is what a SIEM is told with the others still at work.
 */
const SINK_DOWN_MS = 60_000;
/** What stops all sources is told when it has lasted so long; it is seen only at every look. */
const PAUSED_MS = 10_000;
/** The process was held, with all clocks of its parts. */
const HELD_MS = 60_000;
/** Dead letters of one part and reason are told together, at most so often; the first at once. */
const DEAD_LETTERS_MS = 600_000;
/** A gap that grows is told so often. */
const GAP_MS = 3_600_000;
/** Fewer alerts of a product say nothing of its rhythm. */
const LEAST_ALERTS = 10;
/** A product is silent when nothing new was seen for so many times its longest pause … */
const SILENT_PAUSES = 3;
/** … and for so long. */
const SILENT_MS = 86_400_000;

const reasons: ReadonlySet<string> = new Set(ownReasons);

/** Dead letters of one part with one reason. */
interface Letters {
  readonly of: { readonly sink: string } | SourceKey;
  readonly reason: OwnReason;
  /** Since it was last told. */
  count: number;
  toldMs: number;
}

/**
 * What of the relay's life is told to the sinks (D16): it looks at what readiness and status go by, and tells what has
 * changed. Nothing of it waits for anybody.
 */
export class News {
  readonly #options: NewsOptions;
  readonly #standing = new Standing();
  readonly #products = new Standing();
  readonly #letters = new Map<string, Letters>();
  readonly #gaps = new Map<string, { records: number; toldMs: number }>();
  #pausedSince: Moment | undefined;
  /** Until then nothing could be read, for a reason that is none of the sources. */
  #pausedUntil: Moment | undefined;
  #lookedMs = Number.POSITIVE_INFINITY;
  /** Before a new sink is known to the journal it would be told nothing: until then it is kept here. */
  #held: OwnEvent[] | undefined = [];
  /** Whether the gaps that were there before are known. */
  #hasLooked = false;

  constructor(options: NewsOptions) {
    this.#options = options;
  }

  /** To be called every few seconds. @param stats `undefined`: the journal does not answer */
  look(stats: JournalStats | undefined, fault: Fault | undefined): void {
    const { vitals } = this.#options;
    if (vitals.stopping) return;
    const now = vitals.moment();
    const isPaused = fault !== undefined || stats?.paused === true;
    this.#pausedSince = isPaused ? (this.#pausedSince ?? now) : undefined;
    if (isPaused || now.steadyMs - this.#lookedMs > HELD_MS) this.#pausedUntil = now;
    this.#lookedMs = now.steadyMs;
    this.#lookAtQueue(stats, fault, now);
    const { sources, sinks } = vitals;
    // While all sources pause there is nothing wrong with each of them.
    if (!isPaused) for (const source of sources) this.#lookAtSource(source, now);
    // Without its backlog a sink cannot be judged.
    if (stats) for (const sink of sinks) this.#lookAtSink(sink, pendingOf(stats, sink.name), now);
    if (stats) for (const { name, gaps } of stats.sinks) this.#lookAtGaps(name, gaps, now);
    this.#hasLooked ||= stats !== undefined;
    for (const letters of this.#letters.values()) this.#tellLetters(letters, now);
    this.#standing.keep(new Set(['queue', ...sources.map(sourceThing), ...sinks.map(sinkThing)]));
  }

  /** To be called now and then. */
  cover(coverage: readonly Coverage[]): void {
    const { vitals } = this.#options;
    const now = vitals.moment();
    for (const { source, tenant, product, lastSeenMs, rhythm } of coverage) {
      const pauses = rhythm && rhythm.alerts >= LEAST_ALERTS ? pausesOf(rhythm) : undefined;
      const vital = vitals.sources.find((each) => each.name === source && each.tenant === tenant);
      // One that cannot be read makes no product silent.
      if (!pauses || !vital || isLate(vital, this.#goodOf(vital), now.steadyMs)) continue;
      const limitMs = Math.max(SILENT_MS, SILENT_PAUSES * pauses.longestMs);
      const isSilent = now.atMs - lastSeenMs > limitMs;
      const what = { source, tenant, product, lastSeenMs };
      this.#products.look(
        JSON.stringify([source, tenant, product]),
        isSilent ? lastSeenMs : undefined,
        now.steadyMs,
        {
          begun: () => this.#tell({ kind: 'product-silent', ...what, ...secondsOf(pauses) }),
          over: () => this.#tell({ kind: 'product-speaking', ...what }),
        },
      );
    }
  }

  /** A sink has refused records for good. That it refuses to be told so is not told again. */
  refused(sink: string, refusals: readonly Refusal[]): void {
    for (const { record, reason } of refusals) if (!isOwn(record)) this.#count({ sink }, reason, 1);
  }

  /** A source has set aside what it cannot read. */
  unread(of: SourceKey, { unread = [], readAgain = [] }: Pick<Page, 'unread' | 'readAgain'>): void {
    const known = new Set(readAgain);
    for (const { at, reason } of unread) if (!known.has(at)) this.#count(of, reason, 1);
  }

  /** A backlog has come to a share of the journal that is an alarm. */
  filling({ sink, percent, fullInSeconds }: Alarm): void {
    const untilMs = this.#options.vitals.moment().atMs + fullInSeconds * 1_000;
    const until = Number.isFinite(untilMs) ? { untilMs } : {};
    this.#tell({ kind: 'journal-filling', sink, percent, ...until });
  }

  /** The secret or certificate of a tenant is near its end, or behind it. */
  expires(tenant: string, expiresMs: number): void {
    const isOver = expiresMs <= this.#options.vitals.moment().atMs;
    this.#tell({ kind: isOver ? 'credential-expired' : 'credential-expiring', tenant, expiresMs });
  }

  /** The relay is at work. @param found the journal as it was */
  started(version: string, opening: Pick<JournalOpening, 'created' | 'clean'>, found: JournalStats): void {
    const reason = opening.created ? 'first-start' : opening.clean ? 'clean-end' : 'sudden-end';
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const event of [{ kind: 'relay-started', version, reason, count: found.pending } as const, ...held])
      this.#tell(event);
  }

  /** @param count sources and sinks that are new, other ones, or gone */
  changedConfig(count: number): void {
    this.#tell({ kind: 'config-reloaded', count });
  }

  /** Another config was not taken. */
  refusedConfig(reason: string): void {
    this.#tell({ kind: 'config-refused', detail: this.#options.strike(reason) });
  }

  #tell(event: OwnEvent): void {
    if (this.#held) this.#held.push(event);
    else this.#options.tell(event);
  }

  #lookAtQueue(stats: JournalStats | undefined, fault: Fault | undefined, now: Moment): void {
    const since = this.#pausedSince;
    const hasLasted = since !== undefined && now.steadyMs - since.steadyMs >= PAUSED_MS;
    this.#standing.look('queue', since && (hasLasted ? since.atMs : undefined), now.steadyMs, {
      begun: () => this.#tell({ kind: 'queue-paused', ...this.#whyPaused(stats, fault) }),
      over: (sinceMs) => this.#tell({ kind: 'queue-resumed', sinceMs }),
    });
  }

  #whyPaused(stats: JournalStats | undefined, fault: Fault | undefined) {
    if (fault || !stats) {
      const detail = fault ? { detail: this.#options.strike(fault.message) } : {};
      return { reason: 'disk', ...detail } as const;
    }
    const required = stats.sinks.filter((sink) => sink.required !== false);
    const [most] = required.toSorted((a, b) => b.pending - a.pending);
    const percent = Math.round((100 * stats.bytes) / stats.limitBytes);
    return { reason: 'full', percent, ...(most && { sink: most.name }) } as const;
  }

  #lookAtSource(vital: SourceVitals, now: Moment): void {
    const { name: source, tenant, good, failure } = vital;
    const last = this.#goodOf(vital);
    const since = isLate(vital, last, now.steadyMs) ? last : undefined;
    // One that has only just come has not proved anything yet.
    if (!since && !good) return;
    const cause = failure && (!good || failure.steadyMs > good.steadyMs) ? failure : undefined;
    this.#standing.look(sourceThing(vital), since?.atMs, now.steadyMs, {
      begun: (sinceMs) =>
        this.#tell({ kind: 'source-failing', source, tenant, ...this.#because(cause), sinceMs }),
      over: (sinceMs) => this.#tell({ kind: 'source-healed', source, tenant, sinceMs }),
    });
  }

  /** Since when a source is to be judged. */
  #goodOf({ good, since }: SourceVitals): Moment {
    const last = good ?? since;
    const until = this.#pausedUntil;
    return until && until.steadyMs > last.steadyMs ? until : last;
  }

  #lookAtSink(vital: SinkVitals, pending: number, now: Moment): void {
    const { name: sink, failure } = vital;
    const lastedMs = now.steadyMs - downSince(vital, pending);
    // Neither well nor down for long: it is as it was told.
    if (lastedMs >= 0 && lastedMs < SINK_DOWN_MS) return;
    this.#standing.look(
      sinkThing(vital),
      lastedMs >= SINK_DOWN_MS ? now.atMs - lastedMs : undefined,
      now.steadyMs,
      {
        begun: (sinceMs) =>
          this.#tell({ kind: 'sink-failing', sink, ...this.#because(failure), sinceMs, count: pending }),
        over: (sinceMs) => this.#tell({ kind: 'sink-healed', sink, sinceMs, count: pending }),
      },
    );
  }

  #because(failure: Failure | undefined): { reason: OwnReason; detail?: string } {
    if (!failure) return { reason: 'silent' };
    return { reason: ownReason(failure.reason), detail: this.#options.strike(failure.message) };
  }

  /** What the journal has let go of (K6). What reconcile finds, it tells itself. */
  #lookAtGaps(sink: string, gaps: GapStats | undefined, now: Moment): void {
    const known = this.#gaps.get(sink) ?? { records: 0, toldMs: Number.NEGATIVE_INFINITY };
    const records = gaps?.records ?? 0;
    // What was there at the start was told then; what is refilled becomes less.
    if (!this.#hasLooked || records < known.records) this.#gaps.set(sink, { ...known, records });
    if (!this.#hasLooked || !gaps || records <= known.records) return;
    if (gaps.open && now.steadyMs - known.toldMs < GAP_MS) return;
    this.#gaps.set(sink, { records, toldMs: now.steadyMs });
    const { oldestMs: sinceMs, newestMs: untilMs } = gaps;
    this.#tell({ kind: 'gap-found', sink, reason: 'let-go', count: records, sinceMs, untilMs });
  }

  #count(of: Letters['of'], reason: OwnReason, count: number): void {
    const key = JSON.stringify([of, reason]);
    const letters = this.#letters.get(key) ?? { of, reason, count: 0, toldMs: Number.NEGATIVE_INFINITY };
    letters.count += count;
    this.#letters.set(key, letters);
  }

  #tellLetters(letters: Letters, { steadyMs }: Moment): void {
    const { of, reason, count, toldMs } = letters;
    if (count === 0 || steadyMs - toldMs < DEAD_LETTERS_MS) return;
    letters.count = 0;
    letters.toldMs = steadyMs;
    this.#tell({ kind: 'dead-letters', ...of, reason, count });
  }
}

const ownReason = (reason: string): OwnReason => (reasons.has(reason) ? (reason as OwnReason) : 'other');

const sourceThing = ({ name, tenant }: SourceVitals) => JSON.stringify(['source', name, tenant]);
const sinkThing = ({ name }: SinkVitals) => JSON.stringify(['sink', name]);

const pendingOf = ({ sinks }: JournalStats, name: string): number =>
  sinks.find((sink) => sink.name === name)?.pending ?? 0;
