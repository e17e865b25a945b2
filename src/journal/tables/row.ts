import type { SQLInputValue, StatementSync } from 'node:sqlite';

/** The first row of a query; the tables are STRICT, so a column has the type it was declared with. */
export function one<Row>(statement: StatementSync, ...values: SQLInputValue[]): Row | undefined {
  return statement.get(...values) as Row | undefined;
}

/** Says that a row is not what was written, and throws. */
export type Broken = (what: string) => never;

/** SQLite stores UTF-8, in which all lone surrogates are one and the same: two ids must not become one (G21). */
export function keyText(id: string): string {
  return id.isWellFormed() ? id : JSON.stringify(id);
}
