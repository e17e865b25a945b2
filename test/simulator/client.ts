import { Agent, type RequestOptions, request } from 'node:https';
import type { Simulator } from '../../src/simulator/index.ts';

/** What came back, as far as it came. */
export interface Received {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

export interface AlertBody {
  readonly id: string;
  readonly lastUpdateDateTime: string;
  readonly [property: string]: unknown;
}

export interface Page {
  readonly '@odata.context': string;
  readonly '@odata.count'?: number;
  readonly '@odata.nextLink'?: string;
  readonly value: readonly AlertBody[];
}

export const ALERTS = '/v1.0/security/alerts_v2';
const PREFER = { Prefer: 'include-unknown-enum-members' };

/** A plain HTTPS client that trusts the simulator's CA and shares nothing with the relay. */
export class Client {
  readonly #simulator: Simulator;
  readonly #agent: Agent;
  #token = '';

  constructor(simulator: Simulator) {
    this.#simulator = simulator;
    this.#agent = new Agent({ ca: simulator.caPem, keepAlive: true });
  }

  /** @throws with `code` ECONNRESET when the answer does not come whole */
  send(path: string, options: RequestOptions = {}, body?: string): Promise<Received> {
    return new Promise((resolve, reject) => {
      const url = new URL(path, this.#simulator.url);
      const outgoing = request(url, { ...options, agent: this.#agent }, (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('error', reject);
        incoming.on('end', () => {
          const { statusCode = 0, headers } = incoming;
          resolve({ status: statusCode, headers, body: Buffer.concat(chunks).toString() });
        });
      });
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }

  /** Asks for a token; what is given here takes the place of what is right. */
  askToken(
    wrong: { tenant?: string; form?: Readonly<Record<string, string | undefined>> } = {},
    signal?: AbortSignal,
  ) {
    const { url, tenantId, clientId, clientSecret } = this.#simulator;
    const right = {
      grant_type: 'client_credentials',
      client_id: clientId,
      client_secret: clientSecret,
      scope: `${url}/.default`,
    };
    const form = Object.entries({ ...right, ...wrong.form }).filter(([, value]) => value !== undefined);
    const path = `/${wrong.tenant ?? tenantId}/oauth2/v2.0/token`;
    return this.send(
      path,
      { method: 'POST', signal },
      String(new URLSearchParams(form as [string, string][])),
    );
  }

  /** Takes a token for all that follows, and gives it. */
  async signIn(): Promise<string> {
    const answer = JSON.parse((await this.askToken()).body) as { access_token: string };
    this.#token = answer.access_token;
    return this.#token;
  }

  get(
    path: string,
    headers: Readonly<Record<string, string>> = PREFER,
    signal?: AbortSignal,
  ): Promise<Received> {
    return this.send(path, { headers: { Authorization: `Bearer ${this.#token}`, ...headers }, signal });
  }

  async page(path: string): Promise<Page> {
    return JSON.parse((await this.get(path)).body) as Page;
  }

  /** All pages from `path` on. */
  async read(path: string): Promise<AlertBody[]> {
    const page = await this.page(path);
    const next = page['@odata.nextLink'];
    return next === undefined ? [...page.value] : [...page.value, ...(await this.read(next))];
  }

  close(): void {
    this.#agent.destroy();
  }
}
