import type { Json, JsonObject } from '../../core/record.ts';
import { bytesOf, write } from './write.ts';

/** Ends a text that was cut. */
const CUT = '…';
/** `""` and the mark. */
const LEAST_TEXT = 5;

/** Texts are cut to these lengths in turn, until what they stand in fits. */
const CAPS = [65_536, 16_384, 4096, 2048, 1024, 512, 256, 128, 64, 32];

/**
 * A value like this one whose JSON has at most `room` bytes, or `null` where there is room for nothing else. Its
 * longest texts are cut first; only when it is made of too many pieces the last of them are left out. It stays of its
 * kind, for receivers know a field by that.
 *
 * @param value not nested deeper than the stack allows
 */
export function shorten(value: Json, room: number): Json {
  if (bytesOf(write(value)) <= room) return value;
  if (typeof value !== 'object' || value === null) return taken(value, room);
  for (const cap of CAPS) {
    if (cap > room) continue;
    const shorter = capped(value, cap);
    if (bytesOf(write(shorter)) <= room) return shorter;
  }
  return taken(capped(value, CAPS.at(-1)!), room);
}

/** The longest beginning of a text whose JSON, with `…` at its end, has at most `room` bytes. */
export function shortenText(text: string, room: number): string {
  // A code unit is at least one byte.
  if (text.length + 2 <= room && bytesOf(write(text)) <= room) return text;
  let bytes = LEAST_TEXT;
  let end = 0;
  for (const point of text) {
    bytes += bytesOf(write(point)) - 2;
    if (bytes > room) break;
    end += point.length;
  }
  return `${text.slice(0, end)}${CUT}`;
}

/** With every text cut to so many bytes. */
function capped(value: Json, cap: number): Json {
  if (typeof value === 'string') return shortenText(value, cap);
  if (isList(value)) return value.map((item) => capped(item, cap));
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, capped(item ?? null, cap)]));
}

/** The first pieces that there is room for. */
function taken(value: Json, room: number): Json {
  if (bytesOf(write(value)) <= room) return value;
  if (typeof value === 'string' && room >= LEAST_TEXT) return shortenText(value, room);
  let left = room - 2;
  const take = (item: Json, keyBytes: number): Json | undefined => {
    // With a comma, and no less than `null`.
    const free = left - keyBytes - 1;
    if (free < 4) return undefined;
    const piece = taken(item, free);
    left = free - bytesOf(write(piece));
    return piece;
  };
  if (isList(value)) {
    const items: Json[] = [];
    for (const item of value) {
      const piece = take(item, 0);
      if (piece === undefined) break;
      items.push(piece);
    }
    return items;
  }
  if (!isObject(value)) return null;
  const entries: [string, Json][] = [];
  for (const [key, item] of Object.entries(value)) {
    const piece = take(item ?? null, bytesOf(write(key)) + 1);
    if (piece !== undefined) entries.push([key, piece]);
    else if (left < LEAST_ENTRY) break;
  }
  return Object.fromEntries(entries);
}

/** `"":null,` */
const LEAST_ENTRY = 8;

export function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
