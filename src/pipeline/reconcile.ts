import type { Compared, Fate, Journal, SourceKey } from '../core/journal.ts';
import { type Match, matches } from '../core/match.ts';
import {
  type Deviation,
  type Reconciled,
  type ReconcileStep,
  type Verdict,
  verdicts,
} from '../core/reconciled.ts';
import type { JsonObject, RelayRecord, SourceRecord } from '../core/record.ts';
import type { Listed, Source, Standing, Unread } from '../core/source.ts';
import type { Task } from '../core/task.ts';
import { isoOfTicks, msOfTicks } from '../core/ticks.ts';
import { parseJson } from '../lib/json.ts';
import { isAbort } from '../lib/wait.ts';
import { Selection } from './selection.ts';

/** A source that can be compared. */
export type Listing = Pick<Source, 'tenant'> & Required<Pick<Source, 'list' | 'standing'>>;

export interface ReconcileOptions {
  /** Configured name of the source. */
  readonly name: string;
  readonly source: Listing;
  readonly journal: Pick<Journal, 'checkpoint' | 'compare' | 'follows'>;
  readonly sinks: readonly { readonly name: string; readonly match: Match }[];
  /** Ticks: revisions from here … */
  readonly from: bigint;
  /** … until before here; as far as the source has been read. */
  readonly to: bigint;
  /** What a sink wants by its present `match` and did not by an earlier one is missing, too. */
  readonly byPresentMatch: boolean;
}

/**
 * Compares what a source lists with what each sink was given, window by window. Changes nothing. Asked to stop, it says
 * how far it came.
 *
 * @throws {UnavailableError} the source cannot list
 */
export async function reconcile(
  options: ReconcileOptions,
  { signal, progress }: Task<ReconcileStep>,
): Promise<Reconciled> {
  const { name, source, journal } = options;
  const key = { source: name, tenant: source.tenant };
  const first = await standingOf(options);
  const { from, to, notes } = bounded(options, first);
  const tally = new Tally();
  let at = from;
  const step = (): ReconcileStep => ({
    ...key,
    ...{ from: isoOfTicks(from), to: isoOfTicks(to), at: isoOfTicks(at) },
    listed: tally.listed,
    missing: tally.missing,
  });
  const windows = from < to ? source.list(from, to, signal)[Symbol.asyncIterator]() : undefined;
  try {
    while (windows && at < to) {
      progress(step());
      // As it was before the window is listed: what leaves it meanwhile comes by itself.
      const standing = (await standingOf(options)) ?? NOTHING_READ;
      const { done, value: window } = await windows.next();
      if (done) break;
      const compared = await journal.compare({
        ...key,
        from: window.from,
        to: window.to,
        records: window.records,
      });
      if (window.unread) tally.unread(window.unread);
      else tally.extra(compared.extra);
      for (const { record, fates } of await judged(options, window, compared, standing))
        tally.add(record, fates);
      at = window.to;
    }
  } catch (error) {
    if (!isAbort(error) || !signal.aborted) throw error;
  } finally {
    await windows?.return?.();
  }
  progress(step());
  const sinks = options.sinks.map((sink) => sink.name);
  const range = { from: isoOfTicks(from), to: isoOfTicks(at), complete: at >= to };
  return { ...key, ...range, ...tally.result(sinks), notes };
}

const NOTHING_READ: Standing = { start: 0n, watermark: 0n, open: [{ from: 0n }] };

async function standingOf({ name, source, journal }: ReconcileOptions): Promise<Standing | undefined> {
  const checkpoint = await journal.checkpoint({ source: name, tenant: source.tenant });
  return checkpoint === undefined ? undefined : source.standing(checkpoint);
}

/** What of the wanted range can be compared: nothing before the source began is owed, and nothing has been read since. */
function bounded(
  { from, to }: Pick<ReconcileOptions, 'from' | 'to'>,
  standing: Standing | undefined,
): { from: bigint; to: bigint; notes: string[] } {
  if (!standing) return { from, to: from, notes: ['it has never been read'] };
  const begin = from > standing.start ? from : standing.start;
  const readTo = standing.watermark + 1n;
  const end = to < readTo ? to : readTo;
  const notes: string[] = [];
  if (from < begin) notes.push(`what was updated before ${iso(begin)} was never wanted (startFrom)`);
  if (end < to) notes.push(`from ${iso(end)} on it has not been read yet`);
  return { from: begin, to: end > begin ? end : begin, notes };
}

interface Judged {
  readonly record: SourceRecord;
  /** By the names of the sinks. */
  readonly fates: ReadonlyMap<string, Verdict>;
}

async function judged(
  options: ReconcileOptions,
  { records }: Listed,
  { fates }: Compared,
  standing: Standing,
): Promise<Judged[]> {
  const { sinks } = options;
  const bySink = await Promise.all(
    sinks.map((sink) => verdictsFor(options, sink, records, fates.get(sink.name), standing)),
  );
  return records.map((record, index) => ({
    record,
    fates: new Map(sinks.map(({ name }, n) => [name, bySink[n]![index]!])),
  }));
}

