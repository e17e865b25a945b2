/** Chance from a seed: the same seed gives the same draws. Not for secrets. */
export class Random {
  #state: number;

  /** Several numbers name a stream of its own: (seed, alert), (seed, alert, change). */
  constructor(...seed: readonly number[]) {
    this.#state = seed.reduce((state, part) => scramble(state ^ Math.trunc(part)), 0x9e3779b9);
  }

  /** 0 <= x < 1; mulberry32. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** True in `probability` of all cases. */
  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** A whole number, both ends included. */
  int(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1));
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.int(0, choices.length - 1)]!;
  }

  hex(digits: number): string {
    let text = '';
    while (text.length < digits) text += this.int(0, 0xffffff).toString(16).padStart(6, '0');
    return text.slice(0, digits);
  }

  guid(): string {
    const hex = this.hex(32);
    const variant = '89ab'[this.int(0, 3)];
    return [
      hex.slice(0, 8),
      hex.slice(8, 12),
      `4${hex.slice(13, 16)}`,
      `${variant}${hex.slice(17, 20)}`,
      hex.slice(20),
    ].join('-');
  }
}

/** The finaliser of MurmurHash3: neighbouring seeds give streams that have nothing in common. */
function scramble(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) + 0x6d2b79f5;
}
