import { dictionary, type Key, keys, yielding } from './dictionary.ts';
import { type Draft, type Item, itemOf } from './draft.ts';
import { type Encoder, shortenBytes } from './escape.ts';

/** An event before it is written: the header's fields, clean, and the extension. */
export interface Event {
  readonly vendor: string;
  readonly product: string;
  readonly classId: string;
  readonly name: string;
  readonly severity: number;
  readonly draft: Draft;
}

/** What only the moment of sending knows. Does not change how many parts there are. */
export interface Telling {
  /** Identity of the telling without `:part/parts`. */
  readonly payloadId: string;
  readonly stream: number;
  /** Number of the first part. */
  readonly sequence: number;
  /** Time of sending, if it is told. */
  readonly sent: number | undefined;
}

/** Version of our mapping; raised when a key changes its meaning. */
export const MAPPING_VERSION = '1';

/** Less cannot hold ids, times and a name: a smaller budget is taken for this. */
export const MIN_BYTES = 1024;

/** A name is not cut below this, escapes included. */
const MIN_NAME_BYTES = 32;

/** Digits set aside for the numbers of a telling, so that they cannot change the number of parts. */
const DIGITS = { stream: 10, sequence: 16, sent: 16 };

/** Most that `:part/parts` takes. */
const PART_BYTES = ':9999999/9999999'.length;

const SEPARATOR = ' ; ';
const TRUNCATED = 'truncated:';
/** Most that ` ; truncated:N` takes. */
const TRUNCATED_BYTES = SEPARATOR.length + TRUNCATED.length + 7;
const MAX_CS6 = dictionary.cs6.max ?? 0;

/** A piece of an event: a key with its value (and label), or an item of cs6. */
interface Piece {
  readonly key: Key;
  /** As it stands in the line; an item without its escapes. */
  readonly text: string;
}

/**
 * The event as lines of at most `maxBytes` bytes (UTF-8). Almost always one. What does not fit goes on in
 * further lines, in this order: items of cs6, cs4, cs5, msg; every line has the rest. Only when the rest takes
 * more than three quarters do its least important keys move too, and only what is too large by itself is
 * shortened.
 */
export function renderParts(event: Event, telling: Telling, encoder: Encoder, maxBytes: number): string[] {
  const job = { event, telling, encoder, budget: Math.max(MIN_BYTES, Math.floor(maxBytes) || 0) };
  return renderOne(job) ?? renderMany({ ...job, pieces: piecesOf(event.draft, encoder) });
}

interface Job {
  readonly event: Event;
  readonly telling: Telling;
  readonly encoder: Encoder;
  /** Most bytes of a line. */
  readonly budget: number;
}

interface LargeJob extends Job {
  readonly pieces: ReadonlyMap<Key, string>;
}

/** What the draft holds, as it stands in the line. */
function piecesOf(draft: Draft, encoder: Encoder): ReadonlyMap<Key, string> {
  const pieces = new Map<Key, string>();
  for (const [key, value] of draft.values) pieces.set(key, pairOf(key, value, draft, encoder));
  return pieces;
}

function pairOf(key: Key, value: string, draft: Draft, encoder: Encoder): string {
  const { label, type } = dictionary[key];
  const isText = type === 'text' || type === 'identifier';
  return frameOf(key, key === 'cs5' ? draft.cs5Label : label) + (isText ? encoder.value(value) : value);
}

/** What stands before a value. */
function frameOf(key: Key, label?: string): string {
  return label ? `${key}Label=${label} ${key}=` : `${key}=`;
}

function headerOf(event: Event, name: string, { header }: Encoder): string {
  const { vendor, product, classId, severity } = event;
  return `CEF:0|${header(vendor)}|${header(product)}|${MAPPING_VERSION}|${header(classId)}|${header(name)}|${severity}|`;
}

