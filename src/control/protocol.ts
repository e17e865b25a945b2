import type { DeadLetterChoice, Forgotten, Handled, Journal } from '../core/journal.ts';

/** What commands may have a running relay do (K9): each is a POST of a JSON body, answered with JSON. */
export interface ControlCommands {
  forget(argument: { readonly sink: string }): Promise<Forgotten>;
  retry(choice: DeadLetterChoice): Promise<Handled>;
  drop(choice: DeadLetterChoice): Promise<Handled>;
}
export type ControlCommand = keyof ControlCommands;

/**
 * The commands as a journal does them.
 *
 * @param always also a sink that was in the config is forgotten: nobody uses it, because no relay runs
 */
export function commandsOn(
  journal: Pick<Journal, 'forget' | 'retry' | 'drop'>,
  always?: 'always',
): ControlCommands {
  return {
    forget: ({ sink }) => journal.forget(sink, always),
    retry: (choice) => journal.retry(choice),
    drop: (choice) => journal.drop(choice),
  };
}

/** Does what was asked; `undefined`: there is no such command, or that is not how it is asked. */
export function carryOut(
  commands: ControlCommands,
  command: string,
  argument: unknown,
): Promise<unknown> | undefined {
  switch (command) {
    case 'forget': {
      const { sink } = asObject(argument);
      return typeof sink === 'string' ? commands.forget({ sink }) : undefined;
    }
    case 'retry':
    case 'drop': {
      const choice = choiceOf(argument);
      return choice && commands[command](choice);
    }
    default:
      return undefined;
  }
}

function choiceOf(argument: unknown): DeadLetterChoice | undefined {
  const { ids, sink } = asObject(argument);
  if (typeof sink === 'string') return { sink };
  return Array.isArray(ids) && ids.every((id) => Number.isSafeInteger(id)) ? { ids } : undefined;
}

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
