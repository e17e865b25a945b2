import { chmodSync, rmSync } from 'node:fs';
import { createAdaptorServer } from '@hono/node-server';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { Log } from '../core/log.ts';
import { shortPath, socketIn } from './place.ts';
import { type ControlCommands, carryOut } from './protocol.ts';

/** More than a command has ever to say. */
const MOST_BYTES = 2 ** 20;

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
): Promise<{ close(): Promise<void> }> {
  const app = new Hono();
  app.use(bodyLimit({ maxSize: MOST_BYTES }));
  app.post('/:command', async (context) => {
    const command = context.req.param('command');
    const argument: unknown = await context.req.json().catch(() => undefined);
    const answer = carryOut(commands, command, argument);
    if (!answer) return context.json({ problem: 'the relay that runs does not know this command' }, 400);
    try {
      const value = await answer;
      log.info({ command, argument, value }, 'a command was carried out');
      return context.json({ value });
    } catch (error) {
      return context.json({ problem: error instanceof Error ? error.message : String(error) }, 500);
    }
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
        await new Promise<void>((resolve) => {
          server.close(() => resolve());
          if ('closeAllConnections' in server) server.closeAllConnections();
        });
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
