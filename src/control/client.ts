import { request } from 'node:http';
import { RelayError } from '../core/errors.ts';
import { abortError } from '../lib/wait.ts';
import { shortPath, socketIn } from './place.ts';
import { type ControlCommand, type ControlCommands, LINES, type Line, type Progress } from './protocol.ts';

type Argument<C extends ControlCommand> = Parameters<ControlCommands[C]>[0];
type Value<C extends ControlCommand> = Awaited<ReturnType<ControlCommands[C]>>;

/** A relay from which nothing is heard for longer hangs. */
const ANSWER_MS = 10_000;

export interface AskOptions<P> {
  /** Told how far the relay has come. */
  readonly onProgress?: (step: P) => void;
  /** Aborted: the relay is to end what it does. */
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

interface Answer {
  readonly status: number | undefined;
  /** What the relay said last. */
  readonly last: Line | undefined;
}

/**
 * Has the relay that runs on a state directory do something.
 *
 * @returns `undefined`: none listens there
 * @throws {RelayError} it does not, or cannot be asked; AbortError at the signal
 */
export async function askRelay<C extends ControlCommand>(
  directory: string,
  command: C,
  argument: Argument<C>,
  options: AskOptions<Progress<C>> = {},
): Promise<{ readonly value: Value<C> } | undefined> {
  const { signal } = options;
  let answer: Answer;
  try {
    answer = await post(directory, `/${command}`, JSON.stringify(argument), options);
  } catch (error) {
    if (signal?.aborted) throw abortError(signal);
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ECONNREFUSED') return undefined;
    const why =
      code === 'EACCES' || code === 'EPERM'
        ? 'it is of another user; ask as the user that the relay runs as'
        : message;
    throw new RelayError(`the relay at ${socketIn(directory)} cannot be asked: ${why}`, { cause: error });
  }
  return { value: answered(directory, answer) as Value<C> };
}

function answered(directory: string, { status, last }: Answer): unknown {
  if (status === 200 && last?.value !== undefined) return last.value;
  const why =
    typeof last?.problem === 'string'
      ? last.problem
      : status === 200
        ? 'it has ended before it was done'
        : `it answers with HTTP ${status}`;
  throw new RelayError(`the relay at ${socketIn(directory)} did not do it: ${why}`);
}

async function post<P>(
  directory: string,
  path: string,
  body: string,
  { onProgress, signal, timeoutMs = ANSWER_MS }: AskOptions<P>,
): Promise<Answer> {
  const short = shortPath(directory);
  try {
    return await new Promise<Answer>((resolve, reject) => {
      const headers = { 'Content-Type': 'application/json', Accept: LINES, Connection: 'close' };
      const asked = request({
        socketPath: short.path,
        path,
        method: 'POST',
        headers,
        agent: false,
        ...(signal && { signal }),
      });
      const silent = setTimeout(() => {
        reject(new Error('it does not answer'));
        asked.destroy();
      }, timeoutMs);
      asked.on('close', () => clearTimeout(silent)).on('error', reject);
      asked.on('response', (response) => {
        let last: Line | undefined;
        let rest = '';
        const hear = (text: string) => {
          const line = lineOf(text);
          if (line?.progress !== undefined) onProgress?.(line.progress as P);
          last = line ?? last;
        };
        response
          .setEncoding('utf8')
          .on('data', (text: string) => {
            silent.refresh();
            const lines = (rest + text).split('\n');
            rest = lines.pop() ?? '';
            for (const line of lines) hear(line);
          })
          // Cut off: what was said last is then no result.
          .on('error', () => {})
          .on('close', () => {
            hear(rest);
            if (signal?.aborted) reject(abortError(signal));
            else resolve({ status: response.statusCode, last });
          });
      });
      asked.end(body);
    });
  } finally {
    short.release();
  }
}

function lineOf(text: string): Line | undefined {
  try {
    const found: unknown = JSON.parse(text);
    return typeof found === 'object' && found !== null ? found : undefined;
  } catch {
    // An empty one, or of somebody who is no relay.
    return undefined;
  }
}
