import type { Account, Raised } from '../../src/simulator/index.ts';
import { cefId, type Received, receivedOf, ticks } from './received.ts';

/**
 * Judges what a receiver got against what the simulator raised, by the rules of `delivery.md` ("What is owed").
 * It shares no code with the relay: what was received is read by the documentation (`received.ts`).
 */

export interface Verdict {
  readonly owed: number;
  readonly lost: readonly string[];
  /** Events that came more than once. */
  readonly duplicated: number;
  /** Different events. */
  readonly delivered: number;
  /** Ids of which the last copy is not the newest revision. */
  readonly outOfOrder: readonly string[];
  /** Events of records that were never raised. */
  readonly unknown: readonly string[];
  /** Events that do not say what the alert was. */
  readonly altered: readonly string[];
  /** Running numbers of two events, and events of two running numbers in one stream. */
  readonly renumbered: readonly string[];
}

export const wrongs = [
  'lost',
  'duplicated',
  'out of order',
  'never raised',
  'altered',
  'renumbered',
] as const;
export type Wrong = (typeof wrongs)[number];

/**
 * What is wrong by a verdict, with what shows it; nothing when nothing is.
 *
 * @param mayRepeat how many events may have come more than once: none without a fault, after one what was not confirmed,
 *   and what was confirmed since the last commit of cursors
 */
export function wrongIn(verdict: Verdict, mayRepeat = 0): Map<Wrong, readonly string[]> {
  const { duplicated } = verdict;
  const found: Readonly<Record<Wrong, readonly string[]>> = {
    lost: verdict.lost,
    duplicated: duplicated > mayRepeat ? [`${duplicated} events, and at most ${mayRepeat} may be`] : [],
    'out of order': verdict.outOfOrder,
    'never raised': verdict.unknown,
    altered: verdict.altered,
    renumbered: verdict.renumbered,
  };
  return new Map(wrongs.filter((wrong) => found[wrong].length > 0).map((wrong) => [wrong, found[wrong]]));
}

/** Further bodies of one revision that a relay tells (R1). */
const MOST_UNREVISED = 3;

/** What a relay tells of itself. */
const isOwn = (line: string): boolean => line.includes('CEF:0|defender-relay|defender-relay|');

/** `id revision`, and `.n` for the n-th further body of it. */
function keyOf(event: { id: string; revision: bigint; unrevised?: number }): string {
  const { id, revision, unrevised = 0 } = event;
  return `${id} ${revision}${unrevised > 0 ? `.${unrevised}` : ''}`;
}

/** The same alerts are given again and again. */
const givenKeys = new WeakMap<object, string>();

/** Without the count of `unrevised`. */
function keyOfGiven(alert: Pick<Raised, 'id' | 'revision'>): string {
  const key = givenKeys.get(alert) ?? `${cefId(alert.id)} ${ticks(alert.revision)}`;
  givenKeys.set(alert, key);
  return key;
}

interface Span {
  readonly from: number;
  readonly to: number;
}

/** Keys of what is owed; see {@link judge}. */
function owedBy(
  account: Account,
  processEnds: readonly number[],
  diskFaults: readonly Span[],
): ReadonlySet<string> {
  const newest = new Map([...account.newest()].map(([id, revision]) => [cefId(id), ticks(revision)]));
  const poisoned = account.poisoned === undefined ? undefined : ticks(account.poisoned);
  const readable = [...newest].filter(([, revision]) => revision !== poisoned);
  const owed = new Set(readable.map(([id, revision]) => keyOf({ id, revision })));
  /** The bodies that were given of each revision, in answers that count. */
  const bodies = new Map<string, Set<number>>();
  for (const { ordinal, request, alerts } of account.answers) {
    // What comes without a filter only asks for the time.
    if (!request.includes('filter') && !request.includes('skiptoken')) continue;
    const { at } = account.requests[ordinal - 1]!;
    const end = processEnds.find((ended) => ended > at) ?? Infinity;
    // Requests come in the order of their time.
    const second = account.requests[ordinal + 1];
    if (second === undefined || second.at >= end) continue;
    if (diskFaults.some(({ from, to }) => second.at >= from && at <= to)) continue;
    for (const alert of alerts) {
      const { unrevised } = alert;
      const key = keyOfGiven(alert);
      owed.add(key);
      const given = bodies.get(key) ?? new Set();
      bodies.set(key, given.add(unrevised));
    }
  }
  // Each further body is told, up to three; the relay numbers those that it has seen.
  for (const [key, { size }] of bodies) {
    for (let unrevised = 1; unrevised < Math.min(size, 1 + MOST_UNREVISED); unrevised++) {
      owed.add(`${key}.${unrevised}`);
    }
  }
  return owed;
}

