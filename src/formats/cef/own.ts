import type { Stamp } from '../../core/format.ts';
import type { OwnField } from '../../core/own-event.ts';
import { bodyName } from '../../core/own-record.ts';
import type { RelayRecord } from '../../core/record.ts';
import { clean, type Encoder, shortenBytes } from './escape.ts';
import { externalIdOf } from './header.ts';
import { MAPPING_VERSION, MIN_BYTES } from './parts.ts';
import { text } from './read.ts';

/** Where a field of an event of the relay itself goes, and the label of a custom key. */
export interface OwnPlace {
  readonly key: string;
  readonly label?: string;
}

/** Fields that share a key never stand in one event. A place is for ever. */
export const ownPlaces = {
  sinceMs: { key: 'start' },
  untilMs: { key: 'end' },
  reason: { key: 'reason' },
  tenant: { key: 'deviceFacility' },
  source: { key: 'cs1', label: 'source' },
  sink: { key: 'cs2', label: 'sink' },
  product: { key: 'cs3', label: 'product' },
  detail: { key: 'cs4', label: 'detail' },
  version: { key: 'cs5', label: 'version' },
  count: { key: 'cn1', label: 'count' },
  untold: { key: 'cn2', label: 'untold' },
  lastSeenMs: { key: 'deviceCustomDate1', label: 'lastSeen' },
  countedSinceMs: { key: 'deviceCustomDate2', label: 'countedSince' },
  expiresMs: { key: 'deviceCustomDate2', label: 'expires' },
  percent: { key: 'cfp1', label: 'percent' },
  usualSeconds: { key: 'cfp2', label: 'usualSeconds' },
  longestSeconds: { key: 'cfp3', label: 'longestSeconds' },
  latenessSeconds: { key: 'cfp4', label: 'latenessSeconds' },
} as const satisfies Record<OwnField, OwnPlace>;

const fields = Object.keys(ownPlaces) as readonly OwnField[];

/** Most bytes of a field that is no free text: names of the config have at most 63. */
const MAX_BYTES = 80;
/** Free text that would be shorter than this says nothing. */
const LEAST_BYTES = 24;

/**
 * An event of the relay itself, always in one line. All but free text is small; that is shortened to the room there is,
 * first what others have said.
 */
export function ownLine(
  { body, id, tenant, revision, outcome, timeMs }: RelayRecord,
  severity: number,
  { stream, sequence, sentMs, maxBytes }: Stamp,
  encoder: Encoder,
): string {
  const short = (value: string) => {
    const whole = clean(value);
    return Buffer.byteLength(encoder.value(whole)) <= MAX_BYTES
      ? whole
      : shortenBytes(whole, MAX_BYTES, encoder.value);
  };
  const pair = ({ key, label }: OwnPlace, value: string) => {
    const text = `${key}=${encoder.value(value)}`;
    return label ? `${key}Label=${label} ${text}` : text;
  };
  const known = { ...body, tenant };
  const said = (field: OwnField): string[] => {
    const value = short(asCef(field, known[bodyName(field) as keyof typeof known]));
    return value === '' || field === 'detail' ? [] : [pair(ownPlaces[field], value)];
  };
  const isFirstTelling = outcome === 'new' || outcome === 'update';
  const before = [
    `externalId=${encoder.value(externalIdOf(id))}`,
    `devicePayloadId=${revision}`,
    `rt=${timeMs}`,
    'cat=relay',
    `outcome=${outcome}`,
  ];
  const behind = [
    ...fields.flatMap(said),
    `dvcpid=${stream}`,
    `cn3Label=sequence cn3=${sequence}`,
    ...(isFirstTelling ? [] : [`flexDate1Label=sent flexDate1=${sentMs}`]),
  ];
  const names = [short(text(body.event)) || 'relay', short(text(body.name)) || 'Relay'];
  const header = ['defender-relay', 'defender-relay', MAPPING_VERSION, ...names].map(encoder.header);
  const start = `CEF:0|${header.join('|')}|${severity}|${before.join(' ')}`;
  let left = Math.max(MIN_BYTES, Math.floor(maxBytes) || 0) - Buffer.byteLength([start, ...behind].join(' '));
  const free = [
    ['msg', undefined, text(body.message)],
    [ownPlaces.detail.key, ownPlaces.detail.label, text(body.detail)],
  ] as const;
  // Free text stands before who and what: lenient parsers let the last duplicate win.
  const texts = free.flatMap(([key, label, value]) => {
    const place = label === undefined ? { key } : { key, label };
    const room = left - Buffer.byteLength(pair(place, '')) - 1;
    const whole = clean(value);
    if (whole === '' || room < LEAST_BYTES) return [];
    const fits = Buffer.byteLength(encoder.value(whole)) <= room;
    const piece = pair(place, fits ? whole : shortenBytes(whole, room, encoder.value));
    left -= Buffer.byteLength(piece) + 1;
    return [piece];
  });
  return [start, ...texts, ...behind].join(' ');
}

/** As CEF has it: times in milliseconds. */
function asCef(field: OwnField, value: RelayRecord['body'][string]): string {
  const said = text(value);
  if (!field.endsWith('Ms')) return said;
  const time = Date.parse(said);
  return Number.isNaN(time) ? '' : String(time);
}