/** The pieces that only the moment of sending knows. */
function tellingPieces(telling: Telling, part: number, parts: number): Map<Key, string> {
  const id = parts > 1 ? `${telling.payloadId}:${part + 1}/${parts}` : telling.payloadId;
  const pieces = new Map<Key, string>([
    ['devicePayloadId', `devicePayloadId=${id}`],
    ['dvcpid', `dvcpid=${telling.stream}`],
    ['cn3', `cn3Label=${dictionary.cn3.label} cn3=${telling.sequence + part}`],
  ]);
  if (telling.sent !== undefined) {
    pieces.set('flexDate1', `flexDate1Label=${dictionary.flexDate1.label} flexDate1=${telling.sent}`);
  }
  return pieces;
}

/** Bytes to add to a line with these pieces for numbers that may yet grow. */
function growth({ stream, sequence, sent }: Telling): number {
  const left = (digits: number, value: number) => Math.max(0, digits - String(value).length);
  return (
    left(DIGITS.stream, stream) +
    left(DIGITS.sequence, sequence) +
    (sent === undefined ? 0 : left(DIGITS.sent, sent))
  );
}

function lineOf(header: string, pieceOf: (key: Key) => string | undefined): string {
  let line = header;
  for (const key of keys) {
    const piece = pieceOf(key);
    if (piece !== undefined) line += line === header ? piece : ` ${piece}`;
  }
  return line;
}

/** The whole event in one line, if it has room for that. */
function renderOne({ event, telling, encoder, budget }: Job): string[] | undefined {
  const { draft } = event;
  let shortened = draft.shortened.size;
  const all: string[] = [];
  for (const { text, cut } of draft.items) {
    all.push(text);
    if (cut) shortened += 1;
  }
  if (shortened > 0) all.push(`${TRUNCATED}${shortened}`);
  const evidence = all.join(SEPARATOR);
  if (evidence.length > MAX_CS6) return undefined;
  const told = tellingPieces(telling, 0, 1);
  if (evidence !== '') told.set('cs6', pairOf('cs6', evidence, draft, encoder));
  const line = lineOf(headerOf(event, event.name, encoder), (key) => {
    const value = draft.values.get(key);
    return value === undefined ? told.get(key) : pairOf(key, value, draft, encoder);
  });
  // A code unit is at most three bytes: most lines need not be counted.
  const most = 3 * line.length + growth(telling);
  if (most > budget && Buffer.byteLength(line) + growth(telling) > budget) return undefined;
  return [line];
}

function renderMany(job: LargeJob): string[] {
  const { event, telling, encoder } = job;
  const { header, always, moved, room, nameCut } = makeRoom(job);
  const { flow, shortened } = flowOf(job, moved, room);
  const parts = pack(flow, room, encoder);
  const count = shortened + (nameCut && !event.draft.shortened.has('name') ? 1 : 0);
  return parts.map((part, index) => {
    const own = tellingPieces(telling, index, parts.length);
    const evidence = part.filter(({ key }) => key === 'cs6').map(({ text }) => text);
    if (count > 0) evidence.push(`${TRUNCATED}${count}`);
    for (const { key, text } of part) if (key !== 'cs6') own.set(key, text);
    if (evidence.length > 0) own.set('cs6', pairOf('cs6', evidence.join(SEPARATOR), event.draft, encoder));
    return lineOf(header, (key) => always.get(key) ?? own.get(key));
  });
}

/** What stands in every part, and the room that is left in each for what stands in one only. */
interface Frame {
  readonly header: string;
  readonly always: ReadonlyMap<Key, string>;
  /** Keys that gave way, the most important first. */
  readonly moved: readonly Key[];
  readonly room: number;
  readonly nameCut: boolean;
}

