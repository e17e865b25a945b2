import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { setImmediate } from 'node:timers/promises';
import { loadConfig } from '../config/load.ts';
import { RelayError } from '../core/errors.ts';
import { type Checked, checkJournal } from '../journal/check.ts';
import { exportJournal } from '../journal/export.ts';
import { hasJournal } from '../journal/peek.ts';
import { type Repaired, repairJournal } from '../journal/repair.ts';
import { stringifyJson } from '../lib/json.ts';
import { spellCount } from '../lib/spell.ts';
import { version } from '../lib/version.ts';
import { noJournal } from './administer.ts';
import { type Colors, colorsFor, type Io, isTerminal } from './io.ts';
import { plain } from './table.ts';

interface Flags {
  readonly config?: string;
}

type Output = Pick<Io, 'stdout' | 'stderr' | 'env'>;

/** Lines of text for each kind; a journal that is all broken would give millions. */
const MOST_LINES = 20;
const PROGRESS_MS = 500;

/**
 * Goes through the journal, tells what is broken, and what a repair would do; with `--repair` does that (K10).
 *
 * @returns the exit code: 1 when something is broken, and was not repaired
 */
export async function journalCheckCommand(
  flags: Flags & { readonly json?: boolean; readonly repair?: boolean },
  io: Output,
): Promise<number> {
  const { directory, sinks } = load(flags, io);
  const going: Generator<number, Checked & Partial<Repaired>> = flags.repair
    ? repairJournal({ directory, version, sinks, now: new Date() })
    : checkJournal(directory);
  const checked = await toEnd(going, io);
  const { stdout, env } = io;
  const lines = flags.json
    ? [JSON.stringify(toldOf(directory, checked), null, 2)]
    : checkText(directory, checked, colorsFor(stdout, env));
  stdout.write(`${lines.join('\n')}\n`);
  return checked.findings.isWhole() || checked.kept !== undefined ? 0 : 1;
}

/**
 * Writes every record of the journal that is whole, one JSON object a line.
 *
 * @returns the exit code: 1 when something is broken
 */
export async function journalExportCommand(
  { output, ...flags }: Flags & { readonly output?: string },
  io: Output,
): Promise<number> {
  const { directory } = load(flags, io);
  const stream: NodeJS.WritableStream =
    output === undefined ? io.stdout : createWriteStream(output, { mode: 0o600, flags: 'wx' });
  let failed: NodeJS.ErrnoException | undefined;
  stream.on('error', (error: NodeJS.ErrnoException) => {
    failed ??= error;
  });
  const going = exportJournal(directory);
  let records = 0;
  let step = going.next();
  for (; !step.done && !failed; step = going.next()) {
    for (const record of step.value) {
      records++;
      if (!stream.write(`${stringifyJson(record)}\n`) && stream.writable) await drained(stream);
    }
    // An error of the stream is heard here, too.
    await setImmediate();
  }
  if (output !== undefined) {
    stream.end();
    await finished(stream).catch((error: NodeJS.ErrnoException) => {
      failed ??= error;
    });
  }
  // Who reads no further has enough.
  if (failed?.code === 'EPIPE') return 0;
  if (failed) throw new RelayError(`cannot write ${output ?? 'to standard output'}: ${failed.message}`);
  if (!step.done) return 1;
  const { problems } = step.value.findings;
  io.stderr.write(`${spellCount(records, 'record')} exported\n`);
  for (const line of shortened(problems.map(({ what }) => `not exported: ${plain(what)}`)))
    io.stderr.write(`${line}\n`);
  return problems.length > 0 ? 1 : 0;
}

function drained(stream: NodeJS.WritableStream): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      for (const name of ['drain', 'error', 'close']) stream.removeListener(name, done);
      resolve();
    };
    for (const name of ['drain', 'error', 'close']) stream.on(name, done);
  });
}

/** Tells a person who waits how far it is. */
async function toEnd<T>(going: Generator<number, T>, { stderr }: Output): Promise<T> {
  let toldMs = performance.now();
  let told = false;
  for (;;) {
    const step = going.next();
    if (step.done) {
      if (told) stderr.write('\n');
      return step.value;
    }
    if (!isTerminal(stderr) || performance.now() - toldMs < PROGRESS_MS) continue;
    toldMs = performance.now();
    told = true;
    stderr.write(`\rchecking: ${Math.floor(100 * step.value)} % of the batches`);
    await setImmediate();
  }
}

function load(flags: Flags, { env }: Output) {
  const { config, effective } = loadConfig(flags.config, { needs: [], ...(env && { env }) });
  const { directory } = config.state;
  if (!hasJournal(directory)) throw noJournal(directory);
  const sinks = effective().sinks as readonly { readonly name: string }[];
  return { directory, sinks: sinks.map(({ name }) => name) };
}

function toldOf(
  directory: string,
  { running, schema, writer, findings, plan, kept }: Checked & Partial<Repaired>,
) {
  const { first, last, batches, records, rows, problems, lost } = findings;
  return {
    directory,
    whole: findings.isWhole(),
    running,
    schema: schema ?? null,
    writer: writer ?? null,
    batches: { first, last, whole: batches.size },
    records,
    rows: Object.fromEntries(rows),
    problems,
    lost,
    plan,
    kept: kept ?? null,
  };
}

function checkText(
  directory: string,
  { running, schema, writer, findings, plan, kept }: Checked & Partial<Repaired>,
  colors: Colors,
): string[] {
  const { first, last, batches, records, rows, problems } = findings;
  const counts = [
    spellCount(records, 'record'),
    last >= first
      ? `${spellCount(batches.size, 'whole batch').replace(/batchs$/, 'batches')} of ${first} to ${last}`
      : 'no batches',
    ...[...rows].filter(([, count]) => count > 0).map(([table, count]) => `${count} ${table}`),
  ];
  const head = `journal in ${directory}: schema ${schema ?? 'unknown'}, written by ${plain(writer ?? 'an unknown version')}`;
  const beside = running
    ? ['a relay has it: its pages, and what it remembers of alerts, were not looked at']
    : [];
  const found = `  ${counts.join(', ')}`;
  if (problems.length === 0) return [head, found, ...beside, colors.green('all is whole')];
  return [
    head,
    found,
    ...beside,
    colors.red('broken:'),
    ...shortened(problems.map(({ what }) => `  ${plain(what)}`)),
    kept === undefined
      ? 'nothing was changed; with the relay stopped, "defender-relay journal check --repair" would:'
      : colors.green('repaired:'),
    ...plan.map((step) => `  - ${plain(step)}`),
    ...(kept === undefined
      ? []
      : [`the broken files are in ${kept}; delete them when you need them no more`]),
  ];
}

function shortened(lines: readonly string[]): string[] {
  if (lines.length <= MOST_LINES) return [...lines];
  return [...lines.slice(0, MOST_LINES), `  … and ${lines.length - MOST_LINES} more`];
}
