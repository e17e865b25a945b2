import { type Answer, badRequest, GraphError, json } from './answer.ts';
import type { FaultSwitches } from './faults.ts';
import { windowOf } from './filter.ts';
import type { Poison } from './poison.ts';
import { type AlertsQuery, parseQuery } from './query.ts';
import type { Random } from './random.ts';
import { Renderer } from './render.ts';
import type { AlertRevision } from './revision.ts';
import type { AlertStore, Selection } from './store.ts';
import { PROVIDER_FAILED } from './transient.ts';
import type { Unrest } from './unrest.ts';

const PATH = '/v1.0/security/alerts_v2';

/** Alerts on a page when `$top` is not given. Graph's own number is not documented. */
const DEFAULT_TOP = 100;

/** Where Graph has been seen, or is said, to offer no further page (fault `skip-limit`). */
const SKIP_LIMITS = [500, 2_000];

/** What a next link stands for: no more than a place. What is there is looked up when somebody follows it. */
interface Bookmark {
  readonly at: number;
  readonly expiresMs: number;
}

export interface AlertsApiParts {
  readonly store: AlertStore;
  readonly faults: FaultSwitches;
  readonly unrest: Unrest;
  readonly poison: Poison;
  readonly random: Random;
  /** How long a next link is good. */
  readonly nextLinkMs: number;
  /** A larger `$top` is taken for this one. */
  readonly maxTop: number;
  /** Of the fault `skip-limit`; default: one of {@link SKIP_LIMITS} each time. */
  readonly skipLimit: number | undefined;
}

/** `GET /security/alerts_v2` and `/security/alerts_v2/{id}`. */
export class AlertsApi {
  readonly #parts: AlertsApiParts;
  readonly #renderer = new Renderer();
  /** By skip token, oldest first. */
  readonly #bookmarks = new Map<string, Bookmark>();

  constructor(parts: AlertsApiParts) {
    this.#parts = parts;
  }

  /**
   * A page of what matches at this moment. Pages are counted off from the beginning of the list, so what is raised
   * or changed between two of them moves the rows of the second.
   *
   * @throws {GraphError} 400 for what Graph refuses, 410 for a next link that is too old
   */
  list(url: URL, allMembers: boolean, nowMs: number): Answer {
    const { store, faults, poison, maxTop } = this.#parts;
    const query = parseQuery(url.searchParams);
    const at = this.#begin(query, nowMs);
    const found = store.find(query.filter);
    const end = at + Math.min(query.top ?? DEFAULT_TOP, maxTop);
    const alerts = found.slice(at, end);
    this.#choosePoison(found);
    poison.check(windowOf(query.filter), alerts);
    const count = query.count ? this.#tellCount(found.count) : undefined;
    const head = {
      '@odata.context': `${url.origin}/v1.0/$metadata#security/alerts_v2`,
      ...(count !== undefined && { '@odata.count': count }),
      ...(this.#offersMore(end, found.count) && { '@odata.nextLink': this.#nextLink(url, end, nowMs) }),
    };
    const page = (status: number, rows: readonly AlertRevision[], headers?: Record<string, string>) => {
      // The alerts are JSON already; to parse them only for writing them again would cost most of the time.
      const texts = rows.map((alert) => this.#renderer.text(alert, allMembers));
      return json(status, `${JSON.stringify(head).slice(0, -1)},"value":[${texts.join(',')}]}`, headers);
    };
    if (faults.hits('partial')) return page(206, this.#someOf(alerts), { Warning: PROVIDER_FAILED });
    return { ...page(200, alerts), alerts };
  }

  /** @throws {GraphError} 404, 500 */
  get(id: string, origin: string, allMembers: boolean): Answer {
    const { store, poison } = this.#parts;
    const alert = store.get(id);
    if (!alert) throw new GraphError(404, 'ResourceNotFound', 'Alert not found.');
    poison.check(windowOf(undefined), [alert]);
    const head = { '@odata.context': `${origin}/v1.0/$metadata#security/alerts_v2/$entity` };
    const text = this.#renderer.text(alert, allMembers);
    return { ...json(200, `${JSON.stringify(head).slice(0, -1)},${text.slice(1)}`), alerts: [alert] };
  }

  /** How many rows to pass over, once everything has moved that moves now. */
  #begin({ skipToken, skip, filter }: AlertsQuery, nowMs: number): number {
    const { unrest } = this.#parts;
    if (skipToken === undefined) {
      unrest.beforeReading(nowMs);
      return skip;
    }
    const { at } = this.#follow(skipToken, nowMs);
    unrest.betweenPages({ filter, at }, nowMs);
    return at;
  }

  #follow(skipToken: string, nowMs: number): Bookmark {
    const bookmark = this.#bookmarks.get(skipToken);
    if (!bookmark) throw badRequest('Skip token is invalid.');
    if (bookmark.expiresMs > nowMs) return bookmark;
    throw new GraphError(410, 'Gone', 'The skip token has expired. Start the reading again.');
  }

  #offersMore(end: number, count: number): boolean {
    if (end >= count) return false;
    const { faults, skipLimit, random } = this.#parts;
    return end < (skipLimit ?? random.pick(SKIP_LIMITS)) || !faults.hits('skip-limit');
  }

  #tellCount(count: number): number | undefined {
    const { faults, random } = this.#parts;
    if (!faults.hits('count-off')) return count;
    return random.pick([undefined, 0, Math.max(0, count - random.int(1, 5)), count + random.int(1, 5)]);
  }

  /** Never the newest of all: the request for one alert, whichever, has to go on working. */
  #choosePoison(found: Selection): void {
    const { store, faults, poison, random } = this.#parts;
    if (poison.revision !== undefined || faults.probability('poison-page') === 0 || found.count === 0) return;
    const index = random.int(0, found.count - 1);
    const [chosen] = found.slice(index, index + 1);
    const newest = store.all().at(-1);
    if (chosen?.revision === newest?.revision || !faults.hitsOnce('poison-page')) return;
    poison.set(chosen?.revision);
  }

  /** All but some, in their order; of one, none. */
  #someOf(alerts: readonly AlertRevision[]): AlertRevision[] {
    const { random } = this.#parts;
    const missing = random.int(0, Math.max(0, alerts.length - 1));
    return alerts.filter((_, index) => index !== missing && !random.chance(0.3));
  }

  #nextLink(url: URL, at: number, nowMs: number): string {
    const { random, nextLinkMs } = this.#parts;
    const skipToken = random.hex(32);
    for (const [token, { expiresMs }] of this.#bookmarks) {
      // Kept as long again, so that 410 can be told from 400.
      if (expiresMs + nextLinkMs > nowMs) break;
      this.#bookmarks.delete(token);
    }
    this.#bookmarks.set(skipToken, { at, expiresMs: nowMs + nextLinkMs });
    const parameters = new URLSearchParams(url.searchParams);
    parameters.delete('$skip');
    parameters.set('$skiptoken', skipToken);
    // Graph leaves the dollar signs as they are.
    return `${url.origin}${PATH}?${String(parameters).replaceAll('%24', '$')}`;
  }
}
