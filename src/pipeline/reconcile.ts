import type { Compared, Fate, Journal, Repair, Repaired, SourceKey } from '../core/journal.ts';
import { type Match, matches } from '../core/match.ts';
import {
  type Deviation,
  type Reconciled,
  type ReconcileStep,
  type Verdict,
  verdicts,
} from '../core/reconciled.ts';
import { type JsonObject, type RelayRecord, retold, type SourceRecord } from '../core/record.ts';
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
  readonly journal: Pick<Journal, 'checkpoint' | 'compare' | 'follows' | 'room' | 'repair'>;
  readonly sinks: readonly { readonly name: string; readonly match: Match }[];
  /** Ticks: revisions from here … */
  readonly from: bigint;
  /** … until before here; as far as the source has been read. */
  readonly to: bigint;
  /** What a sink wants by its present `match` and did not by an earlier one is missing, too. */
  readonly byPresentMatch: boolean;
  /** As the source's own. */
  readonly updates: 'all' | 'none';
  /** What is missing is put in the journal. */
  readonly fix: boolean;
}

/**
 * Compares what a source lists with what each sink was given, window by window, and puts in the journal what is missing,
 * if that is wanted. Asked to stop, it says how far it came.
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
      const { records, unread } = window;
      const asked = { ...key, from: window.from, to: window.to, records, updates: options.updates };
      const compared = await journal.compare(asked);
      if (unread) tally.unread(unread);
      else tally.extra(compared.extra);
      const found = await judged(options, window, compared, standing);
      for (const each of found) tally.add(each);
      if (options.fix) tally.repaired(await repair(options, found, signal));
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
  readonly sinks: ReadonlyMap<string, { readonly fate: Fate; readonly verdict: Verdict }>;
}

async function judged(
  options: ReconcileOptions,
  { records }: Listed,
  { fates }: Compared,
  standing: Standing,
): Promise<Judged[]> {
  const bySink = await Promise.all(
    options.sinks.map(async (sink) => {
      // A sink that the journal does not know.
      const own = fates.get(sink.name) ?? records.map(() => 'unknown' as const);
      return { name: sink.name, own, verdicts: await verdictsFor(options, sink, records, own, standing) };
    }),
  );
  return records.map((record, index) => ({
    record,
    sinks: new Map(
      bySink.map(({ name, own, verdicts: all }) => [name, { fate: own[index]!, verdict: all[index]! }]),
    ),
  }));
}

async function verdictsFor(
  { name, source, journal, byPresentMatch }: ReconcileOptions,
  sink: ReconcileOptions['sinks'][number],
  records: readonly SourceRecord[],
  fates: readonly Fate[],
  { open }: Standing,
): Promise<Verdict[]> {
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
  const { json, ...told } = retold(key, record);
  return { ...told, outcome: 'repair', body: parseJson(json) as JsonObject };
}

/** Most records in one transaction: everybody else waits for it. */
const MOST_AT_ONCE = 200;

/** What became of what was missing: for each sink, how much was put in the journal, and why the rest was not. */
interface Mended {
  readonly sink: string;
  readonly records: number;
  readonly why?: Repaired['why'];
}

/** Puts in the journal what is missing: for all what was never read, for each sink what it alone was not given. */
async function repair(
  { name, source, journal, updates, sinks }: ReconcileOptions,
  found: readonly Judged[],
  signal: AbortSignal,
): Promise<Mended[]> {
  const key = { source: name, tenant: source.tenant, updates };
  const isMissing = ({ sinks: all }: Judged, sink: string) => all.get(sink)?.verdict === 'missing';
  const isUnread = ({ sinks: all }: Judged, sink: string) => all.get(sink)?.fate === 'unread';
  const unread = found.filter((each) =>
    sinks.some((sink) => isMissing(each, sink.name) && isUnread(each, sink.name)),
  );
  const mended: Mended[] = [];
  for (const some of pieces(unread)) {
    // As for whatever is read.
    await journal.room(signal);
    await journal.repair({ ...key, records: some.map(({ record }) => record) });
    for (const { name: sink } of sinks)
      mended.push({ sink, records: some.filter((each) => isMissing(each, sink)).length });
  }
  for (const { name: sink } of sinks) {
    for (const some of pieces(found.filter((each) => isMissing(each, sink) && !isUnread(each, sink)))) {
      signal.throwIfAborted();
      const records = some.map(({ record }) => record);
      mended.push(...(await repairFor({ ...key, sink, records }, journal)));
    }
  }
  return mended;
}

/** For one sink; as much of it as there is free room for. */
async function repairFor(
  missing: Repair & { readonly sink: string },
  journal: Pick<Journal, 'repair'>,
): Promise<Mended[]> {
  const { sink, records } = missing;
  const { why } = await journal.repair(missing);
  if (why !== 'no-room' || records.length === 1)
    return [{ sink, records: records.length, ...(why && { why }) }];
  const middle = Math.ceil(records.length / 2);
  const [first, rest] = [records.slice(0, middle), records.slice(middle)];
  const mended = await repairFor({ ...missing, records: first }, journal);
  const isFull = mended.some((each) => each.why !== undefined);
  if (isFull) return [...mended, { sink, records: rest.length, why }];
  return [...mended, ...(await repairFor({ ...missing, records: rest }, journal))];
}

function pieces<T>(all: readonly T[]): T[][] {
  const count = Math.ceil(all.length / MOST_AT_ONCE);
  return Array.from({ length: count }, (_, n) => all.slice(n * MOST_AT_ONCE, (n + 1) * MOST_AT_ONCE));
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
  readonly #repaired = new Map<string, number>();
  readonly #left = new Map<string, Reconciled['left'][number]>();

  add({ record: { product, revision }, sinks }: Judged): void {
    this.listed++;
    if ([...sinks.values()].some(({ verdict }) => verdict === 'missing')) this.missing++;
    const hour = hourOf(msOfTicks(revision));
    for (const [sink, { verdict }] of sinks) {
      this.#countsOf(sink)[verdict]++;
      if (verdict !== 'missing' && verdict !== 'waiting' && verdict !== 'unknown') continue;
      const key = JSON.stringify([sink, product, hour]);
      const row = this.#deviations.get(key) ?? { sink, product, hour, missing: 0, waiting: 0, unknown: 0 };
      row[verdict]++;
      this.#deviations.set(key, row);
    }
  }

  repaired(mended: readonly Mended[]): void {
    for (const { sink, records, why } of mended) {
      if (why === undefined) this.#repaired.set(sink, (this.#repaired.get(sink) ?? 0) + records);
      else {
        const key = JSON.stringify([sink, why]);
        this.#left.set(key, { sink, why, records: (this.#left.get(key)?.records ?? 0) + records });
      }
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

  result(
    sinks: readonly string[],
  ): Pick<Reconciled, 'listed' | 'sinks' | 'deviations' | 'extra' | 'unread' | 'left'> {
    const deviations = [...this.#deviations.values()].sort(
      (a, b) => compare(a.sink, b.sink) || compare(a.hour, b.hour) || compare(a.product, b.product),
    );
    return {
      listed: this.listed,
      sinks: sinks.map((sink) => ({
        sink,
        ...this.#countsOf(sink),
        repaired: this.#repaired.get(sink) ?? 0,
      })),
      left: [...this.#left.values()],
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