function makeRoom({ event, telling, encoder, budget, pieces }: LargeJob): Frame {
  const always = new Map([...pieces].filter(([key]) => dictionary[key].in !== 'flow'));
  // Room for the numbers, and for what cs6 has round its items.
  const evidenceFrame = pairOf('cs6', '', event.draft, encoder).length + 1 + TRUNCATED_BYTES;
  const set = growth(telling) + PART_BYTES + evidenceFrame;
  const told = tellingPieces(telling, 0, 1);
  const sizeWith = (header: string) =>
    Buffer.byteLength(lineOf(header, (key) => always.get(key) ?? told.get(key))) + set;

  // A quarter is for what stands in one part only, so that there are not too many of them.
  const target = Math.floor((budget * 3) / 4);
  const moved: Key[] = [];
  let header = headerOf(event, event.name, encoder);
  let size = sizeWith(header);
  for (const key of yielding) {
    if (size <= target) break;
    const piece = always.get(key);
    if (piece === undefined) continue;
    always.delete(key);
    moved.unshift(key);
    size -= Buffer.byteLength(piece) + 1;
  }
  const nameBytes = Buffer.byteLength(encoder.header(event.name));
  const nameRoom = Math.max(MIN_NAME_BYTES, nameBytes - Math.max(0, size - target));
  const nameCut = nameRoom < nameBytes;
  if (nameCut) {
    // Alone, a backslash or blank is written otherwise than within a name.
    const inName = (point: string) => encoder.header(point).trimEnd() || ' ';
    header = headerOf(event, shortenBytes(event.name, nameRoom, inName), encoder);
  }
  return { header, always, moved, room: budget - sizeWith(header), nameCut };
}

/** What stands in one part only, in order and each small enough for one; and how many fields had to be shortened. */
function flowOf(
  { event, encoder, pieces }: LargeJob,
  moved: readonly Key[],
  room: number,
): { readonly flow: readonly Piece[]; readonly shortened: number } {
  const { draft } = event;
  const flow: Piece[] = [];
  const shortened = new Set<string>(draft.shortened);
  const items: Item[] = [];
  for (const key of [...moved, 'msg', 'cs5', 'cs4'] as const) {
    const value = draft.values.get(key);
    let text = pieces.get(key);
    if (value === undefined || text === undefined) continue;
    if (Buffer.byteLength(text) >= room) {
      shortened.add(key);
      if (dictionary[key].type !== 'text') {
        items.push({ ...itemOf(`${key}:${value}`), cut: false });
        continue;
      }
      const frame = Buffer.byteLength(pairOf(key, '', draft, encoder)) + 1;
      text = pairOf(key, shortenBytes(value, room - frame, encoder.value), draft, encoder);
    }
    flow.push({ key, text });
  }
  let itemsCut = 0;
  const itemBytes = room - SEPARATOR.length;
  for (const { text, cut } of [...items, ...draft.items]) {
    const fits = Buffer.byteLength(encoder.value(text)) <= itemBytes;
    if (cut || !fits) itemsCut += 1;
    flow.push({ key: 'cs6', text: fits ? text : shortenBytes(text, itemBytes, encoder.value) });
  }
  return { flow, shortened: shortened.size + itemsCut };
}

/** Deals the pieces out, in order, into as few parts as have room for them; at least one. */
function pack(pieces: readonly Piece[], room: number, encoder: Encoder): readonly Piece[][] {
  const parts: Piece[][] = [[]];
  let left = room;
  let charactersLeft = MAX_CS6 - TRUNCATED_BYTES;
  for (const piece of pieces) {
    const isItem = piece.key === 'cs6';
    const bytes = isItem
      ? Buffer.byteLength(encoder.value(piece.text)) + SEPARATOR.length
      : Buffer.byteLength(piece.text) + 1;
    const characters = isItem ? piece.text.length + SEPARATOR.length : 0;
    if (bytes > left || characters > charactersLeft) {
      parts.push([]);
      left = room;
      charactersLeft = MAX_CS6 - TRUNCATED_BYTES;
    }
    parts.at(-1)?.push(piece);
    left -= bytes;
    charactersLeft -= characters;
  }
  return parts;
}
