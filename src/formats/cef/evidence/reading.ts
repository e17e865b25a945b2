import type { Json } from '../../../core/record.ts';
import type { Key } from '../dictionary.ts';

export type Side = 'source' | 'destination';

/**
 * What a key is about; on which side decides the evidence's role: `host` is `shost` or `dhost`. `address` goes
 * by its family too.
 */
export type Slot =
  | 'host'
  | 'dnsDomain'
  | 'address'
  | 'translated'
  | 'mac'
  | 'port'
  | 'user'
  | 'userId'
  | 'ntDomain';

/** A value and where it goes. */
export type Claim = readonly [to: Slot | Key, value: string, side?: Side];

/** A name and a value; said in cs6. */
export type Note = readonly [name: string, value: string];

/** Evidence inside evidence; `side` where the property's name tells it. */
export interface Nested {
  readonly type: string;
  readonly value: Json | undefined;
  readonly side?: Side;
}

/**
 * What kind of keys a piece of evidence wants to fill; all keys of a group come from one piece of evidence.
 * `user`, `host`, `nic` and `address` exist on both sides.
 */
export type Group =
  | 'message'
  | 'user'
  | 'host'
  | 'nic'
  | 'address'
  | 'process'
  | 'file'
  | 'registry'
  | 'url'
  | 'connection'
  | 'service'
  | 'agent'
  | 'malware';

/** What one piece of evidence says, whatever its type. */
export interface Reading {
  /** What stands for it in cs6. Empty: it says nothing that we know to read. */
  readonly value: string;
  /** Equal ids mean the same thing seen twice. */
  readonly ids?: readonly string[];
  /** Equal names mean the same thing too, unless both have ids. */
  readonly name?: string;
  /** Ids of what it tells about besides; evidence with such an id adds nothing. */
  readonly covers?: readonly string[];

  /** None: it is told in cs6 only. */
  readonly group?: Group;
  /** A side that is clear whatever the role. */
  readonly side?: Side;
  /** Comes after all others of its group, whatever its rank. */
  readonly late?: boolean;
  /** Keys it fills when it is the first of its group; the group counts as taken when the first of them is. */
  readonly claims?: readonly Claim[];
  /** Keys it fills as well, where they are still free after all claims. */
  readonly extras?: readonly Claim[];
  /** Keys of the group `file`, filled when no file wants them. */
  readonly fileClaims?: readonly Claim[];
  /** Label of cs5 when it claims that. */
  readonly cs5Label?: string;

  /** Said in cs6 in any case. */
  readonly notes?: readonly Note[];
  /** Said in cs6 when it filled no keys, which would have said it. */
  readonly details?: readonly Note[];
  readonly nested?: readonly Nested[];
  /** Addresses of a device: an IP among them is no remote party. */
  readonly addresses?: readonly string[];
  /** What the product did about it, besides `remediationStatus`. */
  readonly action?: string;
}

/** Ids in one form: `kind:value` in lower case, the empty ones left out. */
export function ids(...pairs: readonly (readonly [kind: string, value: string])[]): readonly string[] {
  const found: string[] = [];
  for (const [kind, value] of pairs) if (value !== '') found.push(`${kind}:${value.toLowerCase()}`);
  return found;
}

/** All elements of an array as nested evidence of one type. */
export function nestedList(type: string, value: Json | undefined, side?: Side): readonly Nested[] {
  if (!Array.isArray(value)) return [];
  return value.map((item: Json) => ({ type, value: item, ...(side && { side }) }));
}
