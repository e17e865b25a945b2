import { join } from 'node:path';
import { among } from '../../scripts/processes.ts';
import type { Cursor, Journal } from '../../src/core/journal.ts';
import { Cost } from '../cost.ts';
import { BEGINNING, deliver, journalIn, pageOf, recordsOf } from '../journals.ts';
import type { Measured, Scenario } from '../scenario.ts';
import { smallAlerts } from '../small.ts';

const PAGE = 500;
/** So many are measured at each level. */
const MEASURED = 20_000;
export const LEVELS = [10_000, 100_000, 1_000_000, 3_000_000];

export const rowOf = (level: number): string => `${level.toLocaleString('en')} retained`;

/** Whether a record costs more the more there are already. */
export const growth: Scenario = {
  name: 'growth',
  once: true,
  measures: 'append, read and advance of small records, with so many in the journal already',
  run: ({ quick, say }) =>
    among(async ({ folder }) => {
      const warm = await journalIn(join(folder, 'warm'));
      await grow(warm, { at: 0, cursor: BEGINNING }, MEASURED, new Cost());
      await warm.close();
      const journal = await journalIn(join(folder, 'state'));
      const rows: Measured[] = [];
      let place: Place = { at: 0, cursor: BEGINNING };
      for (const level of LEVELS.slice(0, quick ? 2 : undefined)) {
        say(rowOf(level));
        place = await grow(journal, place, level - place.at, new Cost());
        const cost = new Cost();
        place = await grow(journal, place, MEASURED, cost);
        rows.push({ what: rowOf(level), figures: cost.figures });
      }
      await journal.close();
      return rows;
    }),
};

interface Place {
  /** Number of the next record. */
  readonly at: number;
  readonly cursor: Cursor;
}

async function grow(journal: Journal, { at, cursor }: Place, count: number, cost: Cost): Promise<Place> {
  let [next, place] = [at, cursor];
  while (next < at + count) {
    const page = pageOf(recordsOf(smallAlerts, next, next + PAGE));
    place = await cost.of(PAGE, async () => {
      await journal.append(page);
      return await deliver(journal, place, PAGE);
    });
    next += PAGE;
  }
  return { at: next, cursor: place };
}
