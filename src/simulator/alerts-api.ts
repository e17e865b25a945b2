import { type Answer, badRequest, GraphError, json } from './answer.ts';
import { parseQuery } from './query.ts';
import type { Random } from './random.ts';
import { Renderer } from './render.ts';
import type { AlertRevision } from './revision.ts';
import type { AlertStore } from './store.ts';

const PATH = '/v1.0/security/alerts_v2';

/** Alerts on a page when `$top` is not given. Graph's own number is not documented. */
const DEFAULT_TOP = 100;

/** The rest of a reading that a next link stands for. */
interface Rest {
  /** All that the first request found: the reading stays as it began. */
  readonly found: readonly AlertRevision[];
  readonly at: number;
  readonly top: number;
  readonly count: boolean;
  readonly expiresMs: number;
}

/** `GET /security/alerts_v2` and `/security/alerts_v2/{id}`. */
export class AlertsApi {
  readonly #store: AlertStore;
  readonly #random: Random;
  readonly #nextLinkMs: number;
  readonly #renderer = new Renderer();
  /** By skip token, oldest first. */
  readonly #rests = new Map<string, Rest>();

  constructor(store: AlertStore, options: { random: Random; nextLinkMs: number }) {
    this.#store = store;
    this.#random = options.random;
    this.#nextLinkMs = options.nextLinkMs;
  }

  /**
   * A page, newest first.
   *
   * @throws {GraphError} 400 for what Graph refuses, 410 for a next link that is too old
   */
  list(url: URL, allMembers: boolean, nowMs: number): Answer {
    const query = parseQuery(url.searchParams);
    const rest: Rest =
      query.skipToken === undefined
        ? {
            found: this.#store.find(query.filter),
            at: query.skip,
            top: query.top ?? DEFAULT_TOP,
            count: query.count,
            expiresMs: nowMs + this.#nextLinkMs,
          }
        : this.#resume(query.skipToken, nowMs);
    const end = rest.at + rest.top;
    const alerts = rest.found.slice(rest.at, end);
    const head = {
      '@odata.context': `${url.origin}/v1.0/$metadata#security/alerts_v2`,
      ...(rest.count && { '@odata.count': rest.found.length }),
      ...(end < rest.found.length && { '@odata.nextLink': this.#nextLink(url, { ...rest, at: end }, nowMs) }),
    };
    // The alerts are JSON already; to parse them only for writing them again would cost most of the time.
    const texts = alerts.map((alert) => this.#renderer.text(alert, allMembers));
    return { ...json(200, `${JSON.stringify(head).slice(0, -1)},"value":[${texts.join(',')}]}`), alerts };
  }

  /** @throws {GraphError} 404 */
  get(id: string, origin: string, allMembers: boolean): Answer {
    const alert = this.#store.get(id);
    if (!alert) throw new GraphError(404, 'ResourceNotFound', 'Alert not found.');
    const head = { '@odata.context': `${origin}/v1.0/$metadata#security/alerts_v2/$entity` };
    const text = this.#renderer.text(alert, allMembers);
    return { ...json(200, `${JSON.stringify(head).slice(0, -1)},${text.slice(1)}`), alerts: [alert] };
  }

  #resume(skipToken: string, nowMs: number): Rest {
    const rest = this.#rests.get(skipToken);
    if (!rest) throw badRequest('Skip token is invalid.');
    if (rest.expiresMs > nowMs) return rest;
    throw new GraphError(410, 'Gone', 'The skip token has expired. Start the reading again.');
  }

  #nextLink(url: URL, rest: Rest, nowMs: number): string {
    const skipToken = this.#random.hex(32);
    for (const [token, { expiresMs }] of this.#rests) {
      // Kept as long again, so that 410 can be told from 400.
      if (expiresMs + this.#nextLinkMs > nowMs) break;
      this.#rests.delete(token);
    }
    this.#rests.set(skipToken, { ...rest, expiresMs: nowMs + this.#nextLinkMs });
    const parameters = new URLSearchParams(url.searchParams);
    parameters.delete('$skip');
    parameters.set('$skiptoken', skipToken);
    // Graph leaves the dollar signs as they are.
    return `${url.origin}${PATH}?${String(parameters).replaceAll('%24', '$')}`;
  }
}