async function verdictsFor(
  { name, source, journal, byPresentMatch }: ReconcileOptions,
  sink: ReconcileOptions['sinks'][number],
  records: readonly SourceRecord[],
  fates: readonly Fate[] | undefined,
  { open }: Standing,
): Promise<Verdict[]> {
  // A sink that the journal does not know.
  if (!fates) return records.map(() => 'unknown');
  const comes = ({ revision }: SourceRecord) =>
    open.some(({ from, to }) => revision >= from && (to === undefined || revision < to));
  const isOwed = (record: SourceRecord, fate: Fate) =>
    fate === 'in-gap' || (fate === 'unread' && !comes(record));
  const key = { source: name, tenant: source.tenant };
  const owed = records.filter((record, index) => isOwed(record, fates[index]!));
  const selection = new Selection(sink.match, false, (ids) => journal.follows(sink.name, ids));
  const choices = await selection.choose(owed.map((record) => repairOf(key, record)));
  const wanted = new Set(owed.filter((_, index) => choices[index]?.wanted));
  return records.map((record, index) => {
    const fate = fates[index]!;
    switch (fate) {
      case 'in-gap':
      case 'unread':
        if (!isOwed(record, fate)) return 'waiting';
        return wanted.has(record) ? 'missing' : 'filtered';
      case 'filtered-before':
        return byPresentMatch && matches(sink.match, repairOf(key, record)) ? 'missing' : 'filtered';
      case 'unwanted':
        return 'filtered';
      default:
        return fate;
    }
  });
}

/** The record as it would be told. */
function repairOf(key: SourceKey, record: SourceRecord): RelayRecord {
  const { kind, id, revision, timeMs, severity, created, json } = record;
  const body = parseJson(json) as JsonObject;
  const createdMs = msOfTicks(created);
  const told = { unrevised: 0, outcome: 'repair', timeMs, severity, createdMs, body } as const;
  return { kind, ...key, id, revision, ...told };
}

const HOUR_MS = 3_600_000;

/** What comes out, summed up. */
class Tally {
  listed = 0;
  missing = 0;
  readonly #sinks = new Map<string, Record<Verdict, number>>();
  readonly #deviations = new Map<string, { -readonly [K in keyof Deviation]: Deviation[K] }>();
  readonly #extra = new Map<number, { replaced: number; gone: number }>();
  readonly #unread: Unread[] = [];

  add({ product, revision }: SourceRecord, fates: ReadonlyMap<string, Verdict>): void {
    this.listed++;
    if ([...fates.values()].includes('missing')) this.missing++;
    const hour = hourOf(msOfTicks(revision));
    for (const [sink, verdict] of fates) {
      this.#countsOf(sink)[verdict]++;
      if (verdict !== 'missing' && verdict !== 'waiting' && verdict !== 'unknown') continue;
      const key = JSON.stringify([sink, product, hour]);
      const row = this.#deviations.get(key) ?? { sink, product, hour, missing: 0, waiting: 0, unknown: 0 };
      row[verdict]++;
      this.#deviations.set(key, row);
    }
  }

  extra(found: Compared['extra']): void {
    for (const { hourMs, replaced, gone } of found) {
      const before = this.#extra.get(hourMs) ?? { replaced: 0, gone: 0 };
      this.#extra.set(hourMs, { replaced: before.replaced + replaced, gone: before.gone + gone });
    }
  }

  unread(unread: Unread): void {
    this.#unread.push(unread);
  }

  result(sinks: readonly string[]): Pick<Reconciled, 'listed' | 'sinks' | 'deviations' | 'extra' | 'unread'> {
    const deviations = [...this.#deviations.values()].sort(
      (a, b) => compare(a.sink, b.sink) || compare(a.hour, b.hour) || compare(a.product, b.product),
    );
    return {
      listed: this.listed,
      sinks: sinks.map((sink) => ({ sink, ...this.#countsOf(sink) })),
      deviations,
      extra: [...this.#extra].map(([hourMs, counts]) => ({ hour: hourOf(hourMs), ...counts })),
      unread: this.#unread.map(({ at, to, count, detail }) => ({
        from: isoOfTicks(at),
        to: isoOfTicks(to),
        count: count ?? null,
        detail,
      })),
    };
  }

  #countsOf(sink: string): Record<Verdict, number> {
    const counts =
      this.#sinks.get(sink) ??
      (Object.fromEntries(verdicts.map((verdict) => [verdict, 0])) as Record<Verdict, number>);
    this.#sinks.set(sink, counts);
    return counts;
  }
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const hourOf = (ms: number): string => new Date(Math.floor(ms / HOUR_MS) * HOUR_MS).toISOString();
const iso = (ticks: bigint): string => isoOfTicks(ticks).replace(/\.\d+/, '');
