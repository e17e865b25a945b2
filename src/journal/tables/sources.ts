import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { SourceKey } from '../../core/journal.ts';
import { rowHash } from '../batch.ts';
import { type Broken, one } from './row.ts';

export interface SourceRow {
  readonly id: number;
  readonly source: string;
  readonly tenant: string;
  readonly checkpoint: string;
  readonly hash: string;
}

/** The checkpoints, and a number for each source and tenant that stands for them in the larger tables. */
export class SourceTable {
  readonly #broken: Broken;
  readonly #all: StatementSync;
  readonly #of: StatementSync;
  readonly #byId: StatementSync;
  readonly #next: StatementSync;
  readonly #put: StatementSync;
  readonly #reconciledAt: StatementSync;
  readonly #noteReconciled: StatementSync;
  /** Numbers that were asked for; they never change. */
  readonly #ids = new Map<string, number>();

  constructor(database: DatabaseSync, broken: Broken) {
    this.#broken = broken;
    this.#all = database.prepare('SELECT source, tenant FROM source');
    this.#of = database.prepare('SELECT * FROM source WHERE source = ? AND tenant = ?');
    this.#byId = database.prepare('SELECT source, tenant FROM source WHERE id = ?');
    this.#next = database.prepare('SELECT coalesce(max(id), 0) + 1 AS id FROM source');
    this.#reconciledAt = database.prepare('SELECT at FROM reconciled WHERE source = ?');
    this.#noteReconciled = database.prepare('INSERT OR REPLACE INTO reconciled VALUES (?, ?)');
    this.#put = database.prepare('INSERT OR REPLACE INTO source VALUES (?, ?, ?, ?, ?)');
  }

  keys(): SourceKey[] {
    return this.#all.all() as unknown as SourceKey[];
  }

  checkpoint(key: SourceKey): string | undefined {
    return this.#get(key)?.checkpoint;
  }

  /** The number of a source, if it has ever stored a checkpoint. */
  idOf(key: SourceKey): number | undefined {
    const name = `${key.source} ${key.tenant}`;
    const id = this.#ids.get(name) ?? this.#get(key)?.id;
    if (id !== undefined) this.#ids.set(name, id);
    return id;
  }

  /** When a source was last compared by schedule, milliseconds since 1970. */
  reconciledAt(id: number): number | undefined {
    return one<{ at: number }>(this.#reconciledAt, id)?.at;
  }

  noteReconciled(id: number, at: number): void {
    this.#noteReconciled.run(id, Math.floor(at));
  }

  /** The source that has a number. */
  keyOf(id: number): SourceKey | undefined {
    return one<SourceKey>(this.#byId, id);
  }

  /** Stores the checkpoint; returns the number of the source. */
  put({ source, tenant }: SourceKey, checkpoint: string): number {
    const id = this.#get({ source, tenant })?.id ?? one<{ id: number }>(this.#next)?.id ?? 1;
    this.#put.run(id, source, tenant, checkpoint, hashOf({ id, source, tenant, checkpoint }));
    return id;
  }

  #get({ source, tenant }: SourceKey): SourceRow | undefined {
    const row = one<SourceRow>(this.#of, source, tenant);
    if (row && !isWholeSource(row)) {
      this.#broken(`the checkpoint of source ${source} (tenant ${tenant}) is not as it was written`);
    }
    return row;
  }
}

/** It is as it was written. */
export const isWholeSource = (row: SourceRow): boolean => row.hash === hashOf(row);

function hashOf({ id, source, tenant, checkpoint }: Omit<SourceRow, 'hash'>): string {
  return rowHash([id, source, tenant, checkpoint]);
}
