import pc from 'picocolors';

/** What a command may touch of the process. */
export interface Io {
  readonly stdin: NodeJS.ReadableStream;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
  /** Default: of the process. */
  readonly env?: NodeJS.ProcessEnv;
  /** Ends the process at once; default: with the exit code that the command has returned. */
  exit(exitCode?: number): void;
}

/** The process itself. */
export function processIo(exit: Io['exit']): Io {
  const { stdin, stdout, stderr, env } = process;
  return { stdin, stdout, stderr, env, exit };
}

/** How long a command that was asked to end waits for somebody to read what it has written. */
const FLUSH_MS = 1_000;

/**
 * For the end of a command: a reader that has stalled must not hold the process. Where all has been read the process
 * ends by itself, sooner.
 */
export function endSoon(io: Pick<Io, 'exit'>): void {
  setTimeout(() => io.exit(), FLUSH_MS).unref();
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
