import { inspect } from 'node:util';
import type { Reread } from './reread.ts';

/** A secret that was replaced stays confidential for as long as somebody may still take it; nobody keeps more. */
const MOST_FORMER = 8;

/**
 * A value that prints as `***` everywhere except where someone asks for it. Ask anew for each use and keep no
 * copy: a secret from a file changes with its file (S8).
 */
export class Secret {
  /** The present one first. */
  #texts: readonly string[];
  #text: Reread<string> | undefined;
  #file: string | undefined;

  constructor(text: string) {
    this.#texts = [text];
  }

  /** From now on it is what `text` says, which is read from the file of that path. */
  follow(text: Reread<string>, file: string): void {
    this.#text = text;
    this.#file = file;
    this.#take(text.value());
  }

  /** Path of the file that it comes from, if it does. */
  get file(): string | undefined {
    return this.#file;
  }

  reveal(): string {
    return this.#take(this.#text?.value());
  }

  /** Reads its file again now, without waiting until that is due: before it is sent to somebody who refused it. */
  look(): void {
    this.#take(this.#text?.look());
  }

  /** Why its file could not be read again, so that an older value is in use. */
  get trouble(): string | undefined {
    return this.#text?.trouble;
  }

  /** What it is and what it was: nothing of it may be printed. The same list until it changes. */
  revealAll(): readonly string[] {
    return this.#texts;
  }

  toString(): string {
    return '***';
  }

  toJSON(): string {
    return '***';
  }

  [inspect.custom](): string {
    return '***';
  }

  #take(text = this.#texts[0] as string): string {
    if (text !== this.#texts[0])
      this.#texts = [text, ...this.#texts.filter((former) => former !== text)].slice(0, MOST_FORMER + 1);
    return text;
  }
}

/** A secret as others may write it: as it is, in JSON, in a query, in a form. */
export function formsOf(text: string): string[] {
  const inQuery = encodeURIComponent(text.toWellFormed());
  const inForm = new URLSearchParams({ '': text }).toString().slice(1);
  return [text, escaped(text), inQuery, inForm];
}

/** Text as it stands between the quotes of JSON. */
export const escaped = (text: string): string => JSON.stringify(text).slice(1, -1);
