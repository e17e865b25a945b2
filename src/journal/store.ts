import type { DatabaseSync } from 'node:sqlite';
import { type Coverage, coverageEvent, sightingsOf } from '../core/coverage.ts';
import { compareCursors } from '../core/cursor.ts';
import { JournalError } from '../core/errors.ts';
import type {
  Advance,
  Append,
  AppendedFor,
  Compared,
  Comparison,
  Cursor,
  DeadLetterChoice,
  Follow,
  Forgotten,
  Gap,
  Handled,
  JournalOpening,
  JournalStats,
  Numbering,
  Position,
  RecordId,
  Repair,
  Repaired,
  Search,
  Searched,
  SinkRegistration,
  SourceKey,
} from '../core/journal.ts';
import { ownRecord } from '../core/own-record.ts';
import { type Retold, retold, type SourceRecord } from '../core/record.ts';
import { compareTicks, ticksOfMs } from '../core/ticks.ts';
import { spellCount } from '../lib/spell.ts';
import { MAX_BYTES, MAX_RECORDS, type StoredRecord, storedRecord } from './batch.ts';
import { Bounds } from './bounds.ts';
import { type Clock, systemClock } from './clock.ts';
import { Comparing } from './compare.ts';
import { markRunning, markStopped, type OpenedDatabase, openDatabase, pathsIn } from './database.ts';
import { newNumbering } from './numbering.ts';
import { changesOf, judge } from './outcome.ts';
import type { AppendFor, JournalNotice, Kept, RawChunk, StoreOptions } from './protocol.ts';
import { Repairing } from './repairing.ts';
import { Searching } from './searching.ts';
import { checkStructure } from './structure.ts';
import { recordsIn, survey } from './survey.ts';
import { BatchTable } from './tables/batches.ts';
import { CoverageTable } from './tables/coverage.ts';
import { type DeadLetterRow, DeadLetterTable, refusedText } from './tables/dead-letters.ts';
import { FollowedTable } from './tables/followed.ts';
import { GapTable } from './tables/gaps.ts';
import { LedgerTable } from './tables/ledger.ts';
import { MemoryTable } from './tables/memory.ts';
import { RepairedTable } from './tables/repaired.ts';
import { type SinkRow, SinkTable } from './tables/sinks.ts';
import { SourceTable } from './tables/sources.ts';
import type { OwnNote } from './telling.ts';
import { broken } from './trouble.ts';

const DAY_MS = 86_400_000;

export type OpenOptions = StoreOptions & { readonly version: string };

/**
 * Opens the journal that is in the directory, for the one who has locked that.
 *
 * @throws {JournalError} the journal cannot be trusted
 */
export function openStore(
  options: OpenOptions,
  notify: (notice: JournalNotice) => void,
  clock: Clock = systemClock(),
): Store {
  const opened = openDatabase(options.directory, options.version);
  try {
    return new Store(opened, options, notify, clock);
  } catch (error) {
    opened.database.close();
    throw error;
  }
}

/**
 * The journal on disk, as the worker thread sees it: everything is synchronous. The methods marked *write* run
 * inside {@link Store.commit}, several in one transaction. After any error the store is done for: what a failed
 * commit left on disk is not known until it has been opened again (K1, see `Healing`).
 */
export class Store {
  readonly opening: Omit<JournalOpening, 'created'>;
  readonly #directory: string;
  readonly #database: DatabaseSync;
  readonly #batches: BatchTable;
  readonly #sinks: SinkTable;
  readonly #sources: SourceTable;
  readonly #memory: MemoryTable;
  readonly #followed: FollowedTable;
  readonly #gaps: GapTable;
  readonly #ledger: LedgerTable;
  readonly #repaired: RepairedTable;
  readonly #comparing: Comparing;
  readonly #repairing: Repairing;
  readonly #searching: Searching;
  readonly #deadLetters: DeadLetterTable;
  readonly #coverage: CoverageTable;
  readonly #bounds: Bounds;
  readonly #maxBytes: number;
  readonly #clock: Clock;
  readonly #notify: (notice: JournalNotice) => void;
  /** Revision of the last event of our own: no two have the same. */
  #told = 0n;
  #left = false;

