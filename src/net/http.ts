import {
  type Agent,
  type ClientRequest,
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Readable } from 'node:stream';
import { UnavailableError } from '../core/errors.ts';
import { abortError } from '../lib/wait.ts';

/** Bounds of one exchange, milliseconds from its start. */
export interface HttpTimeouts {
  /** Name, TCP and TLS. */
  readonly connectMs: number;
  /** Until the head of the answer is there. */
  readonly firstByteMs: number;
  /** Until the last byte of its body is there, however steadily it trickles. */
  readonly wholeMs: number;
}

export const defaultTimeouts: HttpTimeouts = { connectMs: 10_000, firstByteMs: 30_000, wholeMs: 120_000 };

export interface HttpRequest {
  readonly url: string;
  /** Left out: `GET`. */
  readonly method?: 'POST' | 'PUT';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  /** Connections (kept alive), CA certificates. */
  readonly agent: Agent;
  /** The far end in the words of a message; left out: its host and path. */
  readonly name?: string;
  /** The proxy that may be on the way, in the words of a message. */
  readonly via?: string | undefined;
  /** Most bytes of the body, after decompression. */
  readonly maxBytes: number;
  /** `cut`: of a longer one the beginning is enough. Left out: it is an error. */
  readonly excess?: 'cut';
  /** What takes the body as it comes; made anew for each try. Left out: it is collected. */
  readonly reader?: () => BodyReader;
  /** What an error of the connection means, where the asker knows more of it. */
  readonly explain?: (cause: unknown) => UnavailableError | undefined;
  readonly timeouts: HttpTimeouts;
  readonly signal: AbortSignal;
}

/** Takes a body as it comes. */
export interface BodyReader {
  push(chunk: Buffer): void;
  /** All that has come. */
  text(): string;
}

class Collected implements BodyReader {
  readonly #chunks: Buffer[] = [];
  #text: string | undefined;

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
  }

  text(): string {
    this.#text ??= Buffer.concat(this.#chunks.splice(0)).toString('utf8');
    return this.#text;
  }
}

/** A whole answer, whatever its status says; redirects are not followed. */
export interface HttpAnswer {
  readonly status: number;
  /** A gzip stream that stops early comes as a shorter text (axios is lenient): JSON shows its own end. */
  readonly text: string;
  /** It was there before the request had been sent to its end: whoever answers so has not read all of it. */
  readonly isEarly: boolean;
  /** By its name in lower case; `undefined` when it was not sent. */
  header(name: string): string | undefined;
}

/** The answer is larger than allowed: ask for less. */
export class TooLargeError extends UnavailableError {
  override name = 'TooLargeError';
}

/**
 * One request over HTTPS, or HTTP where the URL says so. No error has the request, its headers or axios' own error as a cause: those carry the token.
 *
 * @throws {TooLargeError} the body has more than `maxBytes`
 * @throws {UnavailableError} `network`, `timeout`, or `answer` for one that was cut off
 * @throws AbortError at the signal
 */
export async function exchange(asked: HttpRequest): Promise<HttpAnswer> {
  const first = new Exchange(asked);
  try {
    return await first.answer();
  } catch (error) {
    // The server closed an idle connection just as it was used again. Nobody's fault, and once more is enough.
    if (!first.wasStale || asked.signal.aborted) throw error;
    return await new Exchange(asked).answer();
  }
}

class Exchange {
  readonly #asked: HttpRequest;
  /** Where it goes, without the query: that may be long, and is nobody's business. */
  readonly #target: string;
  readonly #overdue = new AbortController();
  readonly #timers: NodeJS.Timeout[] = [];
  #request: ClientRequest | undefined;
  #isSent = false;
  #body: Readable | undefined;
  #failureCode: string | undefined;
  /** As Node told it. */
  #cause: unknown;

  constructor(asked: HttpRequest) {
    this.#asked = asked;
    const { host, pathname } = new URL(asked.url);
    this.#target = asked.name ?? `${host}${pathname}`;
  }

