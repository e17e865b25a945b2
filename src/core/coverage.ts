import type { Appended, SourceKey } from './journal.ts';
import { knownValues } from './match.ts';
import type { OwnEvent } from './own-event.ts';
import { createdOf } from './record.ts';
import type { Page } from './source.ts';
import { msOfTicks } from './ticks.ts';

/*
 * Coverage: which Defender products were seen, when last, against their usual rhythm, and how late their alerts
 * become visible (D16). Silence of a product, or one that was never there, is what nobody would miss otherwise (G12).
 */

const products: ReadonlySet<string> = new Set(knownValues.serviceSource);

/** One of a closed set: what comes from outside must make neither new series nor new rows. */
export const productLabel = (product: string): string => (products.has(product) ? product : 'other');

/** Upper bounds of lateness, seconds; what is later than the last is counted behind it. */
export const latenessSeconds = [
  1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 86_400,
] as const;

/** A record that was news. */
export interface Sighting {
  /** See {@link productLabel}. */
  readonly product: string;
  /** When it was seen, milliseconds since 1970. */
  readonly atMs: number;
  /** When it was created, if this was the first sight of its id; milliseconds since 1970. */
  readonly createdMs: number | undefined;
  /** From its creation to its first sight; none of what was late for a reason of ours (a backfill, a retry). */
  readonly latenessMs: number | undefined;
}

/** What was news of an answer. @param nowMs for an answer without a time */
export function sightingsOf(
  { reading, records, dateMs, lateSince }: Pick<Page, 'reading' | 'records' | 'dateMs' | 'lateSince'>,
  told: Appended['told'],
  nowMs: number,
): Sighting[] {
  const atMs = dateMs ?? nowMs;
  const isOfOld = reading === 'backfill' || reading === 'retry';
  return told.map(({ index, outcome }) => {
    const record = records[index]!;
    const { product } = record;
    const created = createdOf(record);
    const createdMs = outcome === 'new' ? msOfTicks(created) : undefined;
    const isOld = isOfOld || (lateSince !== undefined && created < lateSince);
    const latenessMs = createdMs !== undefined && !isOld ? Math.max(0, atMs - createdMs) : undefined;
    return { product: productLabel(product), atMs, createdMs, latenessMs };
  });
}

/** What is known of one product at one source; times are milliseconds since 1970. */
export interface Coverage extends SourceKey {
  readonly product: string;
  /** Something new of it was seen, first and last. */
  readonly firstSeenMs: number;
  readonly lastSeenMs: number;
  /** Records told, each revision one. */
  readonly records: number;
  readonly rhythm: Rhythm | undefined;
  /** How many were so late: one count for each of {@link latenessSeconds}, and one for what is later still. */
  readonly lateness: readonly number[];
}

/** When alerts of a product were created; milliseconds since 1970. */
export interface Rhythm {
  readonly alerts: number;
  readonly firstMs: number;
  readonly lastMs: number;
  /** The longest time between two that followed each other. */
  readonly longestGapMs: number;
}

/** Mean and longest time between two alerts; `undefined` when fewer than two have shown it. */
export function pausesOf(rhythm: Rhythm | undefined): { meanMs: number; longestMs: number } | undefined {
  if (!rhythm || rhythm.alerts < 2) return undefined;
  const meanMs = (rhythm.lastMs - rhythm.firstMs) / (rhythm.alerts - 1);
  // Of what was found late the gaps are not known, and the longest is no shorter than the mean.
  return { meanMs, longestMs: Math.max(meanMs, rhythm.longestGapMs) };
}

/** The same, as it is told. */
export function secondsOf({ meanMs, longestMs }: { readonly meanMs: number; readonly longestMs: number }) {
  return { usualSeconds: Math.round(meanMs / 1_000), longestSeconds: Math.round(longestMs / 1_000) };
}

/**
 * The daily word on one product (D16).
 *
 * @param countedBefore its records when that was told last, at `countedSinceMs`
 */
export function coverageEvent(coverage: Coverage, countedSinceMs: number, countedBefore: number): OwnEvent {
  const { source, tenant, product, firstSeenMs, lastSeenMs, records, rhythm, lateness } = coverage;
  const pauses = pausesOf(rhythm);
  const latenessSeconds = latenessWithin(lateness, 0.95);
  return {
    kind: 'product-coverage',
    source,
    tenant,
    product,
    sinceMs: firstSeenMs,
    lastSeenMs,
    count: Math.max(0, records - countedBefore),
    countedSinceMs,
    ...(pauses && secondsOf(pauses)),
    ...(latenessSeconds !== undefined && { latenessSeconds }),
  };
}

/** A creation longer ago than this, or one to come, is no sign of a rhythm: Graph dates what it does not know to year 1. */
const MOST_AGE_MS = 400 * 86_400_000;
/** With so many counted all counts are halved, so that they tell of the present rather than of years. */
const MOST_COUNTED = 2_000;

const noLateness = (): number[] => Array.from({ length: latenessSeconds.length + 1 }, () => 0);

/** What is known of a product after a further sighting of it. */
export function covered(
  before: Coverage | undefined,
  key: SourceKey,
  { product, atMs, createdMs, latenessMs }: Sighting,
): Coverage {
  const believed = createdMs !== undefined && createdMs <= atMs && atMs - createdMs < MOST_AGE_MS;
  const lateness = isLateness(before?.lateness) ? before.lateness : noLateness();
  return {
    ...key,
    product,
    firstSeenMs: Math.min(before?.firstSeenMs ?? atMs, atMs),
    lastSeenMs: Math.max(before?.lastSeenMs ?? atMs, atMs),
    records: (before?.records ?? 0) + 1,
    rhythm: believed ? beaten(before?.rhythm, createdMs) : before?.rhythm,
    lateness: latenessMs === undefined ? lateness : counted(lateness, latenessMs / 1000),
  };
}

/** Counts of another version, or of a disk that forgets, begin again: they are a help, and no more. */
function isLateness(counts: readonly number[] | undefined): counts is readonly number[] {
  return counts?.length === latenessSeconds.length + 1 && counts.every(Number.isSafeInteger);
}

/** What is found late is no gap; it lies before the last one. */
function beaten(before: Rhythm | undefined, createdMs: number): Rhythm {
  if (!before) return { alerts: 1, firstMs: createdMs, lastMs: createdMs, longestGapMs: 0 };
  return {
    alerts: before.alerts + 1,
    firstMs: Math.min(before.firstMs, createdMs),
    lastMs: Math.max(before.lastMs, createdMs),
    longestGapMs: Math.max(before.longestGapMs, createdMs - before.lastMs),
  };
}

function counted(counts: readonly number[], seconds: number): number[] {
  const found = latenessSeconds.findIndex((bound) => seconds <= bound);
  const bucket = found < 0 ? latenessSeconds.length : found;
  const next = counts.map((count, index) => (index === bucket ? count + 1 : count));
  return sum(next) < MOST_COUNTED ? next : next.map((count) => Math.floor(count / 2));
}

/**
 * The bound that `share` of the counted stayed within, seconds; `Infinity` beyond the last one, `undefined` when
 * nothing was counted.
 */
export function latenessWithin(counts: readonly number[], share: number): number | undefined {
  const total = sum(counts);
  if (total === 0) return undefined;
  let within = 0;
  for (const [index, count] of counts.entries()) {
    within += count;
    if (within >= share * total) return latenessSeconds[index] ?? Number.POSITIVE_INFINITY;
  }
  return Number.POSITIVE_INFINITY;
}

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);
