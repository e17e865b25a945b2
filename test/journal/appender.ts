/**
 * Appends pages to the journal in the directory given, until it is killed, and prints each id once `append` has
 * resolved. The checkpoint is the number of the page. A program of its own for `crash.test.ts`.
 */

import { randomBytes } from 'node:crypto';
import { writeSync } from 'node:fs';
import { aSourceRecord } from '../support/records.ts';
import { aPage, open } from './harness.ts';

const [directory = '', perPage = '20'] = process.argv.slice(2);
const journal = await open(directory);
const positions = await journal.register([{ name: 'siem', startFrom: 'journal', shape: 'cef' }]);
const end = (error: Error) => {
  writeSync(1, `failed ${error.message}\n`);
  process.exit(1);
};
journal.failed.catch(end);

const follow = async () => {
  let at = positions.get('siem')!.cursor;
  for (let sequence = positions.get('siem')!.sequence; ; sequence++) {
    const { ends } = await journal.take(at, 1, new AbortController().signal);
    at = ends[0]!;
    journal.advance({ sink: 'siem', cursor: at, sequence: sequence + 1, refused: [] });
  }
};
follow().catch(() => {});

const last = await journal.checkpoint(aPage([]));
for (let page = Number(last ?? 0) + 1; ; page++) {
  const ids = Array.from({ length: Number(perPage) }, (_, index) => `p${page}.${index}`);
  const noise = randomBytes(2_000).toString('hex');
  const records = ids.map((id) => aSourceRecord({ id, noise }, { revision: BigInt(page) }));
  await journal.append(aPage(records, { checkpoint: String(page) })).catch(end);
  writeSync(1, `${ids.join(' ')}\n`);
}
