import { parseJson, stringifyJson } from '../lib/json.ts';
import { shared } from '../lib/shared.ts';
import type { BodyReader } from './http.ts';

/** What is made of a row of a list: of its value, read by `lib/json.ts`, and its JSON text in UTF-8. */
export type RowOf<T> = (value: unknown, json: Uint8Array) => T;

type Body = Readonly<Record<string, unknown>>;

/** A list as an OData service answers it, taken apart. */
export interface List<T> {
  /** All members but `value`. */
  readonly members: Body;
  /** What was made of the rows in `value`; `undefined`: it has no such array. */
  readonly rows: readonly T[] | undefined;
}

const LIST = '"value":[';
const LIST_END = ']';
/** Stands where the rows were; nobody sends it. */
const HOLE = '\u0000rows';
/** What comes before the rows is short; the longest link is some kilobytes. */
const MOST_HEAD = 2 ** 16;
/** Room for some rows and what comes at a time. */
const FIRST_MEMORY = 2 ** 16;
/** In a text like Graph's the first place that looks like the end of a row is one. */
const MOST_WRONG = 8;

/**
 * Reads a list while it comes, row by row: an answer of megabytes never stands in memory as one text, which costs more
 * than all the rest, and each row keeps the text that was sent.
 *
 * Rows are cut where the next one seems to begin: after a `}`, with the member that the first row began with. That is
 * proved, not believed: each piece is a JSON value by itself, and what stands round them is a JSON object with one array in
 * their place. No text can be read in two ways, so that is what it says. Where the proof fails (blanks between rows, rows that begin
 * differently) the text is put together again and read as a whole.
 */
export class ListReader<T> implements BodyReader {
  /** Of all that has come. */
  bytes = 0;
  readonly #rowOf: RowOf<T>;
  #head = '';
  /** Of the rows that are cut off. */
  readonly #texts: Uint8Array[] = [];
  readonly #rows: T[] = [];
  /** Where what comes is put, over and over: new memory for it would cost more than reading it. */
  #memory: Buffer = Buffer.allocUnsafeSlow(FIRST_MEMORY);
  #used = 0;
  /** Where in it the next row begins. */
  #start = 0;
  /** Where in it the end of that row may be: before, there is none. */
  #from = 0;
  /** Places that looked like the end of that row, and were not. */
  #wrong = 0;
  /** What stands between two rows and at the beginning of the second; `undefined` as long as that is not known. */
  #border: Buffer | undefined;
  /** It is not read row by row (any more). */
  #isWhole = false;

  constructor(rowOf: RowOf<T>) {
    this.#rowOf = rowOf;
  }

  push(chunk: Buffer): void {
    this.bytes += chunk.length;
    this.#keep(chunk);
    if (this.#isWhole) return;
    this.#border ??= this.#begin();
    if (this.#border) this.#cut(this.#border);
  }

  /** All that has come, as it came. */
  text(): string {
    const comma = Buffer.from(',');
    const rows = this.#texts.flatMap((text) => [text, comma]);
    return this.#head + Buffer.concat([...rows, this.#rest()]).toString('utf8');
  }

  /** @throws {SyntaxError} it is no JSON */
  list(): List<T> | undefined {
    return this.#end() ?? this.#readWhole();
  }

  #rest(): Buffer {
    return this.#memory.subarray(this.#start, this.#used);
  }

  #keep(chunk: Buffer): void {
    if (this.#used + chunk.length > this.#memory.length) {
      const rest = this.#rest();
      const size = rest.length + chunk.length;
      const memory = 2 * size > this.#memory.length ? Buffer.allocUnsafeSlow(4 * size) : this.#memory;
      this.#used = rest.copy(memory);
      this.#from -= this.#start;
      this.#start = 0;
      this.#memory = memory;
    }
    this.#used += chunk.copy(this.#memory, this.#used);
  }

  /** How the rows begin, if they have. */
  #begin(): Buffer | undefined {
    const rest = this.#rest();
    const at = rest.indexOf(LIST);
    const start = at + LIST.length;
    const colon = at < 0 ? -1 : rest.indexOf(':', start);
    if (colon < 0) {
      if (rest.length > MOST_HEAD) this.#isWhole = true;
      return undefined;
    }
    this.#head = rest.toString('utf8', 0, start);
    this.#start = start;
    this.#from = start;
    return Buffer.from(`},${rest.toString('utf8', start, colon + 1)}`);
  }

  /** Cuts off the rows that are there whole. */
  #cut(border: Buffer): void {
    const all = this.#memory.subarray(0, this.#used);
    for (let at = all.indexOf(border, this.#from); at >= 0; at = all.indexOf(border, this.#from)) {
      const text = this.#take(all.subarray(this.#start, at + 1));
      if (text) {
        this.#texts.push(text);
        this.#start = at + 2;
        this.#from = this.#start;
        this.#wrong = 0;
        continue;
      }
      this.#from = at + 1;
      this.#wrong++;
      if (this.#wrong <= MOST_WRONG) continue;
      this.#isWhole = true;
      return;
    }
    this.#from = Math.max(this.#from, this.#used - border.length + 1);
  }

  /** The row's text, kept; `undefined`: it is no JSON. */
  #take(row: Uint8Array): Uint8Array | undefined {
    let value: unknown;
    try {
      value = parseJson(row);
    } catch {
      return undefined;
    }
    const text = shared(row);
    this.#rows.push(this.#rowOf(value, text));
    return text;
  }

  /** The last row, and what stands behind it. */
  #end(): List<T> | undefined {
    if (this.#isWhole || !this.#border) return undefined;
    const rest = this.#rest();
    const isEmpty = rest[0] === LIST_END.charCodeAt(0);
    if (isEmpty) return this.#texts.length === 0 ? this.#around(rest.toString('utf8')) : undefined;
    let end = rest.lastIndexOf(`}${LIST_END}`);
    for (let wrong = 0; end >= 0 && wrong < MOST_WRONG; wrong++) {
      const list = this.#around(rest.toString('utf8', end + 1));
      if (list && this.#take(rest.subarray(0, end + 1))) return list;
      end = end === 0 ? -1 : rest.lastIndexOf(`}${LIST_END}`, end - 1);
    }
    return undefined;
  }

  /** The object round the rows. */
  #around(tail: string): List<T> | undefined {
    try {
      const { value, ...members } = parseJson(`${this.#head}${JSON.stringify(HOLE)}${tail}`) as Body;
      const isList = Array.isArray(value) && value.length === 1 && value[0] === HOLE;
      return isList ? { members, rows: this.#rows } : undefined;
    } catch {
      return undefined;
    }
  }

  #readWhole(): List<T> | undefined {
    const body = parseJson(this.text());
    if (typeof body !== 'object' || body === null || Array.isArray(body)) return undefined;
    const { value, ...members } = body as Body;
    const rows = Array.isArray(value)
      ? value.map((row) => this.#rowOf(row, Buffer.from(stringifyJson(row))))
      : undefined;
    return { members, rows };
  }
}
