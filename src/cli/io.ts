import pc from 'picocolors';

/** What a command may touch of the process. */
export interface Io {
  readonly stdin: NodeJS.ReadableStream;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
  /** Default: of the process. */
  readonly env?: NodeJS.ProcessEnv;
  /** Ends the process at once. */
  exit(exitCode: number): void;
}

/** The process itself. */
export function processIo(exit: (exitCode: number) => void): Io {
  const { stdin, stdout, stderr, env } = process;
  return { stdin, stdout, stderr, env, exit };
}

export type Colors = ReturnType<typeof pc.createColors>;

/** Whether a person reads what is written there, rather than a file or another program. */
export function isTerminal(stream: NodeJS.WritableStream): boolean {
  return 'isTTY' in stream && stream.isTTY === true;
}

/**
 * Colours for a stream; functions that change nothing where it is no terminal, or where colours are not wanted.
 *
 * @see https://no-color.org
 */
export function colorsFor(stream: NodeJS.WritableStream, env: NodeJS.ProcessEnv = process.env): Colors {
  return pc.createColors(isTerminal(stream) && !env.NO_COLOR && env.TERM !== 'dumb');
}
