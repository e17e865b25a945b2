import type { Config } from '../config/schema.ts';
import { askRelay } from '../control/client.ts';
import { type ControlCommands, commandsOn, type JournalCommand } from '../control/protocol.ts';
import { JournalError, RelayError } from '../core/errors.ts';
import type { Journal } from '../core/journal.ts';
import { openJournal } from '../journal/journal.ts';
import { isRunning, peekSinks } from '../journal/peek.ts';
import { openLogger } from '../observe/logger.ts';
import type { Io } from './io.ts';

/**
 * Changes something in the journal: has the relay do it that runs, or does it itself when none runs (K9).
 *
 * @throws {RelayError} there is no journal, or it cannot be changed now
 */
export async function administer<C extends JournalCommand>(
  { directory, maxBytes, retention }: Config['state'],
  command: C,
  argument: Parameters<ControlCommands[C]>[0],
  io: Pick<Io, 'stderr'>,
): Promise<Awaited<ReturnType<ControlCommands[C]>>> {
  const answer = await askRelay(directory, command, argument);
  if (answer) return answer.value;
  const journal = await openStopped({ directory, maxBytes, retention }, io);
  try {
    const run: (argument: never) => Promise<unknown> = commandsOn(journal, 'always')[command];
    return (await run(argument as never)) as Awaited<ReturnType<ControlCommands[C]>>;
  } finally {
    await journal.close();
  }
}

/**
 * Opens the journal of a relay that does not run.
 *
 * @throws {RelayError} there is none, or a relay has it
 */
export async function openStopped(
  { directory, maxBytes, retention }: Config['state'],
  { stderr }: Pick<Io, 'stderr'>,
): Promise<Journal> {
  // To open a journal that is not there would make one.
  if (!peekSinks(directory)) throw noJournal(directory);
  const log = openLogger('warn', stderr);
  const options = { directory, maxBytes, retentionMs: retention, log };
  return await openJournal(options).catch((error: unknown) => {
    if (!(error instanceof JournalError) || !isRunning(directory)) throw error;
    throw new RelayError(
      `a relay has ${directory}, but takes no commands: it is starting or stopping, or its log says why; try again`,
    );
  });
}

export function noJournal(directory: string): RelayError {
  return new RelayError(`there is no journal in ${directory}: no relay has been started there`);
}
