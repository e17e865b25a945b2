import { foreignText } from '../net/foreign.ts';
import type { Colors } from './io.ts';

export type Paint = (text: string) => string;
export type Cell = string | { readonly text: string; readonly paint: Paint };

/** Rows in columns, with a heading; nothing of a cell reaches a terminal as it came. */
export function table(heads: readonly string[], rows: readonly Cell[][], colors: Colors): string[] {
  const cells = [heads.map((text) => ({ text, paint: colors.dim })), ...rows.map((row) => row.map(cellOf))];
  const widths = heads.map((_, column) => Math.max(...cells.map((row) => row[column]?.text.length ?? 0)));
  return cells.map((row) => {
    const line = row.map(({ text, paint }, column) => {
      const blanks = column < row.length - 1 ? ' '.repeat((widths[column] ?? 0) - text.length) : '';
      return paint(text) + blanks;
    });
    return `  ${line.join('  ')}`;
  });
}

/** Text of a far end, fit for a terminal. */
export const plain = (text: string): string => foreignText(text, []);

function cellOf(cell: Cell): { text: string; paint: Paint } {
  const { text, paint } = typeof cell === 'string' ? { text: cell, paint: (same: string) => same } : cell;
  return { text: plain(text), paint };
}
