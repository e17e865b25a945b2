/**
 * Relays pages through the journal in the directory given, whatever its disk does: DIRECTORY PAGES. The source reads
 * its checkpoint again after each failure, as the pipeline does. Prints what happens as JSON, one line each. A program
 * of its own for `disk.test.ts`, so that its system calls can be made to fail.
 */
import { writeSync } from 'node:fs';
import { JournalUnavailableError } from '../../src/core/errors.ts';
import type { Log } from '../../src/core/log.ts';
import { aSourceRecord } from '../support/records.ts';
import { aPage, open } from './harness.ts';

const PER_PAGE = 20;
const [directory = '', pages = '50'] = process.argv.slice(2);
const say = (what: object) => writeSync(1, `${JSON.stringify(what)}\n`);
const tell = (_: object, message: string) => say({ told: message });
const log: Log = { debug() {}, info: tell, warn: tell, error: tell };
const journal = await open(directory, { log });
journal.failed.catch((error: Error) => say({ lost: error.message }));
const { cursor, sequence } = (
  await journal.register([{ name: 'siem', startFrom: 'journal', shape: 'cef' }])
).get('siem')!;
const last = Number(pages);
const stop = new AbortController();

async function read(): Promise<void> {
  for (;;) {
    const page = Number((await journal.checkpoint(aPage([]))) ?? 0) + 1;
    if (page > last) return;
    await journal.room(stop.signal);
    const ids = Array.from({ length: PER_PAGE }, (_, index) => `p${page}.${index}`);
    const records = ids.map((id) => aSourceRecord({ id }, { revision: BigInt(page) }));
    try {
      await journal.append(aPage(records, { checkpoint: String(page) }));
      say({ kept: ids });
    } catch (error) {
      if (!(error instanceof JournalUnavailableError)) throw error;
      say({ unavailable: journal.fault?.usable });
    }
  }
}

async function deliver(): Promise<void> {
  let at = cursor;
  for (let number = sequence; number < last * PER_PAGE; ) {
    const { records, ends } = await journal.take(at, 7, stop.signal);
    at = ends.at(-1)!;
    number += records.length;
    say({ delivered: records.map(({ id }) => id) });
    journal.advance({ sink: 'siem', cursor: at, sequence: number, refused: [] });
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

await Promise.all([read(), deliver()]);
for (;;) {
  await journal.available();
  if (
    await journal.flush().then(
      () => true,
      () => false,
    )
  )
    break;
}
await journal.close();
