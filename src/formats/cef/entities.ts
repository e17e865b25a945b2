import type { Json } from '../../core/record.ts';
import type { Reading, Side } from './evidence/reading.ts';
import { readEvidence } from './evidence/types.ts';
import { list, object, text, texts } from './read.ts';

/** A piece of evidence, top-level or nested, that stands once in an event however often the alert names it. */
export interface Entity {
  /** Its type, as cs6 calls it. */
  readonly word: string;
  readonly reading: Reading;
  readonly side: Side;
  readonly roles: readonly string[];
  readonly verdict: string;
}

/** What the products did about the evidence: every `remediationStatus` and `detectionStatus`. */
export type Actions = ReadonlySet<string>;

export interface Evidence {
  /** The most telling first. */
  readonly entities: readonly Entity[];
  readonly actions: Actions;
  readonly tags: readonly string[];
}

/** Trees of evidence are 4 deep and more; what lies deeper than this is left out. */
const MAX_DEPTH = 6;

const PREFIX = '#microsoft.graph.security.';
const SUFFIX = 'Evidence';

interface Found extends Entity {
  readonly rank: number;
  /** Nothing but the default says on which side it is. */
  readonly sideless: boolean;
}

/** The evidence of an alert, nested evidence too: ranked, each thing once. */
export function readEvidenceOf(raw: Json | undefined, serviceSource: string): Evidence {
  const found: Found[] = [];
  const actions = new Set<string>();
  const tags = new Set<string>();

  const visit = (type: string, value: Json | undefined, depth: number, from?: Side): void => {
    if (value === null || value === undefined) return;
    const evidence = object(value);
    const word = typeOf(evidence['@odata.type']) || type;
    const reading = readEvidence(word, value);
    const roles = texts(evidence.roles).filter(saysSomething);
    const ownSide = reading.side ?? sideOf(roles) ?? from;
    const verdict = text(evidence.verdict);
    actions.add(text(evidence.remediationStatus));
    if (reading.action) actions.add(reading.action);
    for (const tag of texts(evidence.tags)) tags.add(tag);
    if (reading.value !== '' || depth === 0) {
      const rank = rankOf(depth, roles, texts(evidence.detailedRoles), verdict);
      const named = word === 'account' ? 'user' : word;
      found.push({
        word: named,
        reading,
        side: ownSide ?? 'source',
        sideless: !ownSide && depth === 0,
        roles,
        verdict,
        rank,
      });
    }
    if (depth === MAX_DEPTH) return;
    for (const nested of reading.nested ?? []) {
      visit(nested.type, nested.value, depth + 1, nested.side ?? ownSide);
    }
  };
  for (const item of list(raw)) visit('evidence', item, 0);

  const entities = remoteParties(found, serviceSource).sort((a, b) => a.rank - b.rank);
  return { entities: once(firstMessageFirst(entities)), actions, tags: [...tags] };
}

/** `deviceEvidence` → `device`. Only what can be a name: it comes from outside too. */
function typeOf(raw: Json | undefined): string {
  const type = text(raw);
  const start = type.startsWith(PREFIX) ? PREFIX.length : 0;
  const name = type.slice(start, type.endsWith(SUFFIX) ? -SUFFIX.length : undefined);
  return /^\w{1,64}$/.test(name) ? name : '';
}

function saysSomething(role: string): boolean {
  return role !== 'unknown' && role !== 'unknownFutureValue' && /^\w{1,64}$/.test(role);
}

const sideByRole: ReadonlyMap<string, Side> = new Map([
  ['source', 'source'],
  ['attacker', 'source'],
  ['compromised', 'source'],
  ['destination', 'destination'],
  ['attacked', 'destination'],
  ['scanned', 'destination'],
  ['created', 'destination'],
  ['edited', 'destination'],
  ['added', 'destination'],
  // It is called.
  ['commandAndControl', 'destination'],
]);

/** The side that the roles name; `undefined` when they name none or both. */
function sideOf(roles: readonly string[]): Side | undefined {
  const sides = new Set(roles.map((role) => sideByRole.get(role)).filter((side) => side !== undefined));
  return sides.size === 1 ? [...sides][0] : undefined;
}

const roleRanks = ['attacker', 'compromised', 'attacked', 'source', 'destination'];
const verdictRanks = ['malicious', 'suspicious', 'unknown', 'noThreatsFound'];

/** By role, then by being called the main one, then by verdict; nested evidence after all the rest. Lowest first. */
function rankOf(
  depth: number,
  roles: readonly string[],
  detailedRoles: readonly string[],
  verdict: string,
): number {
  const role = roleRanks.findIndex((name) => roles.includes(name));
  const main = detailedRoles.some((name) => /primary|main/i.test(name.slice(0, 200)));
  const verdictRank = verdictRanks.indexOf(verdict);
  return (
    (depth > 0 ? 1000 : 0) +
    (role < 0 ? roleRanks.length : role) * 100 +
    (main ? 0 : 10) +
    (verdictRank < 0 ? 2 : verdictRank)
  );
}

/**
 * Endpoint and Cloud alerts name the address that a device spoke with, without a role. As source it would be
 * taken for the asset, so it stands on the other side. An address of a device in the alert stands on that device's side.
 */
function remoteParties(found: readonly Found[], serviceSource: string): Found[] {
  const aboutAssets =
    serviceSource === 'microsoftDefenderForEndpoint' || serviceSource === 'microsoftDefenderForCloud';
  if (!aboutAssets) return [...found];
  const sides = new Map<string, Side>();
  for (const { reading, side } of found) {
    for (const address of reading.addresses ?? []) if (!sides.has(address)) sides.set(address, side);
  }
  const hosts = found.filter(({ reading }) => reading.group === 'host');
  const attacked = hosts.length > 0 && hosts.every(({ side }) => side === 'destination');
  const remote = attacked ? 'source' : 'destination';
  return found.map((entity) =>
    entity.sideless && entity.reading.group === 'address'
      ? { ...entity, side: sides.get(entity.reading.value) ?? remote }
      : entity,
  );
}

/** A message knows its sender and recipient better than the users and mailboxes beside it. */
function firstMessageFirst(entities: readonly Entity[]): readonly Entity[] {
  const index = entities.findIndex(({ reading }) => reading.group === 'message');
  const message = entities[index];
  return message ? [message, ...entities.slice(0, index), ...entities.slice(index + 1)] : entities;
}

/** Leaves out what an entity before it is or covers. */
function once(entities: readonly Entity[]): readonly Entity[] {
  const ids = new Set<string>();
  /** Names, and whether the entity had ids too. */
  const names = new Map<string, boolean>();
  return entities.filter(({ word, reading }, index) => {
    const own = reading.ids ?? [];
    const hasIds = own.length > 0;
    // Without id or name two of them are the same when cs6 would say the same.
    const name = reading.name ?? (hasIds ? '' : `${word}:${reading.value}`);
    const named = !name.endsWith(':') && name !== '' ? names.get(name) : undefined;
    if (own.some((id) => ids.has(id)) || (named !== undefined && !(named && hasIds))) return false;
    for (const id of own) ids.add(id);
    // Only the first message fills keys, so only that covers its people.
    if (reading.group !== 'message' || index === 0) for (const id of reading.covers ?? []) ids.add(id);
    if (name !== '' && !names.has(name)) names.set(name, hasIds);
    return true;
  });
}
