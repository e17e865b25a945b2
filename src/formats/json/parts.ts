import type { Json, JsonObject } from '../../core/record.ts';
import { pruned } from '../../lib/json.ts';
import { isList, shorten, shortenText } from './shorten.ts';
import { bytesOf, write } from './write.ts';

/** A field that is not whole. */
export interface Cut {
  /** `description`, `evidence.17`. */
  readonly field: string;
  /** Of its JSON as Microsoft sent it. */
  readonly bytes: number;
}

/** The body of one event. */
export interface Part {
  /** As JSON. */
  readonly body: string;
  readonly cuts: readonly Cut[];
}

/** By these an analyst finds the alert: they give way last. */
const LAST_TO_MOVE = new Set(['id', 'alertWebUrl', 'incidentWebUrl', 'title']);

/** Most bytes of a field's name. */
const MAX_KEY_BYTES = 40;
/** `,"shortened":[]` */
const MARKS_BYTES = 15;
/** No alert is nested so deep. */
const MOST_LEVELS = 100;

/** What stands in one part only: a field, or an item of a list. */
interface Piece {
  readonly key: string;
  readonly isItem: boolean;
  /** As JSON. */
  readonly text: string;
  readonly cut?: Cut;
}

/**
 * A body that is too large for one event as the bodies of several: pieces of evidence are spread over them, all other
 * fields stand in each. Only where these leave no room for evidence the largest of them are spread, too; and only what
 * is too large beside what stands in each is shortened. Every reader gets the whole by putting the lists together.
 *
 * @param room most bytes of a part's body with its marks
 * @param least what is left of it for what stands in one part only, if possible
 */
export function partsOf(body: JsonObject, room: number, least: number): Part[] {
  const fields = new Map<string, Json>(Object.entries(pruned(body, MOST_LEVELS) as Record<string, Json>));
  const { always, moved } = frameOf(fields, room - least);
  const frame = always.map(([key, text]) => `${key}:${text}`).join(',');
  // Braces, and the comma between frame and pieces.
  const left = room - bytesOf(frame) - 3;
  const pieces = moved.flatMap(([key, value]) => piecesOf(key, value, left));
  return packed(pieces, left).map((part) => ({
    body: `{${[frame, ...grouped(part)].filter(Boolean).join(',')}}`,
    cuts: part.flatMap(({ cut }) => cut ?? []),
  }));
}

/** What stands in every part, as JSON; and what moves, in the order of the body. */
function frameOf(fields: ReadonlyMap<string, Json>, target: number) {
  const texts = [...fields].map(([key, value]) => ({ key, name: write(key), text: write(value) }));
  const bytes = ({ name, text }: { name: string; text: string }) => bytesOf(name) + bytesOf(text) + 2;
  const moving = new Set<string>();
  const evidence = fields.get('evidence');
  if (isList(evidence) && evidence.length > 0) moving.add('evidence');
  let size = texts.reduce((sum, field) => sum + (moving.has(field.key) ? 0 : bytes(field)), 0);
  const rank = (key: string) => (LAST_TO_MOVE.has(key) ? 1 : 0);
  const inTurn = texts.toSorted((a, b) => rank(a.key) - rank(b.key) || bytes(b) - bytes(a));
  for (const field of inTurn) {
    if (size <= target) break;
    if (moving.has(field.key)) continue;
    moving.add(field.key);
    size -= bytes(field);
  }
  return {
    always: texts.filter(({ key }) => !moving.has(key)).map(({ name, text }) => [name, text] as const),
    moved: [...fields].filter(([key]) => moving.has(key)),
  };
}

function piecesOf(name: string, value: Json, room: number): Piece[] {
  const key = shortenText(name, MAX_KEY_BYTES);
  if (!isList(value) || value.length === 0) return [pieceOf(key, false, key, value, room)];
  return value.map((item, index) => pieceOf(key, true, `${key}.${index}`, item, room));
}

function pieceOf(key: string, isItem: boolean, field: string, value: Json, room: number): Piece {
  const text = write(value);
  const bytes = bytesOf(text);
  const piece = { key, isItem, text };
  if (bytesIn(piece) <= room) return piece;
  const cut = { field, bytes };
  const free = room - bytesIn({ key, isItem, text: '', cut });
  return { key, isItem, text: write(shorten(value, free)), cut };
}

/** What a piece takes in a part, at most: with its key, the brackets of its list, a comma and its mark. */
function bytesIn({ key, text, cut }: Piece): number {
  const mark = cut ? bytesOf(write(cut)) + 1 + MARKS_BYTES : 0;
  return bytesOf(write(key)) + 1 + 2 + bytesOf(text) + 1 + mark;
}

function packed(pieces: readonly Piece[], room: number): Piece[][] {
  const parts: Piece[][] = [[]];
  let left = room;
  for (const piece of pieces) {
    const last = parts.at(-1) ?? [];
    // Two fields whose names were cut to one must not stand in one event.
    const isTaken = last.some(({ key, isItem }) => key === piece.key && !(isItem && piece.isItem));
    const bytes = bytesIn(piece);
    if (last.length > 0 && (bytes > left || isTaken)) {
      parts.push([piece]);
      left = room - bytes;
    } else {
      last.push(piece);
      left -= bytes;
    }
  }
  return parts;
}

/** `"key":value` for each key. */
function grouped(part: readonly Piece[]): string[] {
  return [...Map.groupBy(part, ({ key }) => key)].map(([key, pieces]) => {
    const texts = pieces.map(({ text }) => text).join(',');
    return `${write(key)}:${pieces[0]?.isItem ? `[${texts}]` : texts}`;
  });
}
