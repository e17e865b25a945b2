import { type Logger, pino, stdSerializers } from 'pino';
import type { Secret } from '../lib/secret.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/**
 * JSON lines for machines, one object each, on `stream` (standard error). Secrets are a type that does not
 * print; should the text of one come in from elsewhere all the same (an error of a library, an answer of a
 * server), it is struck out of the finished line.
 */
export function openLogger(
  level: LogLevel,
  stream: { write(line: string): void },
  secrets: readonly Secret[] = [],
): Logger {
  const strings = secrets
    .map((secret) => JSON.stringify(secret.reveal()).slice(1, -1))
    .filter((text) => text.length >= 4);
  return pino(
    {
      level,
      base: {},
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: stdSerializers.errWithCause },
      hooks: {
        streamWrite: (line) => strings.reduce((text, string) => text.replaceAll(string, '***'), line),
      },
    },
    stream,
  );
}
