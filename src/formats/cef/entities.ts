import type { Json } from '../../core/record.ts';
import type { Note, Reading, Side } from './evidence/reading.ts';
import { readEvidence, types } from './evidence/types.ts';
import { list, object, text, texts } from './read.ts';

/** A piece of evidence, top-level or nested. */
export interface Entity {
  /** Its type, as cs6 calls it. */
  readonly word: string;
  readonly reading: Reading;
  readonly side: Side;
  readonly roles: readonly string[];
  readonly verdict: string;
  /** One before it is the same thing, or tells about it: this one says nothing more, or has something to add. */
  readonly again?: 'same' | 'more';
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
/** Each type that we know to read, by Graph's whole name of it. */
const typesByName: ReadonlyMap<string, string> = new Map(
  types.map((type) => [`${PREFIX}${type}${SUFFIX}`, type]),
);

interface Found extends Entity {
  readonly rank: number;
  /** Nothing but the default says on which side it is. */
  readonly sideless: boolean;
}

/** The evidence of an alert, nested evidence too: ranked, and with what comes again marked. */
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

  const entities = apart(remoteParties(found, serviceSource).sort((a, b) => a.rank - b.rank));
  return { entities: once(firstMessageFirst(entities)), actions, tags: [...tags] };
}

/** `deviceEvidence` → `device`. Only what can be a name: it comes from outside too. */
function typeOf(raw: Json | undefined): string {
  const type = text(raw);
  const common = typesByName.get(type);
  if (common) return common;
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
  let named: Side | undefined;
  for (const role of roles) {
    const side = sideByRole.get(role);
    if (side === undefined) continue;
    if (named !== undefined && named !== side) return undefined;
    named = side;
  }
  return named;
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
  const isRemote = ({ sideless, reading }: Found) => sideless && reading.group === 'address';
  if (!aboutAssets || !found.some(isRemote)) return [...found];
  const sides = new Map<string, Side>();
  for (const { reading, side } of found) {
    for (const address of reading.addresses ?? []) if (!sides.has(address)) sides.set(address, side);
  }
  const hosts = found.filter(({ reading }) => reading.group === 'host');
  const attacked = hosts.length > 0 && hosts.every(({ side }) => side === 'destination');
  const remote = attacked ? 'source' : 'destination';
  return found.map((entity) =>
    isRemote(entity) ? { ...entity, side: sides.get(entity.reading.value) ?? remote } : entity,
  );
}

const hostile = ['attacker', 'commandAndControl'];
const harmed = ['attacked', 'compromised'];

/**
 * To a receiver, host and address of a side are one machine. Where the roles put the address of an attacker on the side
 * of the device that it harmed, it stands on the other side; in cs6 only, when there is a device on that side too.
 */
function apart(entities: readonly Entity[]): readonly Entity[] {
  const has = ({ roles }: Entity, some: readonly string[]) => roles.some((role) => some.includes(role));
  const isEnemys = (entity: Entity) => entity.reading.group === 'address' && has(entity, hostile);
  if (!entities.some(isEnemys)) return entities;
  const hosts = entities.filter(({ reading }) => reading.group === 'host');
  const own = new Set(hosts.flatMap(({ reading }) => reading.addresses ?? []));
  return entities.map((entity) => {
    if (!isEnemys(entity) || own.has(entity.reading.value)) return entity;
    const host = hosts.find(({ side }) => side === entity.side);
    if (!host || !has(host, harmed) || has(host, hostile)) return entity;
    if (hosts.some(({ side }) => side !== entity.side)) {
      const { group, ...keyless } = entity.reading;
      return { ...entity, reading: keyless };
    }
    return { ...entity, side: entity.side === 'source' ? 'destination' : 'source' };
  });
}

/** A message knows its sender and recipient better than the users and mailboxes beside it. */
function firstMessageFirst(entities: readonly Entity[]): readonly Entity[] {
  const index = entities.findIndex(({ reading }) => reading.group === 'message');
  const message = entities[index];
  return message ? [message, ...entities.slice(0, index), ...entities.slice(index + 1)] : entities;
}

/** What has been told of one thing so far: roles, judgements and notes. */
class Said {
  readonly #first: () => readonly string[];
  #all: Set<string> | undefined;

  constructor(first: () => readonly string[]) {
    this.#first = first;
  }

  /** Put together when it is asked for: few things come again. */
  get all(): Set<string> {
    this.#all ??= new Set(this.#first());
    return this.#all;
  }
}

/** Who sent and who got a message, and from where, is clear from its keys. */
const saidByMessage = ['source', 'destination', 'contextual'];

/** Marks what an entity before it is or covers, so that it only adds what that has not said. */
function once(entities: readonly Entity[]): readonly Entity[] {
  const byId = new Map<string, Said>();
  /** By name, and whether the entity had ids too. */
  const byName = new Map<string, { readonly said: Said; readonly hasIds: boolean }>();
  return entities.map((entity, index) => {
    const { word, reading } = entity;
    const own = reading.ids ?? [];
    const hasIds = own.length > 0;
    // Without id or name two of them are the same when cs6 would say the same.
    const name = reading.name ?? (hasIds ? '' : `${word}:${reading.value}`);
    const isNamed = !name.endsWith(':') && name !== '';
    const namesake = isNamed ? byName.get(name) : undefined;
    const before = saidOfAny(own, byId) ?? (namesake?.hasIds && hasIds ? undefined : namesake?.said);

    const said = before ?? new Said(() => sayings(entity));
    for (const id of own) if (!byId.has(id)) byId.set(id, said);
    if (isNamed && !namesake) byName.set(name, { said, hasIds });
    if (before) return again(entity, before.all);
    const isMessage = reading.group === 'message';
    // Only the first message fills keys, so only that covers its people.
    if (isMessage && index > 0) return entity;
    for (const id of reading.covers ?? []) {
      if (!byId.has(id)) byId.set(id, isMessage ? new Said(() => saidByMessage) : said);
    }
    return entity;
  });
}

function saidOfAny(ids: readonly string[], byId: ReadonlyMap<string, Said>): Said | undefined {
  for (const id of ids) {
    const said = byId.get(id);
    if (said) return said;
  }
  return undefined;
}

/** What an entity says besides what it is. */
function sayings({ roles, verdict, reading }: Entity): readonly string[] {
  const isBad = verdict === 'malicious' || verdict === 'suspicious';
  return [...roles, ...(isBad ? [verdict] : []), ...(reading.notes ?? []).map(noteText)];
}

const noteText = ([name, value]: Note): string => (value === '' ? '' : `${name}:${value}`);

/** A further sight of something, with the notes that are new. */
function again(entity: Entity, said: Set<string>): Entity {
  const isNew = (saying: string) => saying !== '' && !said.has(saying);
  const notes = (entity.reading.notes ?? []).filter((note) => isNew(noteText(note)));
  const news = sayings(entity).filter(isNew);
  for (const saying of news) said.add(saying);
  const reading = { ...entity.reading, notes, details: [] };
  return { ...entity, reading, again: news.length > 0 ? 'more' : 'same' };
}
