import { join } from 'node:path';
import { among } from '../../scripts/processes.ts';
import { Cost } from '../cost.ts';
import { deliver, fill, journalIn, pageOf, recordsOf } from '../journals.ts';
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
      await measure(join(folder, 'warm'), 0);
      const directory = join(folder, 'state');
      const rows: Measured[] = [];
      let there = 0;
      for (const level of LEVELS.slice(0, quick ? 2 : undefined)) {
        say(rowOf(level));
        await fill(directory, there, level);
        rows.push({ what: rowOf(level), figures: await measure(directory, level) });
        there = level + MEASURED;
      }
      return rows;
    }),
};

/** @param from number of the first record */
async function measure(directory: string, from: number): Promise<Measured['figures']> {
  const opened = await journalIn(directory);
  const { journal } = opened;
  let { cursor } = opened;
  const cost = new Cost();
  for (let at = from; at < from + MEASURED; at += PAGE) {
    const page = pageOf(recordsOf(smallAlerts, at, at + PAGE));
    cursor = await cost.of(PAGE, async () => {
      await journal.append(page);
      return await deliver(journal, cursor, PAGE);
    });
  }
  await cost.of(0, () => journal.flush());
  await journal.close();
  return cost.figures;
}
