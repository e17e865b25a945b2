/** What CEF says a key may hold. `integer` has 32 bits, `long` 64. */
export type KeyType = 'text' | 'identifier' | 'time' | 'integer' | 'long' | 'ipv4' | 'ipv6' | 'mac';

/**
 * In which events (parts) of a record a key stands. `always`: in every one, at any price. `flow`: in one of
 * them. A number: in every one, unless that leaves too little room; the lowest give way first.
 */
export type Presence = 'always' | 'flow' | number;

interface KeyRule {
  readonly type: KeyType;
  /** Most characters (code points, before escaping) of a text or identifier. */
  readonly max?: number;
  /** Custom keys need one. */
  readonly label?: string;
  readonly in: Presence;
}

/**
 * Every key we ever send, in the order of sending: ids and times, free text, who and where, what, links and
 * numbers. Free text stands before who and where, because lenient parsers let the last duplicate win. Types and
 * lengths are those of the CEF dictionary, version 27. A text that is too long is cut; an identifier never is.
 */
const rules = {
  externalId: { type: 'identifier', max: 40, in: 'always' },
  devicePayloadId: { type: 'identifier', max: 128, in: 'always' },
  rt: { type: 'time', in: 'always' },
  start: { type: 'time', in: 91 },
  end: { type: 'time', in: 90 },
  cat: { type: 'text', max: 1023, in: 30 },
  act: { type: 'text', max: 63, in: 80 },
  outcome: { type: 'text', max: 63, in: 'always' },

  msg: { type: 'text', max: 1023, in: 'flow' },
  cs5: { type: 'text', max: 4000, in: 'flow' },
  cs6: { type: 'text', max: 4000, label: 'evidence', in: 'flow' },
  cs4: { type: 'text', max: 4000, label: 'threat', in: 'flow' },

  deviceExternalId: { type: 'identifier', max: 255, in: 93 },
  deviceFacility: { type: 'identifier', max: 1023, in: 92 },
  dvcpid: { type: 'integer', in: 'always' },
  sourceServiceName: { type: 'text', max: 1023, in: 20 },

  shost: { type: 'identifier', max: 1023, in: 74 },
  sourceDnsDomain: { type: 'identifier', max: 255, in: 52 },
  dhost: { type: 'identifier', max: 1023, in: 73 },
  destinationDnsDomain: { type: 'identifier', max: 255, in: 51 },
  src: { type: 'ipv4', in: 72 },
  c6a2: { type: 'ipv6', label: 'Source IPv6 Address', in: 70 },
  sourceTranslatedAddress: { type: 'ipv4', in: 25 },
  smac: { type: 'mac', in: 24 },
  spt: { type: 'integer', in: 28 },
  dst: { type: 'ipv4', in: 71 },
  c6a3: { type: 'ipv6', label: 'Destination IPv6 Address', in: 69 },
  destinationTranslatedAddress: { type: 'ipv4', in: 23 },
  dmac: { type: 'mac', in: 22 },
  dpt: { type: 'integer', in: 27 },
  proto: { type: 'text', max: 31, in: 26 },
  suser: { type: 'identifier', max: 1023, in: 76 },
  suid: { type: 'identifier', max: 1023, in: 56 },
  sntdom: { type: 'identifier', max: 255, in: 54 },
  duser: { type: 'identifier', max: 1023, in: 75 },
  duid: { type: 'identifier', max: 1023, in: 55 },
  dntdom: { type: 'identifier', max: 255, in: 53 },

  sproc: { type: 'text', max: 1023, in: 38 },
  spid: { type: 'integer', in: 37 },
  fname: { type: 'text', max: 1023, in: 36 },
  filePath: { type: 'text', max: 1023, in: 34 },
  fileHash: { type: 'identifier', max: 255, in: 35 },
  fsize: { type: 'integer', in: 15 },
  fileId: { type: 'identifier', max: 1023, in: 29 },
  deviceDirection: { type: 'integer', in: 16 },
  request: { type: 'text', max: 1023, in: 33 },
  requestClientApplication: { type: 'text', max: 1023, in: 17 },
  destinationServiceName: { type: 'text', max: 1023, in: 32 },

  cs1: { type: 'identifier', max: 4000, label: 'alertUrl', in: 94 },
  cs2: { type: 'text', max: 4000, label: 'mitreTechniques', in: 14 },
  cs3: { type: 'identifier', max: 4000, label: 'incidentUrl', in: 13 },
  cn1: { type: 'long', label: 'incidentId', in: 31 },
  cn2: { type: 'long', label: 'evidenceCount', in: 'always' },
  cn3: { type: 'long', label: 'sequence', in: 'always' },
  deviceCustomDate1: { type: 'time', label: 'created', in: 11 },
  deviceCustomDate2: { type: 'time', label: 'resolved', in: 10 },
  flexDate1: { type: 'time', label: 'sent', in: 'always' },
  flexString1: { type: 'text', max: 1023, label: 'status', in: 18 },
  flexString2: { type: 'text', max: 1023, label: 'classification', in: 12 },
} as const satisfies Record<string, KeyRule>;

export type Key = keyof typeof rules;

export const dictionary: Readonly<Record<Key, KeyRule>> = rules;

/** Keys in the order of sending. */
export const keys = Object.keys(rules) as readonly Key[];

/** The keys that give way when an event is too small for all, in that order. */
export const yielding: readonly Key[] = keys
  .filter((key) => typeof dictionary[key].in === 'number')
  .sort((a, b) => Number(dictionary[a].in) - Number(dictionary[b].in));
