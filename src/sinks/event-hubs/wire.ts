import { request } from 'node:http';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { WebSocket } from 'ws';
import { UnavailableError, type UnavailableReason } from '../../core/errors.ts';
import { bracketed } from '../../lib/host.ts';
import type { Secret } from '../../lib/secret.ts';
import { abortError } from '../../lib/wait.ts';
import { codeOf, explainCode } from '../../net/http.ts';
import type { TlsClient } from '../../net/tls.ts';

/** Where to, and how. */
export interface Route {
  readonly host: string;
  readonly port: number;
  /** Without: no TLS, as with the emulator. */
  readonly tls: TlsClient | undefined;
  /** AMQP inside WebSockets. */
  readonly webSockets: boolean;
  readonly proxy: Proxy | undefined;
  /** Bounds all of it, milliseconds. */
  readonly timeoutMs: number;
}

export interface Proxy {
  readonly origin: string;
  readonly login?: { readonly user: string; readonly password: Secret } | undefined;
}

/** An open connection that carries bytes. */
export interface Wire {
  write(bytes: Uint8Array): void;
  /** To be called once, before anything is written. */
  listen(onBytes: (bytes: Buffer) => void, onEnd: () => void): void;
  /** Ends it in good order. */
  end(): void;
  /** Ends it at once. */
  destroy(): void;
}

const KEEP_ALIVE_MS = 60_000;
const NO_WEBSOCKETS = 'what answers there does not speak WebSockets as Event Hubs does';

/**
 * Connects, TLS and WebSocket included. The SDK is given what is open already: by itself it has no way to be told of a
 * CA or a proxy, waits a minute for a peer that says nothing, and hides why it could not connect.
 *
 * @throws {UnavailableError}
 * @throws AbortError at the signal
 */
export function openWire(route: Route, signal: AbortSignal): Promise<Wire> {
  const { host, port, timeoutMs } = route;
  const name = `${bracketed(host)}:${port}`;
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(abortError(signal));
    const opened: { destroy(): void }[] = [];
    let step = 'TCP';
    const settle = (error?: Error) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      if (!error) return;
      // Not at once: Node's HTTP, which may be what tells of the error, would free its parser twice, and two later
      // requests of anybody's would share it.
      setImmediate(() => {
        for (const one of opened) one.destroy();
      });
      reject(error);
    };
    const fail = (why: string, reason: UnavailableReason) =>
      settle(new UnavailableError(`connecting to ${name} failed: ${why}`, { reason }));
    const failBy = (cause: unknown) => {
      const meaning = route.tls?.explain(cause);
      if (meaning !== undefined) return fail(meaning, 'auth');
      fail(explainCode(codeOf(cause)), 'network');
    };
    const onAbort = () => settle(abortError(signal));
    const timer = setTimeout(() => {
      const hint = route.webSockets
        ? ''
        : '. Does a firewall let it through? Where only HTTPS is let through: transport: websockets';
      fail(`no answer (${step}) within ${timeoutMs} ms${hint}`, 'timeout');
    }, timeoutMs);
    signal.addEventListener('abort', onAbort, { once: true });

    const done = (wire: Wire) => {
      settle();
      resolve(wire);
    };
    const speak = (socket: Socket) => {
      if (!route.webSockets) return done(overSocket(socket));
      step = 'WebSocket';
      const webSocket = new WebSocket(`ws://${name}/$servicebus/websocket`, 'AMQPWSB10', {
        createConnection: () => socket,
        perMessageDeflate: false,
      });
      opened.push({ destroy: () => webSocket.terminate() });
      // Stays for life: an error that nobody hears would end the process.
      webSocket.on('error', () => fail(NO_WEBSOCKETS, 'network'));
      webSocket.once('open', () => done(overWebSocket(webSocket)));
    };
    const secure = (socket: Socket) => {
      const { tls } = route;
      if (!tls) return speak(socket);
      step = 'TLS';
      const secured = connectTls({ servername: serverNameOf(host), ...tls.options(host), socket });
      opened.push(secured);
      secured.on('error', failBy);
      secured.once('close', () =>
        fail(step === 'TLS' ? 'it broke off the TLS handshake' : NO_WEBSOCKETS, 'network'),
      );
      secured.once('secureConnect', () => {
        const distrust = tls.distrust(secured);
        if (distrust !== undefined) fail(distrust, 'auth');
        else speak(secured);
      });
    };
    // What the TLS files lack is told as what `tls.options` throws.
    const attempt = (run: () => void) => {
      try {
        run();
      } catch (error) {
        settle(error as Error);
      }
    };
    if (route.proxy) {
      const { origin } = route.proxy;
      step = `proxy ${origin}`;
      const asked = request(origin, {
        method: 'CONNECT',
        path: name,
        headers: { host: name, ...loginOf(route.proxy) },
      });
      opened.push(asked);
      asked.on('error', (cause) => fail(`proxy ${origin}: ${explainCode(codeOf(cause))}`, 'network'));
      asked.once('response', ({ statusCode }) => refusedBy(origin, statusCode, fail));
      asked.once('connect', ({ statusCode }, socket) => {
        opened.push(socket);
        socket.on('error', failBy);
        if (statusCode === 200) attempt(() => secure(socket as Socket));
        else refusedBy(origin, statusCode, fail);
      });
      asked.end();
      return;
    }
    const socket = connectTcp({
      host,
      port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
      autoSelectFamilyAttemptTimeout: Math.max(250, Math.floor(timeoutMs / 4)),
    });
    opened.push(socket);
    socket.on('error', failBy);
    socket.once('connect', () => attempt(() => secure(socket)));
  });
}

/** A name that may be asked for by SNI: an address may not. */
function serverNameOf(host: string): string {
  return /^[\d.]+$|:/.test(host) ? '' : host;
}

function loginOf({ login }: Proxy) {
  if (!login) return {};
  const text = Buffer.from(`${login.user}:${login.password.reveal()}`).toString('base64');
  return { 'proxy-authorization': `Basic ${text}` };
}

function refusedBy(
  proxy: string,
  status: number | undefined,
  fail: (why: string, reason: UnavailableReason) => void,
) {
  const login =
    status === 407 ? '; check proxyLogin' : '; ask those who run it to let this host and port through';
  fail(`proxy ${proxy} does not let us through (${status})${login}`, 'network');
}

function overSocket(socket: Socket): Wire {
  return {
    write: (bytes) => void socket.write(bytes),
    listen(onBytes, onEnd) {
      socket.on('data', onBytes);
      socket.once('end', onEnd);
      socket.once('close', onEnd);
    },
    end: () => void socket.end(),
    destroy: () => void socket.destroy(),
  };
}

function overWebSocket(webSocket: WebSocket): Wire {
  return {
    write: (bytes) => webSocket.send(bytes, () => {}),
    listen(onBytes, onEnd) {
      webSocket.on('message', (data) => onBytes(data as Buffer));
      webSocket.once('close', onEnd);
    },
    end: () => webSocket.close(),
    destroy: () => webSocket.terminate(),
  };
}