  get #via(): string {
    return this.#asked.via === undefined ? '' : ` (${this.#asked.via})`;
  }

  get wasStale(): boolean {
    return this.#request?.reusedSocket === true && this.#failureCode === 'ECONNRESET' && !this.#body;
  }

  async answer(): Promise<HttpAnswer> {
    const { url, method = 'GET', headers, body, timeouts, signal } = this.#asked;
    // Loaded with the first request: who makes none must not wait for it.
    const { default: axios } = await import('axios');
    this.#limit(timeouts.wholeMs, 'no whole answer');
    const firstByte = this.#limit(timeouts.firstByteMs, 'no answer');
    try {
      const response = await axios.request<Readable>({
        method,
        url,
        headers,
        ...(body && { data: body }),
        transport: { request: this.#open },
        // The agent is the one place that knows about proxies. `#open` puts it in: of one that axios is given together
        // with this, it takes the proxy away.
        proxy: false,
        maxRedirects: 0,
        // As a stream, so that the head and the body have time-outs of their own, and the size is bounded as it comes.
        responseType: 'stream',
        decompress: true,
        validateStatus: () => true,
        signal: AbortSignal.any([signal, this.#overdue.signal]),
      });
      clearTimeout(firstByte);
      this.#body = response.data;
      const taken = await this.#read(response.data);
      const isEarly = !this.#isSent;
      // Nobody wants the rest any more; left alone it would wait, with its connection, for whom it was meant for.
      if (isEarly) this.#request?.destroy();
      const known = response.headers;
      return {
        status: response.status,
        isEarly,
        get text() {
          return taken.text();
        },
        header: (name) => headerText(known[name]),
      };
    } catch (error) {
      throw this.#failure(error);
    } finally {
      for (const timer of this.#timers) clearTimeout(timer);
    }
  }

  /** What axios calls to send: the only place where the connection can be seen. */
  readonly #open = (
    options: RequestOptions,
    onResponse: (message: IncomingMessage) => void,
  ): ClientRequest => {
    const isSecure = options.protocol === 'https:';
    const send = isSecure ? httpsRequest : httpRequest;
    const request = send({ ...options, agent: this.#asked.agent }, onResponse);
    const timer = this.#limit(this.#asked.timeouts.connectMs, 'no connection');
    request.once('socket', (socket) => {
      if (socket.connecting) socket.once(isSecure ? 'secureConnect' : 'connect', () => clearTimeout(timer));
      else clearTimeout(timer);
    });
    request.once('finish', () => {
      this.#isSent = true;
    });
    request.once('error', (cause) => {
      this.#cause = cause;
    });
    this.#request = request;
    return request;
  };

  #limit(ms: number, what: string): NodeJS.Timeout {
    const overdue = () =>
      this.#overdue.abort(
        new UnavailableError(`${this.#target}${this.#via}: ${what} within ${ms / 1000} s`, {
          reason: 'timeout',
        }),
      );
    const timer = setTimeout(overdue, ms);
    this.#timers.push(timer);
    return timer;
  }

  async #read(body: Readable): Promise<BodyReader> {
    const { maxBytes, excess, reader } = this.#asked;
    const taken = reader?.() ?? new Collected();
    let bytes = 0;
    // Leaving the loop by an error destroys the stream, and with it the connection.
    for await (const chunk of body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > maxBytes && excess !== 'cut') {
        throw new TooLargeError(`${this.#target}: the answer has more than ${maxBytes} bytes`, {
          reason: 'answer',
        });
      }
      taken.push(bytes > maxBytes ? chunk.subarray(0, chunk.length - (bytes - maxBytes)) : chunk);
      if (bytes > maxBytes) break;
    }
    return taken;
  }

  #failure(error: unknown): Error {
    const { signal } = this.#asked;
    if (signal.aborted) return abortError(signal);
    if (this.#overdue.signal.aborted) return this.#overdue.signal.reason as Error;
    if (error instanceof UnavailableError) return error;
    if (this.#cause instanceof UnavailableError) return this.#cause;
    this.#failureCode = codeOf(error);
    if (this.#body) {
      const message = `${this.#target}: the answer was cut off or is damaged (${this.#failureCode})`;
      return new UnavailableError(message, { reason: 'answer' });
    }
    const explained = this.#asked.explain?.(this.#cause ?? error);
    if (explained) return explained;
    const message = `${this.#target} cannot be reached${this.#via}: ${explainCode(this.#failureCode)}`;
    return new UnavailableError(message, { reason: 'network' });
  }
}

function headerText(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  return Array.isArray(value) ? value.join(', ') : String(value);
}

/** Node's code of a failure, such as `ECONNREFUSED`. */
export function codeOf(error: unknown): string {
  const code = error instanceof Error ? (error as { code?: unknown }).code : undefined;
  return typeof code === 'string' ? code : 'unknown error';
}

const UNKNOWN_CA =
  'its certificate comes from a CA that is not trusted here; give the CA’s file as `ca` of the tenant';

const NO_HTTP =
  'what answers there does not speak HTTP. Is it the right port, and does http:// or https:// stand before it?';

const codeMeanings: Readonly<Record<string, string>> = {
  ENOTFOUND: 'the name is not known; check DNS and the spelling',
  EAI_AGAIN: 'DNS does not answer',
  ECONNREFUSED: 'the connection was refused; check host, port and firewall',
  ECONNRESET: 'the connection was reset; a firewall or proxy may have cut it',
  EHOSTUNREACH: 'there is no route; check the network and firewall',
  ENETUNREACH: 'there is no route; check the network',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_CA,
  CERT_SIGNATURE_FAILURE: UNKNOWN_CA,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_CA,
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_CA,
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_CA,
  DEPTH_ZERO_SELF_SIGNED_CERT: UNKNOWN_CA,
  ERR_PROXY_TUNNEL:
    'the proxy does not let us through; check its address, proxyLogin, and whether it allows this host',
  HPE_HEADER_OVERFLOW: 'the headers of its answer are too long',
  CERT_HAS_EXPIRED: 'its certificate has expired (or the clock here is wrong)',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet (or the clock here is wrong)',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
};

/** A code with what it means, where that is known. */
export function explainCode(code: string): string {
  const meaning = codeMeanings[code] ?? (code.startsWith('HPE_') ? NO_HTTP : undefined);
  return meaning ? `${code}, ${meaning}` : code;
}

/** No server is obeyed longer than this. */
const LONGEST_RETRY_AFTER_MS = 3_600_000;

/**
 * Milliseconds that a `Retry-After` asks for, at most an hour; `undefined` when there is none, it says nothing, or
 * its time has passed. A date is taken against the server's own clock where that is known.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3
 */
export function retryAfterMs(header: string | undefined, serverMs: number): number | undefined {
  if (header === undefined) return undefined;
  const ms = /^\s*\d+(\.\d+)?\s*$/.test(header) ? Number(header) * 1000 : Date.parse(header) - serverMs;
  return ms > 0 ? Math.min(ms, LONGEST_RETRY_AFTER_MS) : undefined;
}

/** Milliseconds since 1970 of an HTTP date, or `undefined`. */
export function httpDateMs(header: string | undefined): number | undefined {
  const ms = Date.parse(header ?? '');
  return Number.isNaN(ms) ? undefined : ms;
}
