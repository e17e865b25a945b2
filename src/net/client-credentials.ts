import { UnavailableError } from '../core/errors.ts';
import type { Secret } from '../lib/secret.ts';
import type { HttpClient } from './client.ts';
import { foreignText } from './foreign.ts';
import { type HttpAnswer, httpDateMs, retryAfterMs } from './http.ts';

export interface ClientCredentialsSettings {
  readonly tokenUrl: string;
  readonly clientId: string;
  readonly clientSecret: Secret;
  readonly scope?: string | undefined;
  readonly audience?: string | undefined;
  /** Where id and secret stand: in the header (RFC 6749, section 2.3.1), or in the body. */
  readonly login: 'basic' | 'body';
}

/** Of a token that does not say how long it lives. */
const DEFAULT_LIFE_S = 300;
/** A token is given up so long before its end, or a tenth of its life if that is shorter. */
const EARLY_MS = 60_000;
const MAX_ANSWER_BYTES = 65_536;

/** Tokens by OAuth2 client credentials: one is kept until shortly before it expires, and asked for by one at a time. */
export class ClientCredentials {
  readonly #settings: ClientCredentialsSettings;
  readonly #client: HttpClient;
  readonly #timeoutMs: number;
  readonly #clock: () => number;
  #token: { readonly text: string; readonly untilMs: number } | undefined;
  #asking: Promise<string> | undefined;
  #life = new AbortController();

  /** @param clock milliseconds, only ever going forward */
  constructor(
    settings: ClientCredentialsSettings,
    client: HttpClient,
    timeoutMs: number,
    clock: () => number = () => performance.now(),
  ) {
    this.#settings = settings;
    this.#client = client;
    this.#timeoutMs = timeoutMs;
    this.#clock = clock;
  }

  /** What must not be told, as far as it is not in the config: tokens. */
  get secrets(): readonly string[] {
    return this.#token ? [this.#token.text] : [];
  }

  /**
   * @param refused the token that the far end did not take: another one is wanted
   * @throws {UnavailableError} there is none
   */
  async token(refused?: string): Promise<string> {
    if (this.#token && (this.#token.text === refused || this.#clock() >= this.#token.untilMs))
      this.#token = undefined;
    if (this.#token) return this.#token.text;
    if (!this.#asking) {
      const asking = this.#ask(refused !== undefined).finally(() => {
        if (this.#asking === asking) this.#asking = undefined;
      });
      // Who asked for it may have gone, and then nobody hears that it failed.
      asking.catch(() => {});
      this.#asking = asking;
    }
    return await this.#asking;
  }

  /** Gives up what is being asked for. */
  close(): void {
    this.#life.abort();
    this.#life = new AbortController();
    this.#asking = undefined;
  }

  async #ask(anew: boolean): Promise<string> {
    const { tokenUrl, clientId, clientSecret, scope, audience, login } = this.#settings;
    if (anew) clientSecret.look();
    const secret = clientSecret.reveal();
    const form = new URLSearchParams({ grant_type: 'client_credentials' });
    if (scope !== undefined) form.set('scope', scope);
    if (audience !== undefined) form.set('audience', audience);
    if (login === 'body') {
      form.set('client_id', clientId);
      form.set('client_secret', secret);
    }
    const pair = Buffer.from(`${encoded(clientId)}:${encoded(secret)}`).toString('base64');
    const answer = await this.#client.ask({
      url: tokenUrl,
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        accept: 'application/json',
        'user-agent': 'defender-relay',
        ...(login === 'basic' && { authorization: `Basic ${pair}` }),
      },
      body: Buffer.from(form.toString()),
      maxBytes: MAX_ANSWER_BYTES,
      timeoutMs: this.#timeoutMs,
      signal: this.#life.signal,
      name: this.#name,
    });
    const { text, lifeS } = this.#read(answer, [secret, pair, ...this.#client.secrets]);
    const lifeMs = lifeS * 1000;
    this.#token = { text, untilMs: this.#clock() + lifeMs - Math.min(EARLY_MS, lifeMs / 10) };
    return text;
  }

  /** The token server in the words of a message. */
  get #name(): string {
    return `${new URL(this.#settings.tokenUrl).host} (auth.tokenUrl)`;
  }

  #read(answer: HttpAnswer, secrets: readonly string[]): { text: string; lifeS: number } {
    const { status } = answer;
    const where = this.#name;
    const body = parsed(answer.text);
    if (status === 429 || status >= 500) {
      const serverMs = httpDateMs(answer.header('date')) ?? Date.now();
      throw new UnavailableError(`${where} answers HTTP ${status}`, {
        reason: status === 429 ? 'throttled' : 'server',
        retryAfterMs: retryAfterMs(answer.header('retry-after'), serverMs),
      });
    }
    if (status === 200 && typeof body.access_token === 'string' && body.access_token !== '') {
      const life = Number(body.expires_in);
      return { text: body.access_token, lifeS: life > 0 ? life : DEFAULT_LIFE_S };
    }
    const said = foreignText(
      [body.error, body.error_description].filter((one) => typeof one === 'string').join(': '),
      secrets,
    );
    if (status === 400 || status === 401 || status === 403) {
      const message = `${where} gives no token (HTTP ${status}): check auth.clientId, auth.clientSecret and auth.scope`;
      throw new UnavailableError(said ? `${message}. It says: ${said}` : message, { reason: 'auth' });
    }
    throw new UnavailableError(
      `${where} answers HTTP ${status} with something that is no token: check auth.tokenUrl`,
      { reason: 'config' },
    );
  }
}

/** As in a form. */
function encoded(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1);
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
