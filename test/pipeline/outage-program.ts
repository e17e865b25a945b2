/**
 * Reads records into a journal while the sink is away and then while it is silent, until all are read; then the sink
 * is well, and gets them. Prints how many arrived, and what is pending then. A program of its own for `memory.test.ts`, which bounds its heap.
 */

import { randomBytes } from 'node:crypto';
import { UnavailableError } from '../../src/core/errors.ts';
import type { Page, Source } from '../../src/core/source.ts';
import { delivery } from '../../src/pipeline/deliver.ts';
import { ingest } from '../../src/pipeline/ingest.ts';
import { restarted } from '../../src/pipeline/restarted.ts';
import { open, quiet } from '../journal/harness.ts';
import { aSourceRecord } from '../support/records.ts';
import { custom, deliverOptions } from './delivering.ts';

const [directory = '', count = '0', recordBytes = '0'] = process.argv.slice(2);
const PAGE = 100;

const journal = await open(directory);
const from = (await journal.register([{ name: 'siem', startFrom: 'journal', shape: 'cef' }])).get('siem')!;

let mood: 'away' | 'silent' | 'well' = 'away';
/** The connection to a sink that is silent: ends only by breaking. */
const connection = Promise.withResolvers<never>();
connection.promise.catch(() => {});
let arrived = 0;
/** Most bytes outside of the heap: buffers, and what came from the journal's thread. */
let external = 0;
const done = new AbortController();

const source: Source = {
  tenant: 'contoso',
  async *read(): AsyncGenerator<Page> {
    for (let first = 0; first < Number(count); first += PAGE) {
      if (first >= Number(count) / 2) mood = 'silent';
      external = Math.max(external, process.memoryUsage().external);
      const noise = randomBytes(Number(recordBytes) / 2).toString('hex');
      const records = Array.from({ length: PAGE }, (_, index) =>
        aSourceRecord({ id: `a${first + index}`, noise }, { revision: BigInt(first + index) }),
      );
      yield {
        reading: 'poll',
        records,
        dateMs: undefined,
        checkpoint: String(first),
        floor: 0n,
        watermark: 0n,
      };
    }
    mood = 'well';
    connection.reject(new UnavailableError('reset', { reason: 'network' }));
  },
  async close() {},
};

const sink = custom({
  async open() {
    if (mood === 'away') throw new UnavailableError('nobody is there', { reason: 'network' });
  },
  async send(batch) {
    if (mood !== 'well') return { confirmed: connection.promise };
    // In order; what comes again does not count again.
    for (const { record } of batch) if (record.id === `a${arrived}`) arrived++;
    if (arrived === Number(count)) done.abort();
    return { confirmed: Promise.resolve({ refused: [] }) };
  },
});

const run = delivery({ ...deliverOptions(undefined!, sink), journal, from, batchSize: 100 });
const stop = { soft: done.signal, hard: done.signal };
const part = {
  log: quiet,
  backoff: { initialMs: 5, maxMs: 20 },
  now: Date.now,
  random: Math.random,
  signal: done.signal,
  failed: () => {},
};
const observer = { kept: () => {}, read: () => {} };
await Promise.all([
  restarted((healthy) => run(stop, healthy), part),
  restarted(
    (healthy) =>
      ingest(
        { name: 'alerts', source, journal, everyMs: 60_000, updates: 'all', observer },
        done.signal,
        healthy,
      ),
    part,
  ),
]);
await journal.flush();
const { pending } = await journal.stats();
await journal.close();
console.log(JSON.stringify({ arrived, pending, external }));
