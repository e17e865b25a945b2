import { compareCursors } from './cursor.ts';
import type { Withheld } from './journal.ts';

/** Both, in order; what is filtered on end is one: a sink that wants little passes over millions. */
export function joinWithheld(before: readonly Withheld[], next: readonly Withheld[]): Withheld[] {
  const all = [...before];
  for (const each of next) {
    const last = all.at(-1);
    const isOne =
      last?.why === 'filtered' && each.why === 'filtered' && compareCursors(last.upTo, each.after) === 0;
    if (isOne) all[all.length - 1] = { ...last, upTo: each.upTo };
    else all.push(each);
  }
  return all;
}
