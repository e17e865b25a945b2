import type { DeadLetterChoice, Forgotten, Handled, Journal } from '../core/journal.ts';
import type { ReconcileResult, ReconcileStep, ReconcileWish } from '../core/reconciled.ts';
import type { ReplayProgress, ReplayRequest, ReplayResult } from '../core/replay.ts';
import type { Task } from '../core/task.ts';
import { ticksOf } from '../core/ticks.ts';

/** Lines of JSON: any number of {@link Line}s, of which the last one alone has `value` or `problem`. */
export const LINES = 'application/x-ndjson';

/** One line of an answer. An empty one says that the relay is still at it. */
export interface Line {
  /** How far it has come. */
  readonly progress?: unknown;
  /** It is done. */
  readonly value?: unknown;
  /** It was not done, and why, for people. */
  readonly problem?: unknown;
}

/**
 * What commands may have a running relay do (K9): each is a POST of a JSON body. The answer is one {@link Line}, with a
 * status that tells the same; or, to who accepts {@link LINES}, as many as there is to tell. One that takes long takes a
 * {@link Task}: it tells how far it has come, and ends when whoever asked has gone.
 */
export interface ControlCommands {
  forget(argument: { readonly sink: string }): Promise<Forgotten>;
  retry(choice: DeadLetterChoice): Promise<Handled>;
  drop(choice: DeadLetterChoice): Promise<Handled>;
  reconcile(wish: ReconcileWish, task: Task<ReconcileStep>): Promise<ReconcileResult>;
  replay(request: ReplayRequest, task: Task<ReplayProgress>): Promise<ReplayResult>;
}
export type ControlCommand = keyof ControlCommands;

/** How a command is told on its way. */
export type Progress<C extends ControlCommand> =
  Parameters<ControlCommands[C]> extends [unknown, Task<infer P>] ? P : never;

/** Those that need nothing but a journal. */
export type JournalCommand = 'forget' | 'retry' | 'drop';

/**
 * The commands as a journal does them.
 *
 * @param always also a sink that was in the config is forgotten: nobody uses it, because no relay runs
 */
export function commandsOn(
  journal: Pick<Journal, 'forget' | 'retry' | 'drop'>,
  always?: 'always',
): Pick<ControlCommands, JournalCommand> {
  return {
    forget: ({ sink }) => journal.forget(sink, always),
    retry: (choice) => journal.retry(choice),
    drop: (choice) => journal.drop(choice),
  };
}

/**
 * Does what was asked; `undefined`: there is no such command, or that is not how it is asked.
 *
 * @param task of whoever asked; for a command that takes long
 */
export function carryOut(
  commands: ControlCommands,
  command: string,
  argument: unknown,
  task: Task<unknown>,
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
    case 'reconcile': {
      const wish = wishOf(argument);
      return wish && commands.reconcile(wish, task);
    }
    case 'replay': {
      const request = requestOf(argument);
      return request && commands.replay(request, task);
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

function wishOf(argument: unknown): ReconcileWish | undefined {
  const { from, to, fix } = asObject(argument);
  return isTime(from) && isTime(to) && typeof fix === 'boolean' ? { from, to, fix } : undefined;
}

function requestOf(argument: unknown): ReplayRequest | undefined {
  const { sink, from, to, maxPerSecond } = asObject(argument);
  if (!isTime(from) || !isTime(to) || typeof sink !== 'string' || typeof maxPerSecond !== 'number')
    return undefined;
  return maxPerSecond > 0 ? { sink, from, to, maxPerSecond } : undefined;
}

function isTime(value: unknown): value is string {
  return ticksOf(value) !== undefined;
}

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
