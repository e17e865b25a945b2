import { onTestFinished } from 'vitest';
import type { z } from 'zod';
import type { Rendered, SendResult, Sink } from '../../../src/core/sink.ts';
import { type HttpSettings, http } from '../../../src/sinks/http/index.ts';
import { rendered } from '../../contracts/sink.contract.ts';
import { collectLog, type LogLine } from '../../support/log.ts';

export const never = new AbortController().signal;

/** What is not as it is by default; a secret is its text. */
export type Settings = Omit<z.input<typeof http.schema>, 'type'>;

export function createSink(
  settings: Settings,
  timeoutMs = 10_000,
  prepare?: (parsed: HttpSettings) => void,
): { sink: Sink; lines: readonly LogLine[] } {
  const log = collectLog();
  const parsed = http.schema.parse({ type: 'http', ...settings });
  prepare?.(parsed);
  const sink = http.create(parsed, { name: 'siem', log, timeoutMs });
  return { sink, lines: log.lines };
}

/** For one test, and open. */
export async function openSink(...how: Parameters<typeof createSink>) {
  const made = createSink(...how);
  onTestFinished(() => made.sink.close());
  await made.sink.open(never);
  return made;
}

/** Sends, and gives what the receiver has answered. */
export async function send(sink: Sink, batch: readonly Rendered[]): Promise<SendResult> {
  const { confirmed } = await sink.send(batch, never);
  return await confirmed;
}

/** Events in JSON that tell which they are: `{"event":1}`, … */
export function events(count: number, from = 1): Rendered[] {
  return rendered(count, from, (number) => `{"event":${number}}`);
}

export const linesOf = (batch: readonly Rendered[]) => batch.flatMap(({ events }) => events.map(String));

export async function failureOf(
  promise: Promise<unknown>,
): Promise<Error & { reason?: string; retryAfterMs?: number }> {
  return await promise.then(
    () => {
      throw new Error('it did not fail');
    },
    (error: Error) => error,
  );
}
