import { type Logger, pino, stdSerializers } from 'pino';
import { escaped, formsOf, type Secret } from '../lib/secret.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/**
 * JSON lines for machines, one object each, on `stream` (standard error). Secrets are a type that does not
 * print; should the text of one come in from elsewhere all the same (an error of a library, an answer of a
 * server), it is struck out of the finished line.
 *
 * @param level the least that is logged; a function where that may change
 * @param secrets may change as well
 */
export function openLogger(
  level: LogLevel | (() => LogLevel),
  stream: { write(line: string): void },
  secrets: readonly Secret[] = [],
): Logger {
  const strike = striker(secrets);
  return pino(
    {
      level: typeof level === 'string' ? level : 'debug',
      base: {},
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: stdSerializers.errWithCause },
      hooks: {
        streamWrite: strike,
        // Children keep the level that they were made with: what may change is looked at each time.
        ...(typeof level !== 'string' && {
          logMethod(args, method, number) {
            if (number >= pino.levels.values[level()]!) method.apply(this, args);
          },
        }),
      },
    },
    stream,
  );
}

/** Takes secrets out of a text: what they are, and what they were before their files changed. */
export function striker(secrets: readonly Secret[]): (line: string) => string {
  let known: readonly (readonly string[])[] = [];
  let strings: readonly string[] = [];
  return (line) => {
    const now = secrets.map((secret) => secret.revealAll());
    if (now.length !== known.length || now.some((texts, index) => texts !== known[index])) {
      known = now;
      // What others have written stands here between quotes once more.
      strings = [...new Set(now.flat().flatMap(formsOf).map(escaped))]
        .filter((text) => text.length >= 4)
        // Longest first: of a secret that begins with another one the rest must not be left.
        .toSorted((a, b) => b.length - a.length);
    }
    return strings.reduce((text, string) => text.replaceAll(string, '***'), line);
  };
}
