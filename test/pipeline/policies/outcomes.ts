import type { Outcome } from '../../../src/pipeline/outcome.ts';
import { aRecord } from '../../support/records.ts';

/**
 * Outcomes from a word: `d` delivered, `r` rejected by the sink, `f` refused by the format, `-` filtered. The index
 * of their cursors counts on from `first`.
 */
export function outcomes(word: string, first = 0): Outcome[] {
  return [...word].map((letter, place) => {
    const index = first + place;
    const record = aRecord({ id: `a${index}` });
    const end = { cursor: { batch: 1, index }, stream: 7, sequence: index };
    if (letter === 'd') return { end, delivered: record };
    if (letter === '-') return { end, filtered: 1 };
    const refusal = { record, reason: 'rejected', detail: `no to ${index}` } as const;
    return letter === 'r' ? { end, rejection: refusal } : { end, refusal };
  });
}

/** Back to a word; runs of what was filtered may have become one. */
export function spelled(some: readonly Outcome[]): string {
  return some
    .map(({ delivered, rejection, filtered = 0 }) =>
      delivered ? 'd' : rejection ? 'r' : filtered > 0 ? '-'.repeat(filtered) : 'f',
    )
    .join('');
}
