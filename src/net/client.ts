import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { UnavailableError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { type Environment, type ProxySettings, proxyEnvOf, retire, viaOf } from './agent.ts';
import { codeOf, exchange, explainCode, type HttpAnswer } from './http.ts';
import { TlsClient, type TlsSettings } from './tls.ts';

export interface ClientOptions extends ProxySettings {
  readonly tls: TlsSettings;
  /** Where `tls` stands in the config, for messages; left out: `tls`. */
  readonly place?: string;
  readonly log: Log;
  readonly env?: Environment;
}

export interface ClientRequest {
  readonly url: string;
  readonly method: 'POST' | 'PUT';
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** Of the answer the beginning is read, so many bytes. */
  readonly maxBytes: number;
  /** Bounds the whole exchange. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** The far end in the words of a message; left out: its host. */
  readonly name?: string;
}

interface Agents {
  readonly plain: HttpAgent;
  readonly secure: HttpsAgent;
  /** That they show at the proxy. */
  readonly password: string | undefined;
}

/** A connection takes longer only where nothing comes of it. */
const CONNECT_MS = 10_000;

/**
 * HTTP as a sink speaks it: TLS by its own settings, by a proxy if there is one, connections kept. Redirects are not
 * followed: what is sent would go, with its credentials, where nobody meant it to.
 */
export class HttpClient {
  readonly #options: ClientOptions;
  readonly #env: Environment;
  readonly #tls: TlsClient;
  /** The proxy in the words of a message. */
  readonly #via: string | undefined;
  #agents: Agents | undefined;

  /** @throws {UsageError} HTTPS_PROXY is no address */
  constructor(options: ClientOptions) {
    const { tls, log, place } = options;
    this.#options = options;
    this.#env = options.env ?? process.env;
    this.#tls = new TlsClient(tls, log, undefined, place);
    this.#via = viaOf(options, this.#env);
  }

  /** What a proxy is told, which it could tell others. */
  get secrets(): readonly string[] {
    const { proxyLogin } = this.#options;
    if (!proxyLogin) return [];
    const { user, password } = proxyLogin;
    return password.revealAll().flatMap((text) => [text, Buffer.from(`${user}:${text}`).toString('base64')]);
  }

  /**
   * @throws {UnavailableError} there is no answer
   * @throws AbortError at the signal
   */
  async ask({ url, timeoutMs, ...request }: ClientRequest): Promise<HttpAnswer> {
    const { host, protocol } = new URL(url);
    // A path can be as good as a password, as with webhooks.
    const { name = host } = request;
    checkHeaders(request.headers);
    const isSecure = protocol === 'https:';
    const isProxied = isSecure || this.#options.proxy !== undefined;
    const via = isProxied ? this.#via : undefined;
    const connectMs = Math.min(CONNECT_MS, timeoutMs);
    const { plain, secure } = this.#agentsNow();
    if (isSecure) this.#tls.remind();
    return await exchange({
      ...request,
      url,
      name,
      agent: isSecure ? secure : plain,
      via,
      excess: 'cut',
      timeouts: { connectMs, firstByteMs: timeoutMs, wholeMs: timeoutMs },
      explain: (cause) => this.#explain(name, via, cause),
    });
  }

  notes(): readonly string[] {
    return this.#tls.notes();
  }

  close(): void {
    this.#agents?.plain.destroy();
    this.#agents?.secure.destroy();
    this.#agents = undefined;
  }

  #explain(name: string, via: string | undefined, cause: unknown): UnavailableError {
    const meaning = this.#tls.explain(cause);
    if (meaning !== undefined)
      return new UnavailableError(`connecting to ${name} failed: ${meaning}`, { reason: 'auth' });
    const through = via === undefined ? '' : ` (${via})`;
    const message = `${name} cannot be reached${through}: ${explainCode(codeOf(cause))}`;
    return new UnavailableError(message, { reason: 'network' });
  }

  /** Others once the proxy's password has changed. */
  #agentsNow(): Agents {
    const { proxy, proxyLogin } = this.#options;
    const password = proxyLogin?.password.reveal();
    if (this.#agents && this.#agents.password !== password) {
      retire(this.#agents.plain);
      retire(this.#agents.secure);
      this.#agents = undefined;
    }
    if (this.#agents) return this.#agents;
    const proxyEnv = proxyEnvOf(this.#options, this.#env);
    // Of the environment's proxies none is for http:// here: HTTPS_PROXY says what it is for.
    const toPlain = proxy !== undefined && { proxyEnv: { HTTP_PROXY: proxyEnv.HTTPS_PROXY } };
    this.#agents = {
      plain: new HttpAgent({ keepAlive: true, ...toPlain }),
      secure: new TlsAgent(this.#tls, proxyEnv),
      password,
    };
    return this.#agents;
  }
}

/** axios would take out what may not stand there, and send another secret than is meant. */
function checkHeaders(headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) {
    if (/^[\t\x20-\x7e]*$/.test(value)) continue;
    const message = `the header ${name} has a character that is not ASCII, or a line break: check auth and headers`;
    throw new UnavailableError(message, { reason: 'config' });
  }
}

/** Gives out connections of which the far end is known to be trusted: before that not a byte is sent. */
class TlsAgent extends HttpsAgent {
  readonly #tls: TlsClient;

  constructor(tls: TlsClient, proxyEnv: ReturnType<typeof proxyEnvOf>) {
    // A session that is resumed shows no certificate.
    super({ keepAlive: true, proxyEnv, maxCachedSessions: 0 });
    this.#tls = tls;
  }

  override createConnection(
    options: Parameters<HttpsAgent['createConnection']>[0],
    done: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    // Of an error Node looks at nothing else.
    const fail = (error: Error) => done(error, undefined as unknown as Duplex);
    const connected = (error: Error | null, stream?: Duplex | null) => {
      if (error || !stream) return fail(error ?? new Error('no connection'));
      whenSecure(stream as TLSSocket, (failure) => {
        const why = failure ? undefined : this.#tls.distrust(stream as TLSSocket);
        if (!failure && why === undefined) return done(null, stream);
        stream.destroy();
        const message = `connecting to ${options.host} failed: ${why}`;
        fail(failure ?? new UnavailableError(message, { reason: 'auth' }));
      });
    };
    try {
      const own = this.#tls.options(String(options.host));
      const stream = super.createConnection({ ...options, ...own }, connected);
      if (stream) connected(null, stream);
    } catch (error) {
      // Its files cannot be used. Thrown from here it would end up nowhere.
      process.nextTick(fail, error as Error);
    }
  }
}

function whenSecure(stream: TLSSocket & { secureConnecting?: boolean }, done: (error?: Error) => void): void {
  if (stream.secureConnecting === false) {
    done();
    return;
  }
  const settle = (error?: Error) => {
    clearTimeout(timer);
    stream.off('secureConnect', onSecure).off('error', settle).off('close', onClose);
    // It may fail once more while it is torn down, and nobody else listens then.
    if (error) stream.on('error', () => {});
    done(error);
  };
  const onSecure = () => settle();
  const onClose = () => settle(Object.assign(new Error('closed'), { code: 'ECONNRESET' }));
  // The request has its own time-out; this one is for the connection that it leaves behind.
  const timer = setTimeout(() => stream.destroy(), CONNECT_MS);
  stream.once('secureConnect', onSecure).once('error', settle).once('close', onClose);
}
