import { DatabaseSync } from 'node:sqlite';

/**
 * Keeps the write-ahead log where it is. SQLite removes it when the last one who has the journal open closes it, and
 * that comes about without us: Node closes all databases of a thread that ends. After an end that was none of ours a
 * missing log would then mean nothing (K10). So the main thread has the journal open, too, for as long as the worker,
 * and does nothing with it; and because it may only read, it is not one who could remove the log.
 */
export class Keeper {
  readonly #database: DatabaseSync;

  constructor(file: string) {
    this.#database = new DatabaseSync(file, { readOnly: true, timeout: 5_000 });
    try {
      this.hold();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Has it open from the first reading on, and in WAL mode from the first reading in that mode on. */
  hold(): void {
    this.#database.prepare('SELECT 1 FROM sqlite_schema').all();
  }

  close(): void {
    this.#database.close();
  }
}
