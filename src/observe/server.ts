import { isIPv6 } from 'node:net';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { RelayError } from '../core/errors.ts';
import type { Problem } from './readiness.ts';
import type { Status } from './status.ts';

/** What the server shows; asked at each request. */
export interface Shown {
  readonly contentType: string;
  metrics(): Promise<string>;
  /** Resolves when the journal answers (F2). */
  alive(): Promise<void>;
  /** What keeps the relay from being ready; nothing, when it is. */
  problems(): Promise<readonly Problem[]>;
  status(): Promise<Status>;
}

/** Where the server listens; the port is the one really taken when 0 was asked for. */
export interface ObserveServer {
  readonly port: number;
  /** `http://127.0.0.1:9464` */
  readonly origin: string;
  close(): Promise<void>;
}

/** A liveness answer later than this is no answer: the orchestrator should restart us. */
const ALIVE_MS = 5_000;

/**
 * `/metrics` for Prometheus; `/healthz` and `/readyz` for an orchestrator (F2); `/status` for everybody. Healthy means
 * that event loop and journal answer: a SIEM that is down is no reason to restart the relay. Ready means that it does
 * its work; when it does not, the body says why, in a line for each reason, or in JSON for who accepts that.
 */
export async function openServer(
  listen: { host: string; port: number },
  shown: Shown,
): Promise<ObserveServer> {
  const app = new Hono();
  app.get('/metrics', async (context) => {
    return context.body(await shown.metrics(), 200, { 'Content-Type': shown.contentType });
  });
  app.get('/healthz', async (context) => {
    try {
      await Promise.race([shown.alive(), late()]);
      return context.json({ healthy: true });
    } catch (error) {
      return context.json(
        { healthy: false, reason: error instanceof Error ? error.message : String(error) },
        503,
      );
    }
  });
  app.get('/readyz', async (context) => {
    const problems = await shown.problems();
    const ready = problems.length === 0;
    const code = ready ? 200 : 503;
    context.header('Cache-Control', 'no-store');
    if (context.req.header('Accept')?.includes('application/json'))
      return context.json({ ready, problems }, code);
    const lines = ready ? ['ready'] : problems.map(({ message }) => message);
    return context.text(`${lines.join('\n')}\n`, code);
  });
  app.get('/status', async (context) => {
    context.header('Cache-Control', 'no-store');
    return context.json(await shown.status());
  });
  const host = isIPv6(listen.host) ? `[${listen.host}]` : listen.host;
  return await new Promise((resolve, reject) => {
    const server = serve({ fetch: app.fetch, hostname: listen.host, port: listen.port }, ({ port }) => {
      resolve({ port, origin: `http://${host}:${port}`, close: () => close(server) });
    });
    server.on('error', (cause: NodeJS.ErrnoException) => {
      const what =
        cause.code === 'EADDRINUSE'
          ? 'the address is in use: is another relay running here?'
          : `${cause.message}.`;
      reject(
        new RelayError(
          `server.listen ${host}:${listen.port}: ${what} Choose another with server.listen, or "off".`,
          { cause },
        ),
      );
    });
  });
}

function late(): Promise<never> {
  return new Promise((_, reject) => {
    setTimeout(reject, ALIVE_MS, new Error('the journal does not answer')).unref();
  });
}

function close(server: ReturnType<typeof serve>): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    // Idle keep-alive connections (a scraper's) would hold the process.
    if ('closeAllConnections' in server) server.closeAllConnections();
  });
}
