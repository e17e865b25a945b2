import { randomInt } from 'node:crypto';
import type { Numbering } from '../core/journal.ts';

/** A run of numbers that begins (S6). */
export function newNumbering(): Numbering {
  return { stream: randomInt(1, 2 ** 31), sequence: 0 };
}
