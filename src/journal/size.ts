import { statSync } from 'node:fs';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { one } from './tables/row.ts';

/** Used pages and the write-ahead log (K6): SQLite files do not shrink, so free pages do not count. */
export class Size {
  readonly pageSize: number;
  readonly #pages: StatementSync;
  readonly #free: StatementSync;
  readonly #walFile: string;

  constructor(database: DatabaseSync, walFile: string) {
    this.pageSize = one<{ page_size: number }>(database.prepare('PRAGMA page_size'))?.page_size ?? 4096;
    this.#pages = database.prepare('PRAGMA page_count');
    this.#free = database.prepare('PRAGMA freelist_count');
    this.#walFile = walFile;
  }

  bytes(): number {
    const pages = one<{ page_count: number }>(this.#pages)?.page_count ?? 0;
    const free = one<{ freelist_count: number }>(this.#free)?.freelist_count ?? 0;
    const log = statSync(this.#walFile, { throwIfNoEntry: false })?.size ?? 0;
    return (pages - free) * this.pageSize + log;
  }
}