  constructor(
    { database, clean, schema }: OpenedDatabase,
    options: OpenOptions,
    notify: (notice: JournalNotice) => void,
    clock: Clock,
  ) {
    const { directory, maxBytes, retentionMs } = options;
    const warn = (fields: object, message: string) => notify({ level: 'warn', fields, message });
    this.#directory = directory;
    this.#maxBytes = maxBytes;
    this.#clock = clock;
    this.#notify = notify;
    this.#database = database;
    const distrust = (what: string): never => {
      throw broken(directory, what);
    };
    checkStructure(database, distrust);
    this.#batches = new BatchTable(database, distrust);
    this.#sinks = new SinkTable(database, distrust);
    this.#sources = new SourceTable(database, distrust);
    this.#memory = new MemoryTable(database, distrust);
    this.#followed = new FollowedTable(database);
    this.#gaps = new GapTable(database, distrust);
    this.#ledger = new LedgerTable(database, this.#batches, distrust);
    this.#repaired = new RepairedTable(database);
    this.#deadLetters = new DeadLetterTable(database, distrust);
    this.#coverage = new CoverageTable(database);
    this.#checkPlaces(distrust);
    this.#bounds = new Bounds({
      database,
      batches: this.#batches,
      sinks: this.#sinks,
      followed: this.#followed,
      gaps: this.#gaps,
      repaired: this.#repaired,
      ledger: this.#ledger,
      memory: this.#memory,
      sources: this.#sources,
      walFile: pathsIn(directory).wal,
      maxBytes,
      retentionMs,
      clock,
      told: {
        warn,
        paused(paused, fields) {
          notify({ paused });
          if (paused) warn(fields, 'the journal is full of what sinks still need: all sources pause');
          else notify({ level: 'info', fields, message: 'the journal has room again: the sources go on' });
        },
      },
    });
    this.#searching = new Searching(this.#batches, notify);
    const [memory, ledger, gaps, repaired] = [this.#memory, this.#ledger, this.#gaps, this.#repaired];
    this.#comparing = new Comparing({ memory, ledger, gaps, repaired });
    this.#repairing = new Repairing({
      batches: this.#batches,
      sinks: this.#sinks,
      gaps,
      memory,
      repaired,
      comparing: this.#comparing,
      bounds: this.#bounds,
    });
    markRunning(database);
    this.#bounds.look();
    this.opening = { schema, clean, lastBatch: this.#batches.last, records: recordsIn(this.#batches) };
  }

  /** Every cursor stands in this journal, every checkpoint is whole (K5). */
  #checkPlaces(distrust: (what: string) => never): void {
    for (const { name, cursor } of this.#sinks.all().values()) {
      if (this.#batches.has(cursor)) continue;
      const place = `batch ${cursor.batch}, record ${cursor.index}`;
      distrust(`sink ${name} stands at ${place}, which is not in the journal`);
    }
    for (const key of this.#sources.keys()) this.#sources.checkpoint(key);
  }

  /** Does what `writes` do in one transaction. Their results hold once this has returned. */
  commit(writes: () => void): void {
    this.#database.exec('BEGIN IMMEDIATE');
    writes();
    const moved = this.#bounds.letGo();
    this.#database.exec('COMMIT');
    if (moved.length > 0) this.#notify({ moved });
    this.#bounds.look();
  }

  /** The newest batch ever. */
  get lastBatch(): number {
    return this.#batches.last;
  }

  checkpoint(key: SourceKey): string | undefined {
    return this.#sources.checkpoint(key);
  }

  /** Write. */
  append(page: Append): Kept {
    const source = this.#sources.put(page, page.checkpoint);
    // At least as many rows go as come.
    const mostRows = Math.max(1_000, 2 * page.records.length);
    this.#memory.prune(source, page.floor, mostRows);
    this.#bounds.pruneMemory(mostRows);
    this.#repaired.prune(source, this.#memory.since(source).seen, mostRows);
    this.#bounds.pruneLedger(mostRows);
    this.#bounds.pruneFollowed(source, page.floor, mostRows);
    const since = this.#memory.since(source);
    const counts = { new: 0, duplicate: 0, filtered: 0, unknown: 0 };
    const told: Kept['told'][number][] = [];
    const now = this.#clock.wall();
    const before = this.#batches.end();
    const filling = this.#batches.fill(now);
    for (const [index, record] of byRevision(page.records)) {
      const known = this.#memory.recall(source, record);
      const verdict = judge(record, known, page, since);
      counts[typeof verdict === 'string' ? verdict : 'new']++;
      if (verdict === 'duplicate' || verdict === 'unknown') continue;
      // What the filter does not want is wanted as soon as its id has been told: it must not be known by then (R8).
      if (verdict === 'filtered' && record.unwanted) continue;
      let place: Cursor | undefined;
      if (verdict !== 'filtered') {
        const changed = changesOf(record, known);
        const how = { ...verdict, ...(changed && { changed }) };
        const { json, ...rest } = retold(page, record);
        place = filling.add({ ...rest, ...how }, json);
        told.push({ index, ...how, place });
      }
      this.#memory.remember(source, record, known, place);
    }
    this.#memory.store();
    filling.end();
    this.#bounds.untold(counts.unknown);
    for (const at of page.readAgain ?? []) this.#deadLetters.dropUnread(page, at);
    for (const unread of page.unread ?? []) this.#deadLetters.appendUnread(page, unread, now);
    this.#coverage.add(source, { source: page.source, tenant: page.tenant }, sightingsOf(page, told, now));
    const { unknown, ...most } = counts;
    return { ...most, ...(unknown > 0 && { unknown }), told, before };
  }

  /** Write. Events of the relay itself, for every sink, if there is room for them. */
  tell(notes: readonly OwnNote[]): boolean {
    if (!this.#bounds.hasRoomForOwn()) return false;
    const filling = this.#batches.fill(this.#clock.wall());
    for (const { event, atMs, untold } of notes) {
      const revision = ticksOfMs(atMs);
      this.#told = revision > this.#told ? revision : this.#told + 1n;
      const { json, ...record } = storedRecord(ownRecord(event, this.#told, atMs, untold));
      filling.add(record, json);
    }
    filling.end();
    return true;
  }

  /** Write. */
  appendFor({ sink, outcome, records }: AppendFor): AppendedFor {
    if (this.#sinks.all().get(sink)?.orphaned !== null) return 'no-sink';
    const characters = records.reduce((sum, { json }) => sum + json.length, 0);
    if (!this.#bounds.hasFreeRoom(characters)) return 'no-room';
    this.#appendTo(
      sink,
      records.map((record) => ({ ...record, outcome })),
    );
    return 'appended';
  }

  search(search: Search): Searched {
    return this.#searching.search(search);
  }

  recordsAt(places: readonly Cursor[]): { places: number; records: Retold[] } {
    return this.#searching.recordsAt(places);
  }

  /** Write. Once a day: of each product how it was seen, and how much of it since the last time. */
  tellCoverage(): boolean {
    const now = this.#clock.wall();
    const before = this.#coverage.told();
    if (before && now >= before.at && now - before.at < DAY_MS) return false;
    const all = this.#coverage.all();
    const events = before ? all.map((each) => coverageEvent(each, before.at, before.records(each))) : [];
    if (!this.tell(events.map((event) => ({ event, atMs: now, untold: 0 })))) return false;
    this.#coverage.tell(now, all);
    return events.length > 0;
  }

  /** Where each sink goes on from. */
  places(): ReadonlyMap<string, Position> {
    return new Map(this.#registered().map((row) => [row.name, positionOf(row)]));
  }

  /** Write. Their places are the present ones; what is let go of in the same transaction may move them. */
  register(registrations: readonly SinkRegistration[]): ReadonlyMap<string, Position> {
    const found = this.#sinks.all();
    const positions = new Map<string, Position>();
    for (const registration of registrations) {
      const former = this.#former(found, registration, registrations);
      if (former) found.delete(former.name);
      const { apart, ...row } = this.#enter(former ?? found.get(registration.name), registration);
      this.#sinks.put(row);
      this.#sinks.putApart(row.name, apart);
      positions.set(row.name, positionOf({ ...row, apart }));
    }
    for (const row of found.values()) {
      if (!positions.has(row.name))
        this.#sinks.put({ ...row, orphaned: row.orphaned ?? Math.floor(this.#clock.steady()) });
    }
    return positions;
  }

  /** A sink goes on from its cursor; what makes its events has changed: in a new stream (S6). */
  #enter(
    found: SinkRow | undefined,
    { name, startFrom, shape, required = true }: SinkRegistration,
  ): SinkRow & { readonly apart: Numbering } {
    if (found?.shape === shape)
      return { ...found, name, apart: found.apart ?? newNumbering(), orphaned: null, required };
    const numbers = { ...newNumbering(), apart: newNumbering(), shape, orphaned: null, required };
    if (found) return { ...found, name, ...numbers };
    const first = this.#batches.first();
    const beginning = first ? { batch: first.id, index: -1 } : this.#batches.end();
    return { name, cursor: startFrom === 'now' ? this.#batches.end() : beginning, ...numbers };
  }

  /** The row of a sink under the name that it had; all that is kept by that name is then kept by its new one (K8). */
  #former(
    found: ReadonlyMap<string, SinkRow>,
    { name, formerly }: SinkRegistration,
    registrations: readonly SinkRegistration[],
  ): SinkRow | undefined {
    const row = formerly === undefined ? undefined : found.get(formerly);
    if (!row || registrations.some((other) => other.name === row.name)) return undefined;
    const fields = { sink: name, formerly, cursor: row.cursor };
    if (found.has(name)) {
      const message =
        `sink ${name} has a cursor of its own, so that it does not go on where ${formerly} stood: what waits for that ` +
        'one waits on until the retention has passed';
      this.#notify({ level: 'warn', fields, message });
      return undefined;
    }
    this.#notify({ level: 'info', fields, message: `sink ${name} takes over from ${formerly}` });
    this.#sinks.delete(row.name);
    this.#followed.rename(row.name, name);
    this.#gaps.rename(row.name, name);
    this.#repaired.rename(row.name, name);
    this.#ledger.rename(row.name, name);
    this.#deadLetters.rename(row.name, name);
    this.#batches.retarget(row.name, name, row.cursor);
    return row;
  }

  /**
   * Write. A cursor never moves back: a step that does not go on is passed over. It may be to a place that was let go of.
   */
  advance(steps: readonly Advance[]): void {
    const rows = this.#sinks.all();
    const now = this.#clock.wall();
    for (const step of steps) {
      const { sink, cursor, stream, refused, withheld = [], follow = [] } = step;
      const row = rows.get(sink);
      const place = `batch ${cursor.batch}, record ${cursor.index}`;
      if (!row) throw new JournalError(`sink ${sink} has no cursor in the journal in ${this.#directory}`);
      if (compareCursors(cursor, row.cursor) <= 0) continue;
      if (!this.#batches.has(cursor))
        throw new JournalError(`sink ${sink} cannot advance to ${place}: there is no such record`);
      // Numbers of a stream that has ended with a gap say nothing of the present one.
      const { sequence, apart } = stream === undefined || stream === row.stream ? step : row;
      this.#sinks.put({ ...row, cursor, sequence });
      this.#ledger.note(row, cursor, withheld);
      if (apart && apart.sequence !== row.apart?.sequence) this.#sinks.putApart(sink, apart);
      this.#comesOn(sink, now);
      for (const refusal of refused) this.#deadLetters.append(sink, refusal, now);
      for (const each of follow) this.#follow(sink, each);
    }
  }

  #comesOn(sink: string, now: number): void {
    const gap = this.#gaps.end(sink, now);
    if (!gap) return;
    const { from, to, records } = gap;
    const message =
      `sink ${sink} has come on, behind a gap of at most ${spellCount(records, 'record')} that it was not given: ` +
      'the status tells of which time they are';
    this.#notify({ level: 'warn', fields: { sink, records, from, to }, message });
  }

  #follow(sink: string, { source, tenant, id, revision, on }: Follow): void {
    const number = this.#sources.idOf({ source, tenant });
    if (number === undefined) throw new JournalError(`there is no source ${source} (tenant ${tenant})`);
    if (on) {
      const last = this.#memory.last(number) ?? revision;
      this.#followed.put(sink, number, id, last > revision ? last : revision);
    } else {
      this.#followed.delete(sink, number, id);
    }
  }

  follows(sink: string, ids: readonly RecordId[]): boolean[] {
    return ids.map(({ source, tenant, id }) => {
      const number = this.#sources.idOf({ source, tenant });
      return number !== undefined && this.#followed.has(sink, number, id);
    });
  }

  compare(window: Comparison): Compared {
    const { from, to, records } = window;
    const source = this.#sources.idOf(window);
    if (source === undefined) return { fates: new Map(), extra: [] };
    const known = records.map((record) => this.#comparing.recall(source, record));
    return {
      fates: new Map(this.#registered().map((row) => [row.name, this.#comparing.fates(row, window, known)])),
      extra: this.#comparing.extra(source, from, to, records),
    };
  }

  /** Write. */
  repair(missing: Repair): Repaired {
    const source = this.#sources.idOf(missing);
    const now = this.#clock.wall();
    if (source === undefined) return { records: 0 };
    if (missing.sink !== undefined) return this.#repairing.forSink(source, missing, now);
    return this.#repairing.forAll(source, missing, now);
  }

  gaps(): Gap[] {
    return this.#registered().flatMap(({ name }) =>
      this.#gaps.of(name).map(({ id, sink, records, ranges, grown, ended }) => {
        return { id, sink, records, ranges, grownMs: grown, open: ended === null };
      }),
    );
  }

  /** Write. */
  closeGap({ id, grownMs }: Pick<Gap, 'id' | 'grownMs'>): boolean {
    return this.#gaps.close(id, grownMs);
  }

  reconciledAt(key: SourceKey): number | undefined {
    const source = this.#sources.idOf(key);
    return source === undefined ? undefined : this.#sources.reconciledAt(source);
  }

  /** Write. */
  noteReconciled(key: SourceKey, atMs: number): void {
    const source = this.#sources.idOf(key);
    if (source !== undefined) this.#sources.noteReconciled(source, atMs);
  }

  #registered(): SinkRow[] {
    return [...this.#sinks.all().values()].filter(({ orphaned }) => orphaned === null);
  }

  read(cursor: Cursor): RawChunk | undefined {
    const batches: { id: number; format: number; data: Uint8Array }[] = [];
    let before = cursor;
    let target: string | null = null;
    let records = 0;
    let bytes = 0;
    // Of what was let go of meanwhile nothing is left: it goes on with the first that is there.
    const first = this.#batches.first()?.id ?? 1;
    if (first > cursor.batch + 1) before = { batch: first, index: -1 };
    for (let id = Math.max(first, cursor.batch); id <= this.#batches.last; id++) {
      const size = this.#batches.head(id);
      const fits = size && records + size.records <= MAX_RECORDS && bytes + size.bytes <= MAX_BYTES;
      if (batches.length > 0 && (!fits || size.target !== null)) break;
      const { head, text } = this.#batches.read(id);
      if (id === cursor.batch) {
        if (cursor.index >= head.records - 1) continue;
        before = { batch: id, index: -1 };
      }
      // It stands in the place of one that was broken (`journal check --repair`).
      if (head.records === 0) continue;
      batches.push({ id, format: head.format, data: text() });
      records += head.records;
      bytes += head.bytes;
      target = head.target;
      if (target !== null) break;
    }
    return batches.length > 0 ? { before, target, batches } : undefined;
  }

  /** Write. */
  forget(name: string, always: boolean): Forgotten {
    const row = this.#sinks.all().get(name);
    if (!row) return 'unknown';
    if (row.orphaned === null && !always) return 'configured';
    this.#sinks.delete(name);
    this.#followed.deleteSink(name);
    this.#gaps.deleteSink(name);
    this.#repaired.deleteSink(name);
    this.#ledger.deleteSink(name);
    return 'forgotten';
  }

  /** Write. */
  retry(choice: DeadLetterChoice): Handled {
    const sinks = this.#sinks.all();
    const records = new Map<string, StoredRecord[]>();
    const handled = this.#handle(choice, (row) => {
      const sink = sinks.get(row.name);
      if (!sink) return `the journal has no sink ${row.name}`;
      if (sink.orphaned !== null) return `sink ${row.name} is not in the config`;
      records.set(row.name, [...(records.get(row.name) ?? []), { ...refusedText(row), outcome: 'retry' }]);
      return undefined;
    });
    for (const [name, refused] of records) this.#appendTo(name, refused);
    return handled;
  }

  /** Part of a transaction: batches for one sink alone (K3). */
  #appendTo(sink: string, records: readonly StoredRecord[]): void {
    const filling = this.#batches.fill(this.#clock.wall(), sink);
    for (const { json, ...record } of records) filling.add(record, json);
    filling.end();
  }

  /** Write. */
  drop(choice: DeadLetterChoice): Handled {
    return this.#handle(choice, () => undefined);
  }

  /** Part of a transaction: deletes dead letters of sinks, but those for which `why` says that they must stay. */
  #handle(choice: DeadLetterChoice, why: (row: DeadLetterRow) => string | undefined): Handled {
    const done: number[] = [];
    const left: { id: number; why: string }[] = [];
    for (const id of this.#deadLetters.idsOf(choice)) {
      const row = this.#deadLetters.get(id);
      const reason = whyNot(row) ?? why(row!);
      if (reason !== undefined) left.push({ id, why: reason });
      else {
        this.#deadLetters.delete(id);
        done.push(id);
      }
    }
    return { done, left };
  }

  stats(): JournalStats {
    return {
      ...survey({
        batches: this.#batches,
        sinks: this.#sinks,
        gaps: this.#gaps,
        deadLetters: this.#deadLetters,
      }),
      bytes: this.#bounds.bytes(),
      limitBytes: this.#maxBytes,
      paused: this.#bounds.paused,
    };
  }

  coverage(): Coverage[] {
    return this.#coverage.all();
  }

  /** Nothing more will be written: whoever opens it next need not look for what was cut off. */
  leave(): void {
    if (this.#left) return;
    markStopped(this.#database);
    this.#left = true;
  }

  close(): void {
    try {
      this.leave();
    } finally {
      this.#database.close();
    }
  }

  /** Closes it as it is: what is on disk is not known, or not to be trusted. */
  abandon(): void {
    this.#database.close();
  }
}

function positionOf({ cursor, stream, sequence, apart }: SinkRow): Position {
  return { cursor, stream, sequence, ...(apart && { apart }) };
}

function whyNot(row: DeadLetterRow | undefined): string | undefined {
  if (!row) return 'there is no such dead letter';
  return row.kind === 'sink' ? undefined : `it is of source ${row.name}, which reads it again by itself`;
}

/** Oldest revision first, so that the order of an id is kept within an answer, too; else as they came. */
function byRevision(records: readonly SourceRecord[]): [number, SourceRecord][] {
  return [...records.entries()].sort(([, a], [, b]) => compareTicks(a.revision, b.revision));
}
