import { join } from 'node:path';
import { among } from '../../scripts/processes.ts';
import { MemoryDirectory } from '../../src/lib/memory-directory.ts';
import { Alerts } from '../alerts.ts';
import { Cost } from '../cost.ts';
import { deliver, journalIn, pageOf, recordsOf } from '../journals.ts';
import type { Measured, Scenario } from '../scenario.ts';

const PAGE = 500;
const WARM_UP_PAGES = 4;

/** What the journal costs by itself. */
export const journal: Scenario = {
  name: 'journal',
  measures: 'records of 8 KB into the journal in pages of 500, one after the other, and out again',
  run: ({ quick }) =>
    among(async ({ folder }) => {
      const pages = quick ? 20 : 60;
      const memory = new MemoryDirectory();
      try {
        return [
          ...(await measure(join(folder, 'state'), 'durable', pages)),
          ...(await measure(memory.path, 'in memory', pages)),
        ];
      } finally {
        memory.close();
      }
    }),
};

async function measure(directory: string, kind: string, pages: number): Promise<Measured[]> {
  const { journal: opened, cursor: beginning } = await journalIn(directory);
  const alerts = new Alerts();
  const [warmUp, append, read] = [new Cost(), new Cost(), new Cost()];
  try {
    for (let page = 0; page < WARM_UP_PAGES + pages; page++) {
      const records = recordsOf(alerts, page * PAGE, (page + 1) * PAGE);
      await (page < WARM_UP_PAGES ? warmUp : append).of(PAGE, () => opened.append(pageOf(records)));
    }
    const cursor = await warmUp.of(0, () => deliver(opened, beginning, WARM_UP_PAGES * PAGE));
    await read.of(pages * PAGE, async () => {
      await deliver(opened, cursor, pages * PAGE);
      await opened.flush();
    });
  } finally {
    await opened.close();
  }
  return [
    { what: `append, ${kind}`, figures: append.figures },
    { what: `read and advance, ${kind}`, figures: read.figures },
  ];
}
