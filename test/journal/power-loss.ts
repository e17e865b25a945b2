import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import type { Cursor } from '../../src/core/journal.ts';
import { decodeRecords } from '../../src/journal/batch.ts';
import { checkJournal } from '../../src/journal/check.ts';
import {
  checkFrames,
  checkLog,
  lockDirectory,
  makeDatabase,
  pathsIn,
  prepareDirectory,
} from '../../src/journal/database.ts';
import { exportJournal } from '../../src/journal/export.ts';
import { repairJournal } from '../../src/journal/repair.ts';
import { openStore, type Store } from '../../src/journal/store.ts';
import { DeadLetterTable } from '../../src/journal/tables/dead-letters.ts';
import { broken, journalError } from '../../src/journal/trouble.ts';
import { Disk, type Event, recordDisk } from '../support/recorded-disk.ts';
import { DAY_MS } from './harness.ts';

/** Small, so that its log is folded often, and the journal is soon full. */
export const LIMIT = 384 * 1_024;

const SCRIBE = fileURLToPath(new URL('scribe.ts', import.meta.url));
const LOG = 'journal.db-wal';
const INDEX = 'journal.db-shm';
const options = (directory: string) => ({
  directory,
  maxBytes: LIMIT,
  retentionMs: 7 * DAY_MS,
  version: '1.0.0',
});

/** What the scribe prints: what it knows to be in the journal from now on. */
export interface Said {
  readonly kept?: readonly string[];
  readonly checkpoint?: readonly [source: string, tenant: string, checkpoint: string];
  readonly cursor?: { readonly sink: string; readonly batch: number };
  readonly deadLetters?: number;
  readonly gaps?: number;
  readonly closed?: boolean;
  /** First sector of the index of the log, in hex. */
  readonly index?: string;
}

export type Files = ReadonlyMap<string, Buffer>;

/** All that is in a journal, table by table, as text; but for the mark of a relay that runs. */
export type Content = Readonly<Record<string, readonly string[]>>;

/** In memory where there is such a place: it is about what is in the files, and not about a disk. */
export function aPlace(): Disposable & { readonly state: string } {
  const path = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'power-loss-'));
  return {
    state: join(path, 'state'),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}

export function lay(state: string, files: Files): void {
  rmSync(state, { recursive: true, force: true });
  mkdirSync(state, { mode: 0o700 });
  for (const [name, bytes] of files) writeFileSync(join(state, name), bytes, { mode: 0o600 });
}

