import type { Cursor } from './journal.ts';

/** Below 0: `a` comes before `b`; 0: the same place; above 0: after. */
export function compareCursors(a: Cursor, b: Cursor): number {
  return a.batch - b.batch || a.index - b.index;
}
