import type { Cursor } from '../core/journal.ts';

/** Before everything a journal ever kept. */
export const START: Cursor = { batch: 0, index: -1 };
