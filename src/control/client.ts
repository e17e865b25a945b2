import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { RelayError } from '../core/errors.ts';
import { shortPath, socketIn } from './place.ts';
import type { ControlCommand, ControlCommands } from './protocol.ts';

type Argument<C extends ControlCommand> = Parameters<ControlCommands[C]>[0];
type Value<C extends ControlCommand> = Awaited<ReturnType<ControlCommands[C]>>;

/** A relay that takes longer hangs. */
const ANSWER_MS = 10_000;

/**
 * Has the relay that runs on a state directory do something.
 *
 * @returns `undefined`: none listens there
 * @throws {RelayError} it does not, or cannot be asked
 */
export async function askRelay<C extends ControlCommand>(
  directory: string,
  command: C,
  argument: Argument<C>,
  timeoutMs = ANSWER_MS,
): Promise<{ readonly value: Value<C> } | undefined> {
  let answer: { status: number | undefined; body: string };
  try {
    answer = await post(directory, `/${command}`, JSON.stringify(argument), timeoutMs);
  } catch (error) {
    const { code, message, name } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ECONNREFUSED') return undefined;
    const why =
      code === 'EACCES' || code === 'EPERM'
        ? 'it is of another user; ask as the user that the relay runs as'
        : name === 'TimeoutError'
          ? 'it does not answer'
          : message;
    throw new RelayError(`the relay at ${socketIn(directory)} cannot be asked: ${why}`, { cause: error });
  }
  return { value: answered(directory, answer) as Value<C> };
}

function answered(
  directory: string,
  { status, body }: { status: number | undefined; body: string },
): unknown {
  let found: { value?: unknown; problem?: unknown } | undefined;
  try {
    found = JSON.parse(body);
  } catch {
    // Told below.
  }
  if (status === 200 && found?.value !== undefined) return found.value;
  const why = typeof found?.problem === 'string' ? found.problem : `it answers with HTTP ${status}`;
  throw new RelayError(`the relay at ${socketIn(directory)} did not do it: ${why}`);
}

async function post(directory: string, path: string, body: string, timeoutMs: number) {
  const short = shortPath(directory);
  try {
    return await new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
      const signal = AbortSignal.timeout(timeoutMs);
      signal.addEventListener('abort', () => reject(signal.reason));
      const headers = { 'Content-Type': 'application/json', Connection: 'close' };
      request({ socketPath: short.path, path, method: 'POST', headers, signal, agent: false })
        .on('error', (error) => reject(signal.aborted ? signal.reason : error))
        .on('response', (response) => {
          text(response).then((all) => resolve({ status: response.statusCode, body: all }), reject);
        })
        .end(body);
    });
  } finally {
    short.release();
  }
}
