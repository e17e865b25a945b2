import { createHash } from 'node:crypto';
import type { Raised } from '../../src/simulator/index.ts';

/**
 * Reads events as a receiver would, by what the documentation says of them. Shares no code with the relay: the oracle
 * judges by it.
 */

/** One event as it was received. */
export interface Received {
  /** Alert id as CEF can hold it. */
  readonly id: string;
  /** Ticks of the revision. */
  readonly revision: bigint;
  /** 0, or the how many-th other body under this revision. */
  readonly unrevised: number;
  /** `:2/3`, or nothing. */
  readonly part: string;
  readonly outcome: string;
  /** Stream and running number. */
  readonly number?: string;
  /** Whether it says of the alert what that was, as far as it can be compared. */
  readonly isOf?: (raised: Raised) => boolean;
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
  const [stream, sequence] = [/ dvcpid=(\d+)/.exec(line)?.[1], / cn3=(\d+)/.exec(line)?.[1]];
  return {
    id,
    revision: BigInt(revision),
    unrevised: Number(unrevised),
    part,
    outcome,
    ...(stream && sequence && { number: `${stream} ${sequence}` }),
    isOf: (raised) => isCefOf(line.slice(at + 1), raised),
  };
}

/** @throws {Error} when it is not an event of ours, whole */
export function receivedOfJson(text: string): Received {
  const read: unknown = JSON.parse(text);
  if (typeof read !== 'object' || read === null) throw new Error(`not one event: ${text.slice(0, 300)}`);
  const event = read as Readonly<Record<string, unknown>>;
  const { id, revision, unrevised, part, parts, outcome, stream, sequence, shortened } = event;
  const isOurs = typeof id === 'string' && typeof revision === 'string' && typeof outcome === 'string';
  if (!isOurs) throw new Error(`an event without its identity: ${text.slice(0, 300)}`);
  const isWhole = parts === 1 && shortened === undefined;
  return {
    id: cefId(id),
    revision: ticks(revision),
    unrevised: Number(unrevised),
    part: parts === 1 ? '' : `:${part}/${parts}`,
    outcome,
    number: `${stream} ${sequence}`,
    // What is in parts is compared by the name of its alert alone.
    isOf: (raised) => (isWhole ? isJsonOf(text, raised) : id === raised.id),
  };
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

/** CEF's number for each severity, as the mapping has it. */
const SEVERITIES: Readonly<Record<string, string>> = {
  informational: '1',
  low: '3',
  medium: '6',
  high: '8',
  critical: '10',
};

/** What CEF says of an alert that stands in it as it stands in the alert; the rest is a matter of the format's own tests. */
interface Facts {
  readonly title: string;
  readonly severity: string;
  readonly status: string | undefined;
  readonly category: string | undefined;
  readonly created: string | undefined;
  readonly evidence: string;
}

const factsOfRaised = new WeakMap<Raised, Facts>();

function factsOf(raised: Raised): Facts {
  const known = factsOfRaised.get(raised);
  if (known) return known;
  const body = raised.body() as Readonly<Record<string, unknown>>;
  const text = (name: string) => (typeof body[name] === 'string' ? body[name] : undefined);
  const createdMs = Date.parse(text('createdDateTime') ?? '');
  const { evidence } = body;
  const facts = {
    title: plain(text('title') ?? ''),
    severity: SEVERITIES[text('severity') ?? ''] ?? '5',
    status: text('status'),
    category: text('category'),
    created: Number.isNaN(createdMs) ? undefined : String(createdMs),
    evidence: String(Array.isArray(evidence) ? evidence.length : 0),
  };
  factsOfRaised.set(raised, facts);
  return facts;
}

const KEYS = {
  flexString1: / flexString1=(.*?)(?= \w+=|$)/,
  cat: / cat=(.*?)(?= \w+=|$)/,
  deviceCustomDate1: / deviceCustomDate1=(.*?)(?= \w+=|$)/,
  cn2: / cn2=(.*?)(?= \w+=|$)/,
};

function isCefOf(event: string, raised: Raised): boolean {
  const fields = /^CEF:0\|(?:(?:[^\\|]|\\.)*\|){4}((?:[^\\|]|\\.)*)\|(\d+)\|/.exec(event);
  if (!fields) return false;
  const [, name = '', severity] = fields;
  const facts = factsOf(raised);
  const title = plain(name.replaceAll(/\\(.)/g, '$1'));
  const isTitle = title.endsWith('…')
    ? facts.title.startsWith(title.slice(0, -1).trimEnd())
    : title === facts.title;
  const says = (key: RegExp, fact: string | undefined) => {
    const [, value] = key.exec(event) ?? [];
    return fact === undefined || value === undefined || plain(value) === plain(fact);
  };
  return (
    (facts.title === '' || isTitle) &&
    severity === facts.severity &&
    says(KEYS.flexString1, facts.status) &&
    says(KEYS.cat, facts.category) &&
    says(KEYS.deviceCustomDate1, facts.created) &&
    says(KEYS.cn2, facts.evidence)
  );
}

/** Without what a line cannot carry, and what a format may put in its place. */
const plain = (text: string): string => text.replaceAll(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\s\ufffd]+/gu, ' ').trim();

const jsonOfRaised = new WeakMap<Raised, string>();

function isJsonOf(event: string, raised: Raised): boolean {
  const json = jsonOfRaised.get(raised) ?? asJson(raised.body());
  jsonOfRaised.set(raised, json);
  // Nearly always it is the same text.
  if (event.endsWith(`"body":${json}}`)) return true;
  return canonical((exactly(event) as { body: unknown }).body) === canonical(exactly(json));
}

// TypeScript's library does not know them yet; Node 24 has them.
const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };

const asJson = (value: unknown): string =>
  JSON.stringify(value, (_key, item) => (typeof item === 'bigint' ? rawJSON(String(item)) : item));

/** Numbers as they are written, however long. */
function exactly(text: string): unknown {
  const asWritten = (_key: string, value: unknown, context?: { source?: string }) =>
    typeof value === 'number' ? { number: context?.source } : value;
  return JSON.parse(text, asWritten);
}

/** The same whatever the order of names. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  );
}
