import { createHash } from 'node:crypto';
import type { Account } from '../../src/simulator/index.ts';

/**
 * Judges what a receiver got against what the simulator raised, by the rules of `delivery.md` ("What is owed").
 * It shares no code with the relay: ids and revisions are read off the CEF lines by the documented mapping.
 */

/** One event as it was received. */
export interface Received {
  /** Alert id as CEF can hold it. */
  readonly id: string;
  /** Ticks of the revision. */
  readonly revision: bigint;
  /** 0, or the how many-th other body under this revision. */
  readonly unrevised: number;
  readonly part: string;
  readonly outcome: string;
}

/** @throws {Error} when the line is not an event of ours: something was split, glued or forged */
export function receivedOf(line: string): Received {
  const at = line.indexOf(' CEF:0|');
  if (at < 0 || line.indexOf(' CEF:0|', at + 1) >= 0)
    throw new Error(`not one CEF event: ${line.slice(0, 300)}`);
  const [, id] =
    / externalId=(\S+)|\|externalId=(\S+)/.exec(line)?.filter((part) => part !== undefined) ?? [];
  const payload = / devicePayloadId=(\d+)(?:\.(\d+))?(\S*)/.exec(line);
  const outcome = / outcome=(\w+)/.exec(line)?.[1];
  if (!id || !payload || !outcome) throw new Error(`an event without its identity: ${line.slice(0, 300)}`);
  const [, revision = '', unrevised = 0, part = ''] = payload;
  return { id, revision: BigInt(revision), unrevised: Number(unrevised), part, outcome };
}

/** Longer ids are shortened to 23 characters, `~` and 16 hex digits of their SHA-256. */
export function cefId(id: string): string {
  if ([...id].length <= 40) return id;
  return `${[...id].slice(0, 23).join('')}~${createHash('sha256').update(id).digest('hex').slice(0, 16)}`;
}

/** .NET ticks of Graph's time, by another way than the relay's. */
export function ticks(time: string): bigint {
  const [seconds = '', fraction = ''] = time.replace('Z', '').split('.');
  return (
    (BigInt(Date.parse(`${seconds}Z`)) + 62_135_596_800_000n) * 10_000n +
    BigInt(fraction.padEnd(7, '0').slice(0, 7))
  );
}

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
}

/** Further bodies of one revision that a relay tells (R1). */
const MOST_UNREVISED = 3;

/** `id revision`, and `.n` for the n-th further body of it. */
function keyOf(event: { id: string; revision: bigint; unrevised?: number }): string {
  const { id, revision, unrevised = 0 } = event;
  return `${id} ${revision}${unrevised > 0 ? `.${unrevised}` : ''}`;
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
  diskFaults: readonly { readonly from: number; readonly to: number }[] = [],
): Verdict {
  const received = events.map((event) => (typeof event === 'string' ? receivedOf(event) : event));
  const raised = new Set(account.raised.map(({ id, revision }) => `${cefId(id)} ${ticks(revision)}`));
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
    for (const { id, revision, unrevised } of alerts) {
      const key = keyOf({ id: cefId(id), revision: ticks(revision) });
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

  const copies = Map.groupBy(received, (event) => keyOf(event) + event.part);
  const records = Map.groupBy(received, keyOf);
  const complete = (key: string): boolean => {
    const parts = new Set(records.get(key)?.map(({ part }) => part));
    const total = Number(/\/(\d+)$/.exec([...parts][0] ?? '')?.[1] ?? 1);
    return parts.size === total;
  };
  const inOrder = received.filter(({ outcome }) => outcome === 'new' || outcome === 'update');
  const lastCopies = new Map(inOrder.map(({ id, revision }) => [id, revision]));
  return {
    owed: owed.size,
    lost: [...owed].filter((key) => !complete(key)),
    duplicated: received.length - copies.size,
    delivered: copies.size,
    outOfOrder: [...lastCopies].flatMap(([id, revision]) =>
      [revision, poisoned].includes(newest.get(id)) ? [] : [id],
    ),
    unknown: [...records.keys()].filter((key) => !raised.has(key.replace(/\.\d+$/, ''))),
  };
}
