import { isoOfTicks } from '../core/ticks.ts';
import { type DeadLetterRow, refusedRecord } from '../journal/tables/dead-letters.ts';
import { stringifyJson } from '../lib/json.ts';
import { cutTo } from './cut.ts';
import type { Colors } from './io.ts';
import { type Cell, plain, table } from './table.ts';

/** What `--json` says of a dead letter; times are ISO 8601 in UTC. */
export interface ToldDeadLetter {
  readonly id: number;
  readonly kind: 'sink' | 'source';
  readonly name: string;
  readonly at: string;
  readonly reason: string;
  readonly detail: string;
  /** What a sink refused; its body comes with `show`. */
  readonly record?: Readonly<Record<'source' | 'tenant' | 'id' | 'time' | 'severity' | 'outcome', string>> & {
    readonly body?: unknown;
  };
  /** What a source cannot read: what was changed in this time, `to` not with it, and how many that are, if known. */
  readonly unread?: {
    readonly tenant: string;
    readonly from: string;
    readonly to: string | null;
    readonly count: number | null;
  };
}

/** Columns of the detail in the list; `show` has all of it. */
const DETAIL_COLUMNS = 80;

/** @param isWhole with the body of the record; without it that is not even read */
export function toldDeadLetter(row: DeadLetterRow, isWhole: boolean): ToldDeadLetter {
  const { id, kind, name, reason, detail } = row;
  const told = { id, kind, name, at: new Date(row.at).toISOString(), reason, detail };
  if (kind === 'source') return { ...told, ...unreadOf(row.record) };
  const { source, tenant, id: recordId, timeMs, severity, outcome, body } = refusedRecord(row, isWhole);
  const time = new Date(timeMs).toISOString();
  const record = { source, tenant, id: recordId, time, severity, outcome, ...(isWhole && { body }) };
  return { ...told, record };
}

function unreadOf(text: string): Pick<ToldDeadLetter, 'unread'> {
  // One without `to` is of a single time, and was written by an older version.
  const { tenant, at, to, count } = JSON.parse(text) as {
    tenant: string;
    at: string;
    to?: string;
    count?: number;
  };
  const from = isoOfTicks(BigInt(at));
  const until = to === undefined ? null : isoOfTicks(BigInt(to));
  return { unread: { tenant, from, to: until, count: count ?? null } };
}

export function listText(letters: readonly ToldDeadLetter[], more: boolean, colors: Colors): string[] {
  if (letters.length === 0) return ['no dead letters'];
  const rows = letters.map(({ id, kind, name, at, reason, detail, record, unread }): Cell[] => [
    String(id),
    kind,
    name,
    `${at.slice(0, 19)}Z`,
    reason,
    record?.id ?? unread?.from ?? '-',
    cutTo(DETAIL_COLUMNS, plain(detail)),
  ]);
  const heads = ['ID', 'KIND', 'NAME', 'SINCE', 'REASON', 'RECORD', 'DETAIL'];
  return [
    ...table(heads, rows, colors),
    ...(more ? ['  older ones are not shown; --limit N shows more'] : []),
  ];
}

export function showText(letter: ToldDeadLetter, colors: Colors): string[] {
  const { id, kind, name, at, reason, detail, record, unread } = letter;
  const rows: [string, string][] = [
    [kind, name],
    ['since', at],
    ['reason', reason],
    ['detail', detail],
    ...(unread ? unreadRows(unread) : []),
  ];
  const { body, ...head } = record ?? {};
  for (const [key, value] of Object.entries(head)) rows.push([key === 'id' ? 'record' : key, value]);
  const width = Math.max(...rows.map(([key]) => key.length));
  const lines = rows.map(([key, value]) => `  ${colors.dim(key.padEnd(width))}  ${plain(value)}`);
  return [
    colors.bold(`Dead letter ${id}`),
    ...lines,
    ...(record ? ['', harmless(stringifyJson(body, 2))] : []),
  ];
}

function unreadRows({ tenant, from, to, count }: NonNullable<ToldDeadLetter['unread']>): [string, string][] {
  return [
    ['tenant', tenant],
    ['from', from],
    ...(to === null ? [] : [['to', to] as [string, string]]),
    ...(count === null ? [] : [['records', String(count)] as [string, string]]),
  ];
}

/** JSON that says the same and has no character that a terminal would obey, or that would show it out of order. */
export function harmless(json: string): string {
  return json.replaceAll(
    /[\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
