import { loadConfig } from '../config/load.ts';
import { UsageError } from '../core/errors.ts';
import type { DeadLetterChoice, Handled } from '../core/journal.ts';
import { peekDeadLetter, peekDeadLetters } from '../journal/peek.ts';
import { stringifyJson } from '../lib/json.ts';
import { spellCount } from '../lib/spell.ts';
import { administer } from './administer.ts';
import { harmless, listText, showText, toldDeadLetter } from './dead-letters-text.ts';
import { colorsFor, type Io } from './io.ts';
import { plain } from './table.ts';

interface Flags {
  readonly config?: string;
  readonly json?: boolean;
}
interface Filter {
  readonly sink?: string;
  readonly source?: string;
}

type Output = Pick<Io, 'stdout' | 'env'>;

/** Lists the newest dead letters. */
export async function deadLettersListCommand(
  flags: Flags & Filter & { readonly limit: number },
  io: Output,
): Promise<number> {
  if (flags.sink !== undefined && flags.source !== undefined)
    throw new UsageError('give --sink or --source, not both');
  const { directory } = stateOf(flags, io);
  const of =
    flags.sink !== undefined
      ? ({ kind: 'sink', name: flags.sink } as const)
      : flags.source !== undefined
        ? ({ kind: 'source', name: flags.source } as const)
        : {};
  // One more, to know whether that is all.
  const found = peekDeadLetters(directory, of, flags.limit + 1) ?? [];
  const shown = found.slice(-flags.limit).map((row) => toldDeadLetter(row, false));
  const lines = flags.json
    ? [harmless(stringifyJson({ deadLetters: shown }, 2))]
    : listText(shown, found.length > shown.length, colorsFor(io.stdout, io.env));
  io.stdout.write(`${lines.join('\n')}\n`);
  return 0;
}

/** Shows one dead letter whole. */
export async function deadLettersShowCommand(
  { args: [text = ''], ...flags }: Flags & { readonly args: readonly string[] },
  io: Output,
): Promise<number> {
  const { directory } = stateOf(flags, io);
  const id = idOf(text);
  const row = peekDeadLetter(directory, id);
  if (!row) throw new UsageError(`there is no dead letter ${id} in ${directory}`);
  const told = toldDeadLetter(row, true);
  io.stdout.write(
    flags.json
      ? `${harmless(stringifyJson(told, 2))}\n`
      : `${showText(told, colorsFor(io.stdout, io.env)).join('\n')}\n`,
  );
  return 0;
}

type HandleFlags = Flags & Pick<Filter, 'sink'> & { readonly args: readonly string[] };

/** Has dead letters sent again, each to the sink that refused it, marked as `retry`. */
export function deadLettersRetryCommand(
  flags: HandleFlags,
  io: Output & Pick<Io, 'stderr'>,
): Promise<number> {
  return handle('retry', 'will be sent again', flags, io);
}

/** Lets go of dead letters. */
export function deadLettersDropCommand(flags: HandleFlags, io: Output & Pick<Io, 'stderr'>): Promise<number> {
  return handle('drop', 'dropped', flags, io);
}

/** @returns the exit code: 1 when some of them were left */
async function handle(
  command: 'retry' | 'drop',
  outcome: string,
  { args, sink, ...flags }: HandleFlags,
  io: Output & Pick<Io, 'stderr'>,
): Promise<number> {
  if (args.length > 0 === (sink !== undefined))
    throw new UsageError(
      'say which: their ids (dead-letters list shows them), or --sink NAME for all of a sink',
    );
  const choice: DeadLetterChoice = sink !== undefined ? { sink } : { ids: args.map(idOf) };
  const handled = await administer(stateOf(flags, io), command, choice, io);
  io.stdout.write(flags.json ? `${JSON.stringify(handled, null, 2)}\n` : handledText(handled, outcome));
  return handled.left.length > 0 ? 1 : 0;
}

function handledText({ done, left }: Handled, outcome: string): string {
  const lines = left.map(({ id, why }) => `dead letter ${id} stays: ${plain(why)}`);
  return `${[...lines, `${spellCount(done.length, 'dead letter')} ${outcome}`].join('\n')}\n`;
}

function stateOf(flags: Flags, { env }: Output) {
  return loadConfig(flags.config, { needs: [], ...(env && { env }) }).config.state;
}

function idOf(text: string): number {
  const id = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(id)) return id;
  throw new UsageError(`expected the number of a dead letter, found ${JSON.stringify(text)}`);
}
