/**
 * Does all kinds of work on a journal, always the same, and prints what was acknowledged, one line of JSON each:
 * DIRECTORY [short]. A program of its own for `power-loss.ts`, which records what it writes.
 */
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import type { Advance, Append, Journal, SinkRegistration } from '../../src/core/journal.ts';
import type { SourceRecord } from '../../src/core/record.ts';
import { ticksOfMs } from '../../src/core/ticks.ts';
import { aSourceRecord } from '../support/records.ts';
import { aPage, open } from './harness.ts';
import { LIMIT, type Said } from './power-loss.ts';

const [directory = '', length] = process.argv.slice(2);
const BEGUN = Date.UTC(2026, 0, 1);
const siem = { name: 'siem', startFrom: 'journal', shape: 'cef' } as const;
const lake: SinkRegistration = { ...siem, name: 'lake', required: false };
const old: SinkRegistration = { ...siem, name: 'old' };

let journal: Journal;
let serial = 0;
let noise = 1;

/** Text that does not compress, and is the same each time. */
function noisy(length: number): string {
  return Array.from({ length }, () => {
    noise = (noise * 48_271) % 2_147_483_647;
    return String.fromCharCode(48 + (noise % 75));
  }).join('');
}

/** The index of the log is mapped: no system call tells what is written there. */
function indexOfLog(): string {
  try {
    const handle = openSync(`${directory}/journal.db-shm`, 'r');
    const sector = Buffer.alloc(512);
    readSync(handle, sector);
    closeSync(handle);
    return sector.toString('hex');
  } catch {
    return '';
  }
}

function say(said: Said): void {
  writeSync(1, `${JSON.stringify({ ...said, index: indexOfLog() })}\n`);
}

async function append(
  count: number,
  { size = 40, ...page }: Partial<Append> & { readonly size?: number } = {},
): Promise<void> {
  const records: SourceRecord[] = Array.from({ length: count }, () => {
    const id = `a${++serial}`;
    return aSourceRecord({ id, noise: noisy(size) }, { revision: ticksOfMs(BEGUN + serial * 1_000) });
  });
  const whole = aPage(records, { checkpoint: `{"serial":${serial}}`, dateMs: BEGUN, ...page });
  await journal.append(whole);
  say({ kept: records.map(({ id }) => id), checkpoint: [whole.source, whole.tenant, whole.checkpoint] });
}

async function advance(sink: string, batch: number, more: Partial<Advance> = {}, index = 0): Promise<void> {
  journal.advance({ sink, cursor: { batch, index }, sequence: batch, refused: [], ...more });
  await journal.flush();
  say({ cursor: { sink, batch } });
}

async function deliver(): Promise<void> {
  const { records, ends } = await journal.take({ batch: 0, index: -1 }, 4, AbortSignal.timeout(9_000));
  journal.mark.during({ sink: 'siem', first: ends[0]!, last: ends[3]! }, () => {});
  const refusals = records
    .slice(0, 3)
    .map((record) => ({ record, reason: 'rejected', detail: 'HTTP 400' }) as const);
  const follow = records.map(({ id, revision }) => ({
    ...{ source: 'alerts', tenant: 'contoso', id, revision, on: true },
  }));
  const withheld = [{ after: { batch: 0, index: -1 }, upTo: ends[2]!, why: 'refused' } as const];
  await advance('siem', 1, { refused: refusals, withheld, follow, apart: { stream: 7, sequence: 1 } }, 3);
}

journal = await open(directory, { maxBytes: LIMIT });
say({});
await journal.register([siem, lake, old]);
say({ cursor: { sink: 'siem', batch: 0 } });
await append(5);
await append(5, { source: 'incidents', tenant: 'fabrikam' });
await deliver();
await append(3, {
  unread: [{ at: 5n, to: 5n, count: 1, reason: 'unreadable', detail: 'HTTP 500' }],
});
say({ deadLetters: 4 });
await journal.retry({ ids: [1] });
say({ deadLetters: 3 });
await journal.drop({ ids: [2] });
say({ deadLetters: 2 });
await append(2, { readAgain: [5n], floor: ticksOfMs(BEGUN + 3_000) });
say({ deadLetters: 1 });
await journal.register([{ ...siem, name: 'soc', formerly: 'siem' }, lake]);
say({ cursor: { sink: 'soc', batch: 1 } });
await journal.close();
say({ closed: true });
if (length === 'short') process.exit(0);

journal = await open(directory, { maxBytes: LIMIT });
say({});
await journal.register([{ ...siem, name: 'soc' }, lake]);
await journal.forget('old');
say({ cursor: { sink: 'soc', batch: 1 } });
for (let batch = 6; (await journal.stats()).sinks.every(({ gaps }) => !gaps); batch++) {
  await append(2, { size: 15_000 });
  await advance('soc', batch);
}
say({ gaps: 1 });
await append(4, { size: 4_000 });
const moved = await journal.take(journal.movedTo('lake')!.cursor, 1, AbortSignal.timeout(9_000), 'lake');
await advance('lake', moved.ends[0]!.batch, {}, moved.ends[0]!.index);
await append(4);
// Without an end.
process.exit(0);
