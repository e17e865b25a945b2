import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { RelayError } from '../core/errors.ts';

/** What the server shows; asked at each request. */
export interface Shown {
  readonly contentType: string;
  metrics(): Promise<string>;
  /** Resolves when the journal answers (F2). */
  alive(): Promise<void>;
}

/** Where the server listens; the port is the one really taken when 0 was asked for. */
export interface ObserveServer {
  readonly port: number;
  close(): Promise<void>;
}

/** A liveness answer later than this is no answer: the orchestrator should restart us. */
const ALIVE_MS = 5_000;

/**
 * `/metrics` for Prometheus and `/healthz` for an orchestrator: 200 when event loop and journal answer (F2).
 * A SIEM that is down is no reason to restart the relay, so it is not part of it.
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
  return await new Promise((resolve, reject) => {
    const server = serve({ fetch: app.fetch, hostname: listen.host, port: listen.port }, ({ port }) => {
      resolve({ port, close: () => close(server) });
    });
    server.on('error', (cause: NodeJS.ErrnoException) => {
      const what =
        cause.code === 'EADDRINUSE'
          ? 'the address is in use: is another relay running here?'
          : `${cause.message}.`;
      reject(
        new RelayError(
          `server.listen ${listen.host}:${listen.port}: ${what} Choose another with server.listen, or "off".`,
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
