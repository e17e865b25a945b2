import { inspect } from 'node:util';

/**
 * A value that prints as `***` everywhere except where someone asks for it. Ask anew for each use and keep no
 * copy: that leaves room for a secret that changes while the program runs (S8).
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
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
}