/** Those of which not every part has come. */
function missingOf(owed: ReadonlySet<string>, records: ReadonlyMap<string, readonly Received[]>): string[] {
  const complete = (key: string): boolean => {
    const parts = new Set(records.get(key)?.map(({ part }) => part));
    const total = Number(/\/(\d+)$/.exec([...parts][0] ?? '')?.[1] ?? 1);
    return parts.size === total;
  };
  return [...owed].filter((key) => !complete(key));
}

/** Whether all that is owed has come; of a long log sooner said than all that {@link judge} says. */
export function isAllTold(
  account: Account,
  received: readonly Received[],
  processEnds: readonly number[] = [],
  diskFaults: readonly Span[] = [],
): boolean {
  const records = Map.groupBy(received, keyOf);
  return missingOf(owedBy(account, processEnds, diskFaults), records).length === 0;
}

/**
 * @param events CEF lines, or what they say
 * @param processEnds when a relay process ended, milliseconds since 1970: an answer counts as committed once the
 *   same process has asked for two things more (R2)
 * @param diskFaults when the relay's disk was at fault: what it was answered then need not have been committed, whatever
 *   it asked for afterwards
 */
export function judge(
  account: Account,
  events: readonly string[] | readonly Received[],
  processEnds: readonly number[] = [],
  diskFaults: readonly Span[] = [],
): Verdict {
  const ofAlerts = events.filter((event) => typeof event !== 'string' || !isOwn(event));
  const received = ofAlerts.map((event) => (typeof event === 'string' ? receivedOf(event) : event));
  const owed = owedBy(account, processEnds, diskFaults);
  const raised = new Set(account.raised.map(keyOfGiven));
  const newest = new Map([...account.newest()].map(([id, revision]) => [cefId(id), ticks(revision)]));
  const poisoned = account.poisoned === undefined ? undefined : ticks(account.poisoned);
  const copies = Map.groupBy(received, (event) => keyOf(event) + event.part);
  const records = Map.groupBy(received, keyOf);
  const inOrder = received.filter(({ outcome }) => outcome === 'new' || outcome === 'update');
  const lastCopies = new Map(inOrder.map(({ id, revision }) => [id, revision]));
  return {
    owed: owed.size,
    lost: missingOf(owed, records),
    duplicated: received.length - copies.size,
    delivered: copies.size,
    outOfOrder: [...lastCopies].flatMap(([id, revision]) =>
      [revision, poisoned].includes(newest.get(id)) ? [] : [id],
    ),
    unknown: [...records.keys()].filter((key) => !raised.has(revisionOf(key))),
    altered: alteredIn(received, account.raised),
    renumbered: renumberedIn(received),
  };
}

/** A key without the count of `unrevised`. */
const revisionOf = (key: string): string => key.replace(/\.\d+$/, '');

/** Which of several bodies of one revision came as the how many-th is a matter of what was read: any of them will do. */
function alteredIn(received: readonly Received[], raised: readonly Raised[]): string[] {
  const comparable = received.filter(({ isOf }) => isOf !== undefined);
  if (comparable.length === 0) return [];
  const bodies = Map.groupBy(raised, keyOfGiven);
  const altered = comparable.filter((event) => {
    const of = bodies.get(revisionOf(keyOf(event)));
    return of !== undefined && !of.some((each) => event.isOf?.(each));
  });
  return altered.map(keyOf);
}

/** An event that comes again has the number that it had, and no other event has that (S6). */
function renumberedIn(received: readonly Received[]): string[] {
  const numbered = received.filter(({ number }) => number !== undefined);
  const pairs = new Set(numbered.map((event) => `${event.number} ${keyOf(event)}${event.part}`));
  const wrong: string[] = [];
  const eventOf = new Map<string, string>();
  const numberOf = new Map<string, string>();
  for (const pair of pairs) {
    const [stream = '', sequence = '', ...event] = pair.split(' ');
    const number = `${stream} ${sequence}`;
    const inStream = `${stream} ${event.join(' ')}`;
    if (eventOf.has(number) || numberOf.has(inStream)) wrong.push(pair);
    eventOf.set(number, pair);
    numberOf.set(inStream, pair);
  }
  return wrong;
}
