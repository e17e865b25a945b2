import { spellCount, spellDuration, spellSize } from '../lib/spell.ts';
import type {
  ComparedStatus,
  FailureStatus,
  GapsStatus,
  SinkStatus,
  SourceStatus,
  Status,
} from '../observe/status.ts';
import type { Colors } from './io.ts';
import { type Cell, type Paint, plain, table } from './table.ts';

interface View {
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly colors: Colors;
}

/** The status for people. What a far end has said is in it, so nothing of it may reach a terminal as it came. */
export function statusText(status: Status, view: View): string {
  const sections = [
    header(status, view),
    section('Sources', status.sources.length > 0 ? sources(status.sources, view) : ['  none yet'], view),
    section('Products', products(status, view), view),
    section('Journal', journal(status), view),
    section('Sinks', status.sinks.length > 0 ? sinks(status.sinks, view) : ['  none yet'], view),
    section('Dead letters', deadLetters(status, view), view),
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

function header(
  { version, running, since, ready, problems, configRefused }: Status,
  { now, colors }: View,
): string[] {
  const state = ready ? colors.green('ready') : colors.red(running ? 'not ready' : 'not running');
  const from = since === null ? '' : `, running since ${seconds(since)} (${ago(since, now)})`;
  const notAsked =
    running && since === null ? ['  the relay itself was not asked: this is what its journal says'] : [];
  const told = problems.map(({ message }) => `  ${colors.red(plain(message))}`);
  const refused =
    configRefused === null
      ? []
      : [`  ${colors.yellow(`the config of the file is not used: ${plain(configRefused.message)}`)}`];
  return [
    `${colors.bold(`defender-relay ${plain(version)}`)}: ${state}${from}`,
    ...told,
    ...refused,
    ...notAsked,
  ];
}

function sources(found: readonly SourceStatus[], { now, colors }: View): string[] {
  const rows = found.map(({ name, tenant, watermark, lagSeconds }): Cell[] => [
    name,
    tenant,
    watermark === null ? '-' : seconds(watermark),
    lagSeconds === null ? '-' : duration(lagSeconds),
  ]);
  const lines = table(['SOURCE', 'TENANT', 'READ UP TO', 'LAG'], rows, colors);
  return [
    ...lines,
    ...found.flatMap((source) => [
      ...source.open.map(({ reading, from, to, begun }) => {
        const rest = duration((Date.parse(to) - Date.parse(from)) / 1000);
        return note(
          source.name,
          `${reading} begun ${ago(begun, now)} ago: ${rest} to go, from ${seconds(from)}`,
        );
      }),
      ...(source.setAside > 0
        ? [colors.yellow(note(source.name, `${spellCount(source.setAside, 'time')} set aside as unreadable`))]
        : []),
      ...(source.compared ? [compared(source.name, source.compared, now, colors)] : []),
      ...source.notes.map((text) => colors.yellow(note(source.name, text))),
      ...failure(source.name, source.lastFailure, now, colors.yellow),
    ]),
  ];
}

function compared(
  name: string,
  { at, listed, missing, repaired, unread }: ComparedStatus,
  now: number,
  { yellow }: Colors,
): string {
  const found = missing === 0 ? 'nothing was missing' : `${missing} were missing, ${repaired} repaired`;
  const not = unread === 0 ? '' : `; ${spellCount(unread, 'time')} could not be read`;
  const paint: Paint = missing + unread === 0 ? (text) => text : yellow;
  return paint(note(name, `compared ${ago(at, now)} ago, ${spellCount(listed, 'record')}: ${found}${not}`));
}

function products({ sources: found }: Status, { now, colors }: View): string[] {
  const rows = found.flatMap(({ name, tenant, products: each }) =>
    each.map(({ product, lastSeen, records, lateness, rhythm }): Cell[] => [
      name,
      tenant,
      product,
      `${ago(lastSeen, now)} ago`,
      String(records),
      within(lateness, 'medianSeconds'),
      within(lateness, 'p95Seconds'),
      rhythm ? duration(rhythm.usualSeconds) : '-',
      rhythm ? duration(rhythm.longestSeconds) : '-',
    ]),
  );
  const heads = [
    'SOURCE',
    'TENANT',
    'PRODUCT',
    'LAST SEEN',
    'RECORDS',
    'HALF WITHIN',
    '95% WITHIN',
    'EVERY',
    'LONGEST',
  ];
  return rows.length > 0 ? table(heads, rows, colors) : [];
}

function within(
  lateness: SourceStatus['products'][number]['lateness'],
  share: 'medianSeconds' | 'p95Seconds',
): string {
  if (!lateness) return '-';
  const bound = lateness[share];
  return bound === null ? 'over 1d' : duration(bound);
}

function journal({ directory, journal: found }: Status): string[] {
  if (!found) return [];
  const { bytes, limitBytes, records, paused } = found;
  const share = Math.round((100 * bytes) / limitBytes);
  const room = `${spellSize(bytes)} of ${spellSize(limitBytes)} (${share}%)`;
  const state = paused ? '; full: all sources pause' : '';
  return [`  ${plain(directory)}: ${room}, ${spellCount(records, 'record')}${state}`];
}

function sinks(found: readonly SinkStatus[], { now, colors }: View): string[] {
  const rows = found.map((sink): Cell[] => [
    sink.name,
    stateOf(sink, colors),
    String(sink.pending),
    sink.oldestPending === null ? '-' : ago(sink.oldestPending, now),
    sink.fullInSeconds === null ? '-' : duration(sink.fullInSeconds),
    sink.unconfirmed === null ? '-' : String(sink.unconfirmed),
    sink.lastDelivered === null ? '-' : `${ago(sink.lastDelivered, now)} ago`,
    sink.confirms ?? '-',
  ]);
  const heads = ['SINK', 'STATE', 'PENDING', 'OLDEST', 'FULL IN', 'UNCONFIRMED', 'DELIVERED', 'CONFIRMED BY'];
  return [
    ...table(heads, rows, colors),
    ...found.flatMap(({ name, notes, lastFailure, failingSince, gaps }) => [
      ...(gaps ? [colors.yellow(note(name, missed(gaps, now)))] : []),
      ...notes.map((text) => colors.yellow(note(name, text))),
      ...failure(name, lastFailure, now, failingSince === null ? (text) => text : colors.red),
    ]),
  ];
}

function missed({ count, records, oldest, newest, grown, open }: GapsStatus, now: number): string {
  const where = `${seconds(oldest)} to ${seconds(newest)}, in ${spellCount(count, 'gap')}`;
  const since = `the last were let go of ${ago(grown, now)} ago`;
  const more = open ? ', and it has taken nothing since' : '';
  return `was not given at most ${spellCount(records, 'record')} of ${where}; ${since}${more}`;
}

function stateOf({ connected, failingSince }: SinkStatus, colors: Colors): Cell {
  if (connected === null) return '-';
  if (failingSince !== null) return { text: 'failing', paint: colors.red };
  return connected
    ? { text: 'connected', paint: colors.green }
    : { text: 'connecting', paint: colors.yellow };
}

function deadLetters({ deadLetters: found }: Status, { colors }: View): string[] {
  if (found.length === 0) return [];
  const rows = found.map(({ kind, name, count }): Cell[] => [kind, name, String(count)]);
  return table(['KIND', 'NAME', 'COUNT'], rows, colors);
}

function failure(name: string, last: FailureStatus | null, now: number, paint: Paint): string[] {
  return last ? [paint(note(name, `failed ${ago(last.at, now)} ago: ${last.message}`))] : [];
}

const note = (name: string, text: string): string => `    ${plain(name)}: ${plain(text)}`;

function section(title: string, lines: readonly string[], { colors }: View): string[] {
  return lines.length > 0 ? [colors.bold(title), ...lines] : [];
}

const duration = (seconds: number): string => spellDuration(seconds * 1000);
const ago = (iso: string, now: number): string => spellDuration(Math.max(0, now - Date.parse(iso)));
const seconds = (iso: string): string => `${iso.slice(0, 19)}Z`;
