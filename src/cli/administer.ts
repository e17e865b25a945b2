import type { Config } from '../config/schema.ts';
import { askRelay } from '../control/client.ts';
import { type ControlCommand, type ControlCommands, commandsOn } from '../control/protocol.ts';
import { JournalError, RelayError } from '../core/errors.ts';
import { openJournal } from '../journal/journal.ts';
import { isRunning, peekSinks } from '../journal/peek.ts';
import { openLogger } from '../observe/logger.ts';
import type { Io } from './io.ts';

/**
 * Changes something in the journal: has the relay do it that runs, or does it itself when none runs (K9).
 *
 * @throws {RelayError} there is no journal, or it cannot be changed now
 */
export async function administer<C extends ControlCommand>(
  { directory, maxBytes, retention }: Config['state'],
  command: C,
  argument: Parameters<ControlCommands[C]>[0],
  io: Pick<Io, 'stderr'>,
): Promise<Awaited<ReturnType<ControlCommands[C]>>> {
  const answer = await askRelay(directory, command, argument);
  if (answer) return answer.value;
  // To open a journal that is not there would make one.
  if (!peekSinks(directory)) throw noJournal(directory);
  const log = openLogger('warn', io.stderr);
  const options = { directory, maxBytes, retentionMs: retention, log };
  const journal = await openJournal(options).catch((error: unknown) => {
    if (!(error instanceof JournalError) || !isRunning(directory)) throw error;
    throw new RelayError(
      `a relay has ${directory}, but takes no commands: it is starting or stopping, or its log says why; try again`,
    );
  });
  try {
    const run: (argument: never) => Promise<unknown> = commandsOn(journal, 'always')[command];
    return (await run(argument as never)) as Awaited<ReturnType<ControlCommands[C]>>;
  } finally {
    await journal.close();
  }
}

export function noJournal(directory: string): RelayError {
  return new RelayError(`there is no journal in ${directory}: no relay has been started there`);
}
