import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import type { DeadLetterChoice, JournalStats, Refusal, SourceKey } from '../../core/journal.ts';
import type { RelayRecord } from '../../core/record.ts';
import type { Unread } from '../../core/source.ts';
import { stringOf } from '../../lib/json.ts';
import {
  encodeRecord,
  FORMAT,
  readBody,
  readRecords,
  rowHash,
  type StoredRecord,
  storedRecord,
} from '../batch.ts';
import { type Broken, one } from './row.ts';

/** A dead letter, without what it is about. */
export interface DeadLetterRow {
  readonly id: number;
  readonly kind: 'sink' | 'source';
  /** Of the sink or source. */
  readonly name: string;
  readonly reason: string;
  readonly detail: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly format: number;
  /** What a sink refused (see `encodeRecord`); of a source, the time that it cannot read. */
  readonly record: string;
}

/** A row of `dead_letter`. */
export interface StoredDeadLetter extends DeadLetterRow {
  readonly hash: string;
}

/** What a sink will never be given, or a source cannot read for now, with the reason. */
export class DeadLetterTable {
  readonly #broken: Broken;
  readonly #database: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #counts: StatementSync;
  readonly #drop: StatementSync;
  readonly #get: StatementSync;
  readonly #idsOf: StatementSync;
  readonly #delete: StatementSync;
  readonly #rename: StatementSync;

  constructor(database: DatabaseSync, broken: Broken) {
    this.#database = database;
    this.#broken = broken;
    this.#insert = database.prepare(`
      INSERT INTO dead_letter (kind, name, reason, detail, at, format, record, hash)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?)`);
    this.#drop = database.prepare(`
      DELETE FROM dead_letter WHERE kind = 'source' AND name = ?
      AND json_extract(record, '$.tenant') = ? AND json_extract(record, '$.at') = ?`);
    this.#counts = database.prepare(
      'SELECT kind, name, count(*) AS count FROM dead_letter GROUP BY kind, name',
    );
    this.#get = database.prepare('SELECT * FROM dead_letter WHERE id = ?');
    this.#idsOf = database.prepare(`SELECT id FROM dead_letter WHERE kind = 'sink' AND name = ? ORDER BY id`);
    this.#delete = database.prepare('DELETE FROM dead_letter WHERE id = ?');
    this.#rename = database.prepare('UPDATE dead_letter SET name = ?, hash = ? WHERE id = ?');
  }

  /** What a sink refused. */
  append(name: string, { record, reason, detail }: Refusal, at: number): void {
    this.#put('sink', name, reason, detail, at, encodeRecord(storedRecord(record)));
  }

  /** What a source cannot read: its time stands in the place of a record. One without `to` is of a single time. */
  appendUnread({ source, tenant }: SourceKey, unread: Unread, now: number): void {
    const { at, to, count, reason, detail } = unread;
    const place = { tenant, at: String(at), to: String(to), count };
    this.#put('source', source, reason, detail, now, JSON.stringify(place));
  }

  /** What a source can read again. */
  dropUnread({ source, tenant }: SourceKey, at: bigint): void {
    this.#drop.run(source, tenant, String(at));
  }

  get(id: number): DeadLetterRow | undefined {
    const row = one<StoredDeadLetter>(this.#get, id);
    if (!row) return undefined;
    const { hash: _, ...rest } = row;
    if (!isWholeDeadLetter(row)) this.#broken(`dead letter ${id} is not as it was written`);
    return rest;
  }

  /** The newest, in the order in which they came. */
  list(of: Partial<Pick<DeadLetterRow, 'kind' | 'name'>>, limit: number): DeadLetterRow[] {
    const wanted = Object.entries(of).filter(
      (entry): entry is [string, SQLInputValue & string] => !!entry[1],
    );
    const where = ['1', ...wanted.map(([column]) => `${column} = ?`)].join(' AND ');
    const ids = this.#database
      .prepare(`SELECT id FROM dead_letter WHERE ${where} ORDER BY id DESC LIMIT ?`)
      .all(...wanted.map(([, value]) => value), limit) as unknown as { id: number }[];
    return ids.toReversed().flatMap(({ id }) => this.get(id) ?? []);
  }

  idsOf(choice: DeadLetterChoice): number[] {
    if ('ids' in choice) return [...new Set(choice.ids)];
    return (this.#idsOf.all(choice.sink) as unknown as { id: number }[]).map(({ id }) => id);
  }

  delete(id: number): void {
    this.#delete.run(id);
  }

  /** The sink has another name. */
  rename(from: string, to: string): void {
    for (const id of this.idsOf({ sink: from })) {
      const row = this.get(id);
      if (row) this.#rename.run(to, hashOf({ ...row, name: to }), id);
    }
  }

  #put(
    kind: 'sink' | 'source',
    name: string,
    reason: string,
    detail: string,
    at: number,
    record: string,
  ): void {
    const row = { kind, name, reason, detail: detail.toWellFormed(), at, format: FORMAT, record };
    this.#insert.run(...columnsOf(row), hashOf(row));
  }

  counts(): JournalStats['deadLetters'] {
    return this.#counts.all() as unknown as JournalStats['deadLetters'];
  }
}

type Refused = Pick<DeadLetterRow, 'format' | 'record' | 'reason'>;

/** What a sink refused. @param isWhole without it the body is not read */
export function refusedRecord(row: Refused, isWhole: boolean): RelayRecord {
  const { json, ...head } = storedOf(row);
  return { ...head, body: readBody(json, isWhole) };
}

const storedOf = ({ format, record }: Refused): StoredRecord => readRecords(format, Buffer.from(record))[0]!;

/** What a sink refused, with its body as it came: the relay may have died of reading it, so that it was not read. */
export function refusedText(row: Refused): StoredRecord {
  const { json: stored, ...head } = storedOf(row);
  const json = stringOf(stored);
  return { ...head, json: row.reason === 'crash' ? (withoutReading(json) ?? json) : json };
}

/** The body of a record that came with it as `unread` text. */
function withoutReading(json: string): string | undefined {
  if (!json.startsWith('{"unread":"')) return undefined;
  const { unread, ...more } = JSON.parse(json) as { unread?: unknown };
  return typeof unread === 'string' && Object.keys(more).length === 0 ? unread : undefined;
}

type Columns = Omit<DeadLetterRow, 'id'>;

function columnsOf({ kind, name, reason, detail, at, format, record }: Columns) {
  return [kind, name, reason, detail, at, format, record] as const;
}

/** It is as it was written. */
export const isWholeDeadLetter = (row: StoredDeadLetter): boolean => row.hash === hashOf(row);

function hashOf(row: Columns): string {
  return rowHash(columnsOf(row));
}
