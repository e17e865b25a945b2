import type {
  Deviation,
  Reconciled,
  ReconcileResult,
  ReconcileStep,
  RefilledGap,
} from '../core/reconciled.ts';
import { spellCount } from '../lib/spell.ts';
import type { Colors } from './io.ts';
import { type Cell, type Paint, plain, table } from './table.ts';

/** More lines nobody reads; `--json` has them all. */
const MOST_ROWS = 100;

/** How far it is, in one line. */
export function stepText({ source, from, to, at, listed, missing }: ReconcileStep): string {
  const [begin, end, now] = [from, to, at].map((time) => Date.parse(time)) as [number, number, number];
  const share = end > begin ? Math.floor((100 * (now - begin)) / (end - begin)) : 100;
  return `${plain(source)}: ${share}%, up to ${seconds(at)}: ${spellCount(listed, 'record')}, ${missing} missing`;
}

/** What came out, for people. */
export function reconcileText({ sources, gaps }: ReconcileResult, colors: Colors): string {
  if (sources.length === 0) return 'no source of the config can be compared\n';
  const parts = [...sources.map((result) => resultLines(result, colors)), refilled(gaps)];
  return `${parts
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

function refilled(gaps: readonly RefilledGap[]): string[] {
  return gaps.map(({ sink, records, lost }) => {
    const not = lost > 0 ? `; at most ${lost} of them cannot be had again` : '';
    return `a gap of ${plain(sink)} (at most ${spellCount(records, 'record')}) has been refilled with what Graph still has${not}`;
  });
}

function resultLines(result: Reconciled, colors: Colors): string[] {
  const { source, tenant, from, to, listed, complete, sinks, unread, notes } = result;
  const title = `${plain(source)} (tenant ${plain(tenant)})`;
  const range = `${seconds(from)} to ${seconds(to)}: ${spellCount(listed, 'record')} in Graph`;
  const rows = sinks.map(({ sink, ...counts }): Cell[] => [
    sink,
    String(counts.given),
    String(counts.filtered),
    String(counts.refused),
    painted(counts.waiting, colors.yellow),
    painted(counts.missing, colors.red),
    painted(counts.unknown, colors.yellow),
  ]);
  const heads = ['SINK', 'GIVEN', 'FILTERED', 'REFUSED', 'WAITING', 'MISSING', 'NOT KNOWN'];
  return [
    `${colors.bold(title)}, ${range}`,
    ...table(heads, rows, colors),
    ...deviations(result.deviations, colors),
    ...extra(result),
    ...unread.map(({ from: begin, to: end, detail }) =>
      colors.red(`  not compared, it cannot be read: ${begin} to ${end}: ${plain(detail)}`),
    ),
    ...notes.map((note) => colors.yellow(`  ${plain(note)}`)),
    ...(complete
      ? []
      : [colors.red(`  it was ended at ${seconds(to)}: what comes after that is not compared`)]),
    ...left(result, colors),
    `  ${verdict(result, colors)}`,
  ];
}

function deviations(found: readonly Deviation[], colors: Colors): string[] {
  if (found.length === 0) return [];
  const rows = found
    .slice(0, MOST_ROWS)
    .map(({ sink, product, hour, missing, waiting, unknown }): Cell[] => [
      sink,
      seconds(hour),
      product === '' ? '-' : product,
      painted(waiting, colors.yellow),
      painted(missing, colors.red),
      painted(unknown, colors.yellow),
    ]);
  const rest = found.length - MOST_ROWS;
  return [
    '',
    ...table(['SINK', 'HOUR', 'PRODUCT', 'WAITING', 'MISSING', 'NOT KNOWN'], rows, colors),
    ...(rest > 0 ? [`  and ${rest} more: --json has them all`] : []),
    '',
  ];
}

function extra({ extra: found }: Reconciled): string[] {
  const sum = (what: 'replaced' | 'gone') => found.reduce((all, each) => all + each[what], 0);
  const [replaced, gone] = [sum('replaced'), sum('gone')];
  if (replaced + gone === 0) return [];
  return [
    `  told, and not in Graph any more: ${replaced} that a newer revision has replaced, as it should be, and ${gone} others`,
  ];
}

const WHY = {
  'no-room': 'there is no free room in the journal at present',
  'not-back': 'the sink has taken nothing since its gap',
  'no-sink': 'the journal does not know the sink',
} as const;

function left({ left: found }: Reconciled, colors: Colors): string[] {
  return found.map(({ sink, why, records }) =>
    colors.yellow(`  not repaired: ${spellCount(records, 'record')} for ${plain(sink)}: ${WHY[why]}`),
  );
}

function verdict({ sinks }: Reconciled, colors: Colors): string {
  const short = sinks.filter(({ missing }) => missing > 0);
  const missing = short.filter((sink) => sink.repaired < sink.missing).map(({ sink }) => plain(sink));
  if (short.length === 0) return colors.green('nothing is missing');
  if (missing.length === 0) return colors.green('what is missing is in the journal now, and on its way');
  return colors.red(`something is missing at ${missing.join(', ')}`);
}

const painted = (count: number, paint: Paint): Cell => (count === 0 ? '0' : { text: String(count), paint });
const seconds = (iso: string): string => `${iso.slice(0, 19)}Z`;
