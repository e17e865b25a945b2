import { closeSync, constants, openSync, readFileSync, writeSync } from 'node:fs';
import { compareCursors } from '../core/cursor.ts';
import type { Cursor } from '../core/journal.ts';
import type { Log } from '../core/log.ts';
import type { Mark, Place } from '../core/mark.ts';

/** So many starts in a row must have died of a record before it is left alone (S4). */
const DEATHS = 3;
/** Of so many records can it be known at a time. */
const MOST_SUSPECTS = 30;
/** The file: the standing mark, then what is known from earlier deaths; both padded with blanks. */
const MARK_BYTES = 256;
const KNOWN_BYTES = 8_192;

interface Suspect {
  readonly sink?: string | undefined;
  readonly cursor: Cursor;
  readonly deaths: number;
}

/** What earlier deaths have told. */
interface Known {
  /** Somewhere in here the last process died: these are marked one by one. */
  readonly place?: Place | undefined;
  readonly suspects: readonly Suspect[];
}

/**
 * A mark in a small file. It is written without `fsync`: it has to outlive the process, not the machine. A page of
 * records has one mark, for it must cost next to nothing; when a process died under it, the next one marks these
 * records one by one, and so learns which it is.
 */
export class MarkFile implements Mark {
  #handle: number | undefined;
  #known: Known;
  /** What `during` is doing. */
  #place: Place | undefined;
  /** The record that has a mark of its own now. */
  #single: Cursor | undefined;

  constructor(file: string, log: Log) {
    this.#handle = openSync(file, constants.O_RDWR | constants.O_CREAT, 0o600);
    const bytes = readFileSync(this.#handle);
    const stood = placeOf(parsed(bytes.subarray(0, MARK_BYTES)));
    this.#known = knownOf(parsed(bytes.subarray(MARK_BYTES)));
    if (!stood) return;
    log.warn({ ...stood }, `the last start died while ${stood.sink ? 'formatting' : 'decoding'} records`);
    this.#know(afterDeath(this.#known, stood));
    this.#write(undefined, 0, MARK_BYTES);
  }

  during<T>(place: Place, work: () => T): T {
    const outer = { place: this.#place, single: this.#single };
    this.#place = place;
    this.#single = undefined;
    this.#write(place, 0, MARK_BYTES);
    try {
      return work();
    } finally {
      this.#passed();
      this.#place = outer.place;
      this.#single = outer.single;
      const { single } = outer;
      this.#write(single ? { ...outer.place, first: single, last: single } : outer.place, 0, MARK_BYTES);
    }
  }

  touch(cursor: Cursor): boolean {
    const place = this.#place;
    if (!place) return true;
    this.#passed();
    const suspects = this.#known.suspects.filter((suspect) => compareCursors(suspect.cursor, cursor) === 0);
    // What cannot be decoded is nothing for a format either.
    const of = (sink: string | undefined) => suspects.find((suspect) => suspect.sink === sink);
    if ([of(undefined), of(place.sink)].some((suspect) => suspect && suspect.deaths >= DEATHS)) return false;
    if (of(place.sink) || includes(this.#known.place, place.sink, cursor)) {
      this.#single = cursor;
      this.#write({ sink: place.sink, first: cursor, last: cursor }, 0, MARK_BYTES);
    }
    return true;
  }

  close(): void {
    if (this.#handle !== undefined) closeSync(this.#handle);
    // Its number may become that of another file.
    this.#handle = undefined;
  }

  /** The record with a mark of its own has been survived. */
  #passed(): void {
    const cursor = this.#single;
    if (!cursor || !this.#place) return;
    this.#single = undefined;
    const { sink } = this.#place;
    const suspects = this.#known.suspects.filter((suspect) => !isOf(suspect, sink, cursor));
    if (suspects.length < this.#known.suspects.length) this.#know({ ...this.#known, suspects });
    this.#write(this.#place, 0, MARK_BYTES);
  }

  #know(known: Known): void {
    this.#known = known;
    this.#write(known, MARK_BYTES, KNOWN_BYTES);
  }

  #write(value: unknown, at: number, length: number): void {
    if (this.#handle === undefined) return;
    const text = value === undefined ? '' : JSON.stringify(value);
    try {
      writeSync(this.#handle, text.padEnd(length).slice(0, length), at);
    } catch {
      // A disk that cannot be written stops the relay elsewhere; the mark is only a help.
    }
  }
}

function afterDeath({ suspects }: Known, { sink, first, last }: Place): Known {
  if (compareCursors(first, last) !== 0) return { place: { sink, first, last }, suspects };
  const deaths = (suspects.find((suspect) => isOf(suspect, sink, first))?.deaths ?? 0) + 1;
  const others = suspects.filter((suspect) => !isOf(suspect, sink, first));
  return { suspects: [{ sink, cursor: first, deaths }, ...others].slice(0, MOST_SUSPECTS) };
}

function isOf(suspect: Suspect, sink: string | undefined, cursor: Cursor): boolean {
  return suspect.sink === sink && compareCursors(suspect.cursor, cursor) === 0;
}

function includes(place: Place | undefined, sink: string | undefined, cursor: Cursor): boolean {
  if (!place || place.sink !== sink) return false;
  return compareCursors(place.first, cursor) <= 0 && compareCursors(cursor, place.last) <= 0;
}

/** Nothing when it is blank, or what a crash of the machine left of it. */
function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString().trim());
  } catch {
    return undefined;
  }
}

function placeOf(value: unknown): Place | undefined {
  const { sink, first, last } = (value ?? {}) as Partial<Place>;
  return isSink(sink) && isCursor(first) && isCursor(last) ? { sink, first, last } : undefined;
}

function knownOf(value: unknown): Known {
  const { place, suspects } = (value ?? {}) as Partial<Known>;
  const all: readonly Partial<Suspect>[] = Array.isArray(suspects) ? suspects : [];
  const whole = all.filter(
    (suspect): suspect is Suspect =>
      isSink(suspect?.sink) && isCursor(suspect?.cursor) && typeof suspect.deaths === 'number',
  );
  return { place: placeOf(place), suspects: whole };
}

function isSink(value: unknown): value is string | undefined {
  return value === undefined || typeof value === 'string';
}

function isCursor(value: unknown): value is Cursor {
  const { batch, index } = (value ?? {}) as Partial<Cursor>;
  return typeof batch === 'number' && typeof index === 'number';
}
