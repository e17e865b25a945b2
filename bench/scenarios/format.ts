import { join } from 'node:path';
import { among } from '../../scripts/processes.ts';
import type { RelayRecord } from '../../src/core/record.ts';
import { cef } from '../../src/formats/cef/index.ts';
import { json } from '../../src/formats/json/index.ts';
import { Alerts } from '../alerts.ts';
import { Cost } from '../cost.ts';
import { deliver, journalIn, pageOf, recordsOf } from '../journals.ts';
import type { Scenario } from '../scenario.ts';

const RECORDS = 2_000;
const context = { version: '0.0.0' };
const formats = {
  cef: cef.create(cef.schema.parse({ type: 'cef' }), context),
  json: json.create(json.schema.parse({ type: 'json' }), context),
};

/** What the text of an event costs by itself. */
export const format: Scenario = {
  name: 'format',
  measures: 'a record of 8 KB, as the journal gives it, to the text of its events',
  run: ({ quick }) =>
    among(async ({ folder }) => {
      const records = await someRecords(join(folder, 'state'));
      const rows = [];
      for (const [what, make] of Object.entries(formats)) {
        const [warmUp, cost] = [new Cost(), new Cost()];
        for (let turn = -1; turn < (quick ? 4 : 12); turn++) {
          await (turn < 0 ? warmUp : cost).of(RECORDS, () => {
            for (const [index, record] of records.entries())
              make(record, { stream: 1, sequence: index, sentMs: 0, maxBytes: 8_000 });
          });
        }
        rows.push({ what, figures: cost.figures });
      }
      return rows;
    }),
};

async function someRecords(directory: string): Promise<RelayRecord[]> {
  const { journal, cursor } = await journalIn(directory);
  const all: RelayRecord[] = [];
  await journal.append(pageOf(recordsOf(new Alerts(), 0, RECORDS)));
  await deliver(journal, cursor, RECORDS, (records) => all.push(...records));
  await journal.close();
  return all;
}
