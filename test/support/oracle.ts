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
  const payload = / devicePayloadId=(\d+)(\S*)/.exec(line);
  const outcome = / outcome=(\w+)/.exec(line)?.[1];
  if (!id || !payload || !outcome) throw new Error(`an event without its identity: ${line.slice(0, 300)}`);
  return { id, revision: BigInt(payload[1]!), part: payload[2]!, outcome };
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

/**
 * @param processEnds when a relay process ended, milliseconds since 1970: an answer counts as committed once the
 *   same process has asked for two things more (R2)
 */
export function judge(
  account: Account,
  lines: readonly string[],
  processEnds: readonly number[] = [],
): Verdict {
  const received = lines.map(receivedOf);
  const raised = new Map(account.raised.map((each) => [`${cefId(each.id)} ${ticks(each.revision)}`, each]));
  const newest = new Map([...account.newest()].map(([id, revision]) => [cefId(id), ticks(revision)]));
  const owed = new Set([...newest].map(([id, revision]) => `${id} ${revision}`));
  for (const { ordinal, request, alerts } of account.answers) {
    // What comes without a filter only asks for the time.
    if (!request.includes('filter') && !request.includes('skiptoken')) continue;
    const { at } = account.requests[ordinal - 1]!;
    const end = processEnds.find((ended) => ended > at) ?? Infinity;
    const more = account.requests.slice(ordinal).filter((later) => later.at < end);
    if (more.length < 2) continue;
    for (const { id, revision } of alerts) owed.add(`${cefId(id)} ${ticks(revision)}`);
  }

  const copies = Map.groupBy(received, ({ id, revision, part }) => `${id} ${revision}${part}`);
  const records = Map.groupBy(received, ({ id, revision }) => `${id} ${revision}`);
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
    outOfOrder: [...lastCopies].flatMap(([id, revision]) => (newest.get(id) === revision ? [] : [id])),
    unknown: [...records.keys()].filter((key) => !raised.has(key)),
  };
}
