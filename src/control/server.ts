import { chmodSync, rmSync } from 'node:fs';
import { createAdaptorServer } from '@hono/node-server';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { Log } from '../core/log.ts';
import type { Task } from '../core/task.ts';
import { wait } from '../lib/wait.ts';
import { shortPath, socketIn } from './place.ts';
import { type ControlCommands, carryOut, LINES, type Line } from './protocol.ts';

/** More than a command has ever to say. */
const MOST_BYTES = 2 ** 20;

/** Characters; a result that has more is for whoever asked alone. */
const MOST_LOGGED = 4096;

/** So often whoever waits hears that the relay is still at it; much sooner than it would give up (see `askRelay`). */
const STILL_MS = 2_000;

/** So long the last answers have to be read when the relay stops. */
const READ_MS = 500;

export interface ControlOptions {
  /** Commands that take long end; default: when the control socket is closed. */
  readonly stop?: AbortSignal;
  readonly stillMs?: number;
}

/**
 * Listens on `control.sock` in the state directory for commands that change something (K9). Who may open it is decided
 * by the file system: it belongs to the user of the relay alone. Only the process that holds the lock of the directory
 * may call this: it takes away a socket that was left there.
 *
 * A relay that cannot listen runs all the same, and says so.
 */
export async function openControl(
  directory: string,
  commands: ControlCommands,
  log: Log,
  { stop, stillMs = STILL_MS }: ControlOptions = {},
): Promise<{ close(): Promise<void> }> {
  const closing = new AbortController();
  const ending = stop ? AbortSignal.any([stop, closing.signal]) : closing.signal;
  /** Commands at work; none of them rejects. */
  const work = new Set<Promise<unknown>>();

  /** Does it, and says what came of it; `undefined`: that is no command. */
  const begin = (command: string, argument: unknown, task: Task<unknown>): Promise<Line> | undefined => {
    const answer = carryOut(commands, command, argument, task);
    const line = answer?.then(
      (value) => {
        const isLong = JSON.stringify(value).length > MOST_LOGGED;
        log.info({ command, argument, ...(!isLong && { value }) }, 'a command was carried out');
        return { value };
      },
      (error) => {
        const problem = error instanceof Error ? error.message : String(error);
        log.warn({ command, argument, reason: problem }, 'a command was not carried out');
        return { problem };
      },
    );
    if (!line) return undefined;
    work.add(line);
    void line.then(() => work.delete(line));
    return line;
  };

  const app = new Hono();
  app.use(bodyLimit({ maxSize: MOST_BYTES }));
  app.post('/:command', async (context) => {
    const command = context.req.param('command');
    const argument: unknown = await context.req.json().catch(() => undefined);
    const gone = new AbortController();
    const telling = new Telling(() => gone.abort(), stillMs);
    const signal = AbortSignal.any([ending, gone.signal]);
    const line = begin(command, argument, { signal, progress: (progress) => telling.tell({ progress }) });
    if (!line) return context.json({ problem: 'the relay that runs does not know this command' }, 400);
    if (context.req.header('Accept') === LINES) {
      void line.then((last) => telling.end(last));
      return context.body(telling.stream, 200, { 'Content-Type': LINES });
    }
    const last = await line;
    return context.json(last, 'problem' in last ? 500 : 200);
  });
  const socket = socketIn(directory);
  const server = createAdaptorServer({ fetch: app.fetch });
  try {
    // Of a process that was killed: whoever holds the lock of the directory is its only relay.
    rmSync(socket, { force: true });
    const short = shortPath(directory);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ path: short.path }, resolve);
    }).catch((error) => {
      short.release();
      throw error;
    });
    server.on('error', (error) => log.warn({ error }, 'the control socket has failed'));
    chmodSync(socket, 0o600);
    return {
      async close() {
        closing.abort();
        await Promise.all(work);
        const closed = new Promise<void>((resolve) => server.close(() => resolve()));
        await Promise.race([closed, wait(READ_MS)]);
        if ('closeAllConnections' in server) server.closeAllConnections();
        await closed;
        // Not before: the server takes its socket away by this path.
        short.release();
      },
    };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    log.warn({ socket }, `commands that change something cannot reach this relay: ${why}`);
    return { close: async () => {} };
  }
}

/** The lines of an answer, as they come. */
class Telling {
  readonly stream: ReadableStream<Uint8Array>;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #still: NodeJS.Timeout | undefined;

  /** @param gone nobody reads any more */
  constructor(gone: () => void, stillMs: number) {
    this.stream = new ReadableStream({
      start: (controller) => {
        this.#controller = controller;
        this.#still = setInterval(() => this.#write('\n'), stillMs).unref();
      },
      cancel: () => {
        this.#controller = undefined;
        clearInterval(this.#still);
        gone();
      },
    });
  }

  tell(line: Line): void {
    this.#write(textOf(line));
  }

  end(line: Line): void {
    clearInterval(this.#still);
    this.#controller?.enqueue(ENCODER.encode(textOf(line)));
    this.#controller?.close();
    this.#controller = undefined;
  }

  #write(text: string): void {
    // Who does not read is not to fill our memory.
    if ((this.#controller?.desiredSize ?? 0) > 0) this.#controller?.enqueue(ENCODER.encode(text));
  }
}

const ENCODER = new TextEncoder();
const textOf = (line: Line) => `${JSON.stringify(line)}\n`;
