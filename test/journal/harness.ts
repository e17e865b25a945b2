import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Append, Cursor, Journal } from '../../src/core/journal.ts';
import type { Log } from '../../src/core/log.ts';
import type { RelayRecord, SourceRecord } from '../../src/core/record.ts';
import type { Clock } from '../../src/journal/clock.ts';
import { makeDatabase, prepareDirectory } from '../../src/journal/database.ts';
import { type JournalOptions, openJournal } from '../../src/journal/journal.ts';
import type { JournalNotice } from '../../src/journal/protocol.ts';
import { type OpenOptions, openStore, type Store } from '../../src/journal/store.ts';
import { aSourceRecord } from '../support/records.ts';

export const MIB = 2 ** 20;
export const DAY_MS = 86_400_000;
export const START: Cursor = { batch: 0, index: -1 };

export const quiet: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** A log that keeps what it was told. */
export function aLog(): Log & { readonly lines: string[] } {
  const lines: string[] = [];
  const keep = (_: object, message: string) => void lines.push(message);
  return { lines, debug: keep, info: keep, warn: keep, error: keep };
}

/** A state directory that is gone at the end of the block (`using`). */
export function aDirectory(): Disposable & { readonly path: string; readonly state: string } {
  const path = mkdtempSync(join(tmpdir(), 'journal-'));
  return {
    path,
    state: join(path, 'state'),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}

export function open(directory: string, options: Partial<JournalOptions> = {}): Promise<Journal> {
  return openJournal({ directory, maxBytes: 256 * MIB, retentionMs: 7 * DAY_MS, log: quiet, ...options });
}

/** The worker's side alone, in this thread. */
export function aStore(options: OpenOptions, notify: (notice: JournalNotice) => void, clock?: Clock): Store {
  prepareDirectory(options.directory, () => {});
  makeDatabase(options.directory, options.version);
  return openStore(options, notify, clock);
}

export function aPage(records: readonly SourceRecord[], overrides: Partial<Append> = {}): Append {
  return {
    source: 'alerts',
    tenant: 'contoso',
    reading: 'poll',
    records,
    dateMs: undefined,
    checkpoint: '{}',
    floor: 0n,
    updates: 'all',
    ...overrides,
  };
}

/** Records that differ in their ids, and in their revisions, one tick apart. */
export function someRecords(ids: readonly string[], overrides: Partial<SourceRecord> = {}): SourceRecord[] {
  return ids.map((id, index) => aSourceRecord({ id }, { revision: 1_000n + BigInt(index), ...overrides }));
}

export function ids(count: number, prefix = 'a'): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}`);
}

/** All records after `cursor`, up to the end as it is now. */
export async function takeAll(
  journal: Journal,
  cursor: Cursor = START,
  limit = 1_000,
): Promise<RelayRecord[]> {
  const records: RelayRecord[] = [];
  const { records: expected } = await journal.stats();
  let at = cursor;
  while (records.length < expected) {
    const loan = await journal.take(at, limit, AbortSignal.timeout(10_000));
    records.push(...loan.records);
    at = loan.ends.at(-1)!;
  }
  return records;
}