/** The same each time: numbers from 0 up to and without 1. */
export function chances(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

interface Opened {
  readonly created: boolean;
  readonly content: Content;
}

/** Opens a journal as a relay does, but in this thread; leaves it as it is. @throws {JournalError} */
export function openLaid(state: string, use: (store: Store) => void = () => {}): Opened {
  try {
    prepareDirectory(state, () => {});
    const lock = lockDirectory(state);
    try {
      const created = makeDatabase(state, '1.0.0');
      checkLog(state);
      checkFrames(state);
      const store = openStore(options(state), () => {});
      try {
        use(store);
        return { created, content: contentOf(state) };
      } finally {
        store.abandon();
      }
    } finally {
      lock.close();
    }
  } catch (error) {
    throw journalError(state, error);
  }
}

function contentOf(state: string): Content {
  const database = new DatabaseSync(pathsIn(state).journal, { readOnly: true });
  try {
    const tables = database
      .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
      .all();
    return Object.fromEntries(
      tables.map(({ name }) => {
        const statement = database.prepare(`SELECT * FROM ${name}`);
        statement.setReadBigInts(true);
        const rows = statement.all().filter(({ key }) => name !== 'meta' || key !== 'running');
        return [String(name), rows.map(textOf)];
      }),
    );
  } finally {
    database.close();
  }
}

const textOf = (row: object): string =>
  JSON.stringify(row, (_, value: unknown) => {
    if (typeof value === 'bigint') return String(value);
    return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value;
  });

/** Work on a journal, and what it did to its files. */
export class Recording {
  readonly events: readonly Event[];
  /** What was in the journal, and after which event that was on disk. */
  readonly stored: { readonly after: number; readonly content: Content; readonly text: string }[] = [];
  readonly #state: string;

  constructor(state: string, length: 'short' | 'long') {
    this.#state = state;
    this.events = recordDisk([process.execPath, SCRIBE, state, length], state);
    const disk = new Disk();
    for (const [after, event] of this.events.entries()) {
      disk.apply(event);
      const isLog = event.kind === 'sync' && event.file === LOG;
      if (!isLog && event.kind !== 'sync-names') continue;
      // What is not on disk for certain does not count.
      const { created, content } = this.open(disk.afterLoss(() => false));
      const text = JSON.stringify(content);
      if (!created && this.stored.at(-1)?.text !== text) this.stored.push({ after, content, text });
    }
  }

  open(files: Files): Opened {
    lay(this.#state, files);
    return openLaid(this.#state);
  }

  /** All that was said, with what was on disk for certain then, and with what a process that dies leaves behind. */
  *said(): Generator<{ readonly said: Said; readonly certain: Files; readonly files: Files }> {
    const disk = new Disk();
    for (const event of this.events) {
      disk.apply(event);
      if (event.kind !== 'said') continue;
      const said = JSON.parse(event.line) as Said;
      yield { said, certain: disk.afterLoss(() => false), files: withIndex(disk.now(), said.index) };
    }
  }

  /**
   * Lets the power go after each event, as `found` says, and tells of each journal that is then not what it was after the
   * last transaction that was on disk, or after the one that was being written.
   *
   * @param found the files that are there after it; more than one: each for itself
   */
  losses(found: (disk: Disk, at: number) => readonly Files[]): { tried: number; problems: string[] } {
    const disk = new Disk();
    const problems: string[] = [];
    let tried = 0;
    for (const [at, event] of this.events.entries()) {
      disk.apply(event);
      if (event.kind === 'said') continue;
      const last = this.stored.findLastIndex(({ after }) => after <= at);
      const allowed = this.stored.slice(Math.max(0, last), last + 2).map(({ text }) => text);
      for (const files of found(disk, at)) {
        const problem = this.#problem(files, allowed, last < 0);
        if (problem !== undefined) problems.push(`after event ${at} (${event.kind}): ${problem}`);
        tried++;
      }
    }
    return { tried, problems };
  }

  /** The index as it was at some time up to an event, or none: after a loss of power either may be there. */
  anIndexBefore(at: number, chance: () => number): string | undefined {
    const all = this.events.slice(0, at).flatMap((event) => (event.kind === 'said' ? [event.line] : []));
    const line = all[Math.floor(chance() * (all.length + 1))];
    return line === undefined ? undefined : (JSON.parse(line) as Said).index;
  }

  #problem(files: Files, allowed: readonly string[], mayBeNew: boolean): string | undefined {
    try {
      const { created, content } = this.open(files);
      if (created) return mayBeNew ? undefined : 'it is taken for a first start';
      const text = JSON.stringify(content);
      return allowed.includes(text) ? undefined : `another content: ${text.slice(0, 200)}`;
    } catch (error) {
      return (error as Error).message;
    }
  }
}

/** What was said is in a journal. */
export function holds(content: Content, { kept, checkpoint, cursor, deadLetters, gaps }: Said): boolean {
  const has = (table: string, ...texts: readonly string[]) =>
    content[table]?.some((row) => texts.every((text) => row.includes(JSON.stringify(text)))) === true;
  return (
    (kept ?? []).every((id) => has('alert_state', id)) &&
    (!checkpoint || has('source', ...checkpoint)) &&
    (!cursor || has('sink', cursor.sink, String(cursor.batch))) &&
    (deadLetters === undefined || content.dead_letter?.length === deadLetters) &&
    (gaps === undefined || content.gap?.length === gaps)
  );
}

/** The index is mapped: what the recorder saw of it are zeros. @param index its first sector, in hex */
export function withIndex(files: Files, index: string | undefined): Files {
  const whole = files.get(INDEX);
  if (!whole) return files;
  const bytes = Buffer.from(whole);
  bytes.write(index ?? '', 'hex');
  return new Map([...files, [INDEX, bytes]]);
}

function differences(expected: Content, found: Content): string[] {
  const names = Object.keys({ ...expected, ...found });
  return names.filter((name) => expected[name]?.join() !== found[name]?.join());
}

/**
 * Rows without a hash, or so many that one may disappear: what was seen, which at worst is told again, and what is for
 * people.
 */
const UNHASHED = new Set([
  'meta',
  'coverage',
  'seen',
  'alert_state',
  'followed',
  'withheld',
  'sqlite_sequence',
]);

/** Journals with one wrong byte, made of one that is whole. */
export class Spoilt {
  readonly #state: string;
  readonly #files: Files;
  readonly #expected: Content;
  readonly #exported: readonly string[];

  constructor(state: string, files: Files) {
    this.#state = state;
    this.#files = files;
    lay(state, files);
    this.#expected = openLaid(state).content;
    this.#exported = exportedFrom(state);
  }

  /** Says what is wrong with what becomes of the journal; `undefined`: it is as it should be. */
  problemOf(file: string, at: number, bit: number): string | undefined {
    const bytes = Buffer.from(this.#files.get(file)!);
    bytes[at]! ^= bit;
    const files = new Map([...this.#files, [file, bytes]]);
    const problem = this.#problemOf(files);
    return problem && `byte ${at} of ${file}, bit ${bit}: ${problem}`;
  }

  #problemOf(files: Files): string | undefined {
    lay(this.#state, files);
    try {
      const { content, created } = openLaid(this.#state, (store) => useAll(store, this.#state));
      if (created) return 'it is taken for a first start';
      const altered = differences(this.#expected, content).filter((table) => !UNHASHED.has(table));
      return altered.length === 0 ? undefined : `opened, with other rows in ${altered.join(', ')}`;
    } catch (error) {
      const { message } = error as Error;
      if (!message.includes(this.#state) || !message.includes('journal check')) return `said: ${message}`;
    }
    lay(this.#state, files);
    try {
      return this.#problemOfRescue();
    } catch (error) {
      return `after it was refused: ${(error as Error).message}`;
    }
  }

  /** What its operator does: exports it, and lets it be repaired. */
  #problemOfRescue(): string | undefined {
    const exported = exportedFrom(this.#state);
    const whole = new Set(this.#exported);
    if (exported.some((record) => !whole.has(record))) return 'a record was exported that was never there';
    const missing = this.#exported.length - exported.length;
    // All that is in one page: some small batches, or all that is found by way of it.
    const { lost, problems } = end(checkJournal(this.#state, { running: false })).findings;
    if (problems.length === 0) return 'it was refused, and the check finds nothing';
    const sinks = ['siem', 'soc', 'lake'];
    end(repairJournal({ directory: this.#state, version: '1.0.0', sinks, now: new Date(1.7e12) }));
    const { content } = openLaid(this.#state, (store) => useAll(store, this.#state));
    const told = lost.reduce((sum, { first, last }) => sum + last - first + 1, 0);
    if (missing > 0 && told === 0 && lettersIn(content) === lettersIn(this.#expected))
      return `${missing} records were not exported, and nobody was told`;
    const before = cursorsIn(this.#expected);
    const beyond = [...cursorsIn(content)].filter(([name, cursor]) => cursor > (before.get(name) ?? cursor));
    return beyond.length > 0 ? `after the repair ${beyond.join()} stand too far` : undefined;
  }
}

const exportedFrom = (state: string): string[] => [...exportJournal(state)].flat().map(textOf);
const lettersIn = (content: Content): number => content.dead_letter?.length ?? 0;
const cursorsIn = (content: Content): Map<string, number> =>
  new Map(
    content.sink?.map((row) => {
      const { name, batch, position } = JSON.parse(row) as Record<string, string>;
      return [name!, Number(batch) * 1_000 + Number(position)];
    }),
  );

function useAll(store: Store, state: string): void {
  for (const key of [
    { source: 'alerts', tenant: 'contoso' },
    { source: 'incidents', tenant: 'fabrikam' },
  ])
    store.checkpoint(key);
  let at: Cursor | undefined = { batch: 0, index: -1 };
  while (at) {
    const chunk = store.read(at);
    const ends = chunk?.batches.map(({ id, format, data }) => ({
      batch: id,
      index: decodeRecords(format, data).length - 1,
    }));
    at = ends?.at(-1);
  }
  store.stats();
  const database = new DatabaseSync(pathsIn(state).journal, { readOnly: true });
  try {
    const letters = new DeadLetterTable(database, (what) => {
      throw broken(state, what);
    });
    letters.list({}, 1_000);
  } finally {
    database.close();
  }
}

function end<T>(going: Generator<unknown, T>): T {
  for (;;) {
    const step = going.next();
    if (step.done) return step.value;
  }
}
