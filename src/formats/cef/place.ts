import { parseAddress } from './address.ts';
import type { Key } from './dictionary.ts';
import type { Draft } from './draft.ts';
import type { Entity } from './entities.ts';
import type { Claim, Group, Note, Side, Slot } from './evidence/reading.ts';
import { known } from './read.ts';

/** The keys of a slot on either side. */
const sidedKeys = {
  host: { source: 'shost', destination: 'dhost' },
  dnsDomain: { source: 'sourceDnsDomain', destination: 'destinationDnsDomain' },
  translated: { source: 'sourceTranslatedAddress', destination: 'destinationTranslatedAddress' },
  mac: { source: 'smac', destination: 'dmac' },
  port: { source: 'spt', destination: 'dpt' },
  user: { source: 'suser', destination: 'duser' },
  userId: { source: 'suid', destination: 'duid' },
  ntDomain: { source: 'sntdom', destination: 'dntdom' },
} as const satisfies Record<Exclude<Slot, 'address'>, Readonly<Record<Side, Key>>>;

const keysOf: Readonly<Partial<Record<Slot | Key, Readonly<Record<Side, Key>>>>> = sidedKeys;

const sides = ['source', 'destination'] as const;

const addressKeys = ['src', 'dst', 'c6a2', 'c6a3'] as const;

const sided: ReadonlySet<Group> = new Set(['user', 'host', 'nic', 'address']);

function keyFor(to: Slot | Key, value: string, side: Side): Key {
  if (to !== 'address') return keysOf[to]?.[side] ?? (to as Key);
  const isSource = side === 'source';
  return parseAddress(value)?.family === 6 ? (isSource ? 'c6a2' : 'c6a3') : isSource ? 'src' : 'dst';
}

/**
 * Puts each entity where it belongs: the first of its group fills the keys of the group, the others become items
 * of cs6, in order. Notes of those that filled keys follow after all items.
 */
export function place(entities: readonly Entity[], draft: Draft): void {
  const placed = new Set<Entity>();
  /** Groups that exist on one side only stand among those of the source. */
  const taken = { source: new Set<Group | Key>(), destination: new Set<Group | Key>() };

  const tryToPlace = (entity: Entity): void => {
    const { group, claims = [], cs5Label } = entity.reading;
    if (!group || entity.again) return;
    const first = claims.find(([, value]) => value !== '');
    if (!first && group !== 'connection') return;
    const key = first && keyFor(first[0], first[1], first[2] ?? entity.side);
    // The families have keys of their own.
    const lock = (group === 'address' && key) || group;
    const locks = taken[sided.has(group) ? entity.side : 'source'];
    if (locks.has(lock) || (key && draft.has(key))) return;
    locks.add(lock);
    placed.add(entity);
    fill(draft, claims, entity.side, cs5Label);
  };
  for (const entity of entities) if (!entity.reading.late) tryToPlace(entity);
  for (const entity of entities) if (entity.reading.late) tryToPlace(entity);
  for (const entity of entities) {
    if (placed.has(entity)) fill(draft, entity.reading.extras ?? [], entity.side, entity.reading.cs5Label);
  }
  for (const entity of entities) if (entity.again) fillUser(entity, draft);
  if (!taken.source.has('file')) {
    const image = entities.find((entity) => placed.has(entity) && entity.reading.fileClaims);
    fill(draft, image?.reading.fileClaims ?? [], 'source');
  }

  // A connection is told whole: its ends may have found other keys, or none.
  const isTold = (entity: Entity) => placed.has(entity) && entity.reading.group !== 'connection';
  for (const entity of entities) {
    if (!isTold(entity) && entity.again !== 'same') draft.item(describe(entity));
  }
  for (const entity of entities) {
    if (!isTold(entity)) continue;
    const where = sided.has(entity.reading.group ?? 'message') && entity.side === 'destination';
    const tell = ([name, value]: Note) => {
      if (value !== '') draft.item(`${name}:${value}${where ? '[destination]' : ''}`);
    };
    tell(['ip', lostAddress(entity, entities, draft)]);
    entity.reading.notes?.forEach(tell);
  }
}

/** A message knows of a user no more than the address; id and domain come from whoever tells them too. */
function fillUser({ reading }: Entity, draft: Draft): void {
  if (reading.group !== 'user') return;
  const name = reading.claims?.find(([to]) => to === 'user')?.[1].toLowerCase();
  for (const side of sides) {
    if (name && draft.values.get(sidedKeys.user[side])?.toLowerCase() === name) {
      fill(draft, reading.claims ?? [], side);
    }
  }
}

/** The address of a device that has its keys, but whose address key another had before it; else empty. */
function lostAddress({ reading, side }: Entity, entities: readonly Entity[], draft: Draft): string {
  if (reading.group !== 'host') return '';
  const address = reading.extras?.find(([to]) => to === 'address')?.[1] ?? '';
  const isTold =
    stands(address, draft) ||
    !draft.has(keyFor('address', address, side)) ||
    entities.some(({ word, reading }) => word === 'ip' && reading.value === address);
  return isTold ? '' : address;
}

function fill(draft: Draft, claims: readonly Claim[], entitySide: Side, cs5Label?: string): void {
  for (const [to, value, side = entitySide] of claims) {
    if (value === '') continue;
    if (to === 'port' && !isEndOf(claims, draft, side)) continue;
    if (to === 'proto' && !sides.some((at) => isEndOf(claims, draft, at))) continue;
    // One address on both sides would say that it spoke with itself.
    if (to === 'address' && stands(value, draft)) continue;
    const key = keyFor(to, value, side);
    if (draft.has(key)) {
      if (key === 'cs5') draft.item(`${cs5Label}:${value}`);
      continue;
    }
    draft.set(key, value);
    if (key === 'cs5' && cs5Label) draft.cs5Label = cs5Label;
  }
}

function stands(address: string, draft: Draft): boolean {
  const text = parseAddress(address)?.text;
  return text !== undefined && addressKeys.some((key) => draft.values.get(key) === text);
}

/** A port goes with its own address only, a protocol with one of them. */
function isEndOf(claims: readonly Claim[], draft: Draft, side: Side): boolean {
  const address = claims.find(([to, , at]) => to === 'address' && at === side)?.[1] ?? '';
  const parsed = parseAddress(address)?.text;
  return parsed !== undefined && draft.values.get(keyFor('address', address, side)) === parsed;
}

/** `type:value/note:value[roles,verdict]`. */
function describe({ word, reading, roles, verdict }: Entity): string {
  const notes = [...(reading.details ?? []), ...(reading.notes ?? [])];
  const value = reading.value === '' ? word : `${word}:${reading.value}`;
  const said = value + notes.map(noteOf(reading.value)).join('');
  const judged = [...roles, known(verdict)].filter((word) => /^\w+$/.test(word)).join(',');
  // A value that ends like a judgement must not pass for one.
  return judged !== '' ? `${said}[${judged}]` : said.endsWith(']') ? `${said}[unknown]` : said;
}

const noteOf =
  (told: string) =>
  ([name, value]: Note): string =>
    value === '' || value === told ? '' : `/${name}:${value}`;
