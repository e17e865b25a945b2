import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { STATE_KEPT } from './memory.ts';
import { keyText, one } from './row.ts';

/** The ids that sinks go on with until they are resolved (R8). */
export class FollowedTable {
  readonly #has: StatementSync;
  readonly #renew: StatementSync;
  readonly #insert: StatementSync;
  readonly #delete: StatementSync;
  readonly #deleteSink: StatementSync;
  readonly #rename: StatementSync;
  readonly #prune: StatementSync;
  readonly #oldest: StatementSync;
  #count: number;

  constructor(database: DatabaseSync) {
    const key = 'sink = ? AND source = ? AND id = ?';
    const oldest = (where: string) => `
      DELETE FROM followed WHERE (sink, source, id) IN
        (SELECT sink, source, id FROM followed WHERE ${where} ORDER BY as_of LIMIT ?)`;
    this.#has = database.prepare(`SELECT 1 FROM followed WHERE ${key}`);
    this.#renew = database.prepare(`UPDATE followed SET as_of = max(as_of, ?) WHERE ${key}`);
    this.#insert = database.prepare('INSERT INTO followed VALUES (?, ?, ?, ?)');
    this.#delete = database.prepare(`DELETE FROM followed WHERE ${key}`);
    this.#deleteSink = database.prepare('DELETE FROM followed WHERE sink = ?');
    this.#rename = database.prepare('UPDATE followed SET sink = ? WHERE sink = ?');
    this.#prune = database.prepare(oldest('source = ? AND as_of < ?'));
    this.#oldest = database.prepare(oldest('source = ?'));
    const count = database.prepare('SELECT count(*) AS count FROM followed');
    this.#count = one<{ count: number }>(count)?.count ?? 0;
  }

  has(sink: string, source: number, id: string): boolean {
    return this.#has.get(sink, source, keyText(id)) !== undefined;
  }

  /** @param asOf the present, by the source's own time: the revision itself may be of last year */
  put(sink: string, source: number, id: string, asOf: bigint): void {
    const key = [sink, source, keyText(id)] as const;
    if (this.#renew.run(asOf, ...key).changes !== 0) return;
    this.#insert.run(...key, asOf);
    this.#count++;
  }

  delete(sink: string, source: number, id: string): void {
    this.#count -= Number(this.#delete.run(sink, source, keyText(id)).changes);
  }

  /** The sink has another name. */
  rename(from: string, to: string): void {
    this.#rename.run(to, from);
  }

  /** The sink has been let go of. */
  deleteSink(sink: string): void {
    this.#count -= Number(this.#deleteSink.run(sink).changes);
  }

  /**
   * Lets go of at most `limit` ids of a source that have been silent for 90 days, by its own time; and, when there
   * are more than `most` in the table, of the oldest ones. Returns how many of the latter.
   */
  prune(source: number, floor: bigint, limit: number, most: number): number {
    this.#count -= Number(this.#prune.run(source, floor - STATE_KEPT, limit).changes);
    if (this.#count <= most) return 0;
    const given = Number(this.#oldest.run(source, Math.min(limit, this.#count - most)).changes);
    this.#count -= given;
    return given;
  }
}
