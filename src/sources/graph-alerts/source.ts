import { UnavailableError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { SourceRecord } from '../../core/record.ts';
import type { Page, Source } from '../../core/source.ts';
import { isoOfTicks, ticksOfMs } from '../../core/ticks.ts';
import type { Graph, GraphPage } from '../../net/graph.ts';
import { TooLargeError } from '../../net/http.ts';
import { alertRecord } from './map.ts';
import {
  type Checkpoint,
  type Depths,
  done,
  firstCheckpoint,
  firstProgress,
  floorOf,
  formatCheckpoint,
  nextReading,
  parseCheckpoint,
  progressed,
  type Reading,
} from './window.ts';

/** The settings of the source, as its schema gives them. */
export interface GraphAlertsSettings extends Depths {
  /** How far back the first start reads: milliseconds, or an ISO time. */
  readonly startFrom: number | string;
  readonly response: { readonly maxBytes: number };
}

export interface GraphAlertsParts {
  /** Configured name of the source. */
  readonly name: string;
  readonly graph: Graph;
  readonly log: Log;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

const ROLE = 'SecurityAlert.Read.All';
/** Alerts in a page, to begin with (K2). */
const TOP = 250;
/** Tries at one next link: it can expire, or lead to something broken, and a new reading gets a new one. */
const NEXT_LINK_ATTEMPTS = 5;
/** An alert this much later than the server's `Date` is not just fresh. */
const FUTURE_MS = 60_000;

/** Reads alerts by `lastUpdateDateTime`; what to ask for is decided in `window.ts`. */
export class GraphAlerts implements Source {
  readonly tenant: string;
  readonly #settings: GraphAlertsSettings;
  readonly #name: string;
  readonly #graph: Graph;
  readonly #log: Log;
  readonly #now: () => number;
  readonly #told = new Set<string>();
  /** Alerts to ask for in a page: halved when an answer is too large, doubled again after a whole reading. */
  #top = TOP;
  /** How far the server's clock is ahead of ours, milliseconds; 0 until it has answered. */
  #skewMs = 0;

  constructor(settings: GraphAlertsSettings, { name, graph, log, now }: GraphAlertsParts) {
    this.tenant = graph.tenant;
    this.#settings = settings;
    this.#name = name;
    this.#graph = graph;
    this.#log = log;
    this.#now = now;
  }

  async *read(stored: string | undefined, signal: AbortSignal): AsyncGenerator<Page> {
    let checkpoint: Checkpoint;
    if (stored === undefined) {
      checkpoint = await this.#begin(signal);
      // Kept before anything is read, so that a crash does not move the start.
      yield this.#page([], checkpoint, checkpoint);
    } else {
      checkpoint = this.#parse(stored);
    }
    yield* this.#readFrom(checkpoint, signal);
  }

  /** Nothing of its own: the tenant's Graph is closed by whoever opened it. */
  async close(): Promise<void> {}

  /** The checkpoint before the first reading ever; `startFrom` counts from the server's clock (R4). */
  async #begin(signal: AbortSignal): Promise<Checkpoint> {
    const { startFrom } = this.#settings;
    const { dateMs } = await this.#ask(this.#url('$top=1'), signal);
    const nowMs = dateMs ?? this.#now();
    const startMs = typeof startFrom === 'string' ? Date.parse(startFrom) : nowMs - startFrom;
    return firstCheckpoint(ticksOfMs(startMs), nowMs);
  }

  async *#readFrom(checkpoint: Checkpoint, signal: AbortSignal): AsyncGenerator<Page> {
    const reading = nextReading(checkpoint, this.#settings, this.#now() + this.#skewMs);
    let answer = await this.#askFirst(reading, signal);
    let progress = firstProgress(answer.dateMs);
    const links = new Set<string>();
    while (true) {
      const records = this.#records(answer, reading, progress.dateMs);
      for (const { revision } of records) progress = progressed(progress, revision);
      // Only a missing next link is the end: a page may be short or empty for reasons of Graph's own.
      if (answer.next === undefined) {
        yield this.#page(records, done(checkpoint, reading, progress, this.#settings), checkpoint);
        this.#top = Math.min(TOP, this.#top * 2);
        return;
      }
      // Until the last page is kept the old checkpoint holds: after a crash all is read again, and `seen` knows it.
      yield this.#page(records, checkpoint, checkpoint);
      answer = await this.#askNext(answer.next, links, signal);
    }
  }

  /** The first page of a reading, with fewer alerts when they are too large together. */
  async #askFirst({ from }: Reading, signal: AbortSignal): Promise<GraphPage> {
    // `ge`, never `gt`: several alerts may have the same time (trap G3). The journal drops what it knows.
    const filter = encodeURIComponent(`lastUpdateDateTime ge ${isoOfTicks(from)}`);
    while (true) {
      try {
        return await this.#ask(this.#url(`$filter=${filter}&$top=${this.#top}`), signal);
      } catch (error) {
        if (!(error instanceof TooLargeError)) throw error;
        this.#askForFewer(error);
      }
    }
  }

  async #askNext(link: string, links: Set<string>, signal: AbortSignal): Promise<GraphPage> {
    if (links.has(link)) {
      const message = `Graph gave the same next link twice, after ${links.size} pages; the reading begins again`;
      throw new UnavailableError(message, { reason: 'answer' });
    }
    links.add(link);
    try {
      return await this.#ask(link, signal, NEXT_LINK_ATTEMPTS);
    } catch (error) {
      // The size of its pages is part of the link.
      if (error instanceof TooLargeError) this.#askForFewer(error);
      throw error;
    }
  }

  async #ask(url: string, signal: AbortSignal, attempts?: number): Promise<GraphPage> {
    const { maxBytes } = this.#settings.response;
    const page = await this.#graph.page(url, { maxBytes, role: ROLE, signal, ...(attempts && { attempts }) });
    if (page.dateMs === undefined)
      this.#tellOnce({}, 'Graph’s answers have no Date; the watermark cannot move');
    else this.#skewMs = page.dateMs - this.#now();
    return page;
  }

  /** @throws {UnavailableError} there is nothing smaller to ask for */
  #askForFewer(error: TooLargeError): void {
    const { maxBytes } = this.#settings.response;
    if (this.#top === 1) {
      const message = `one alert alone is larger than response.maxBytes (${maxBytes} bytes); set that higher`;
      throw new UnavailableError(message, { reason: 'answer', cause: error });
    }
    this.#top = Math.max(1, Math.floor(this.#top / 2));
  }

  #url(query: string): string {
    return `${this.#graph.origin}/v1.0/security/alerts_v2?${query}`;
  }

  /** All rows, also those that we did not ask for: dropping is the one mistake that nobody would see. */
  #records({ rows }: GraphPage, { from }: Reading, dateMs: number | undefined): SourceRecord[] {
    const future = dateMs === undefined ? undefined : ticksOfMs(dateMs + FUTURE_MS);
    const records: SourceRecord[] = [];
    for (const row of rows) {
      const record = alertRecord(row);
      if (!record) {
        this.#tellOnce(
          { found: row === null ? 'null' : typeof row },
          'Graph’s list has something that is no alert',
        );
        continue;
      }
      const { id, revision } = record;
      if (future !== undefined && revision > future) {
        this.#tellOnce(
          { id },
          'an alert is dated later than Graph’s own clock; it is told, and moves nothing',
        );
      }
      if (revision < from)
        this.#tellOnce({ id }, 'Graph gave an alert from before the time that was asked for');
      records.push(record);
    }
    return records;
  }

  /** @param begun where the reading began: what it asks for must be above the floor, to its last page (K4) */
  #page(records: readonly SourceRecord[], checkpoint: Checkpoint, begun: Checkpoint): Page {
    return {
      records,
      checkpoint: formatCheckpoint(checkpoint),
      floor: floorOf(begun, this.#settings),
      watermark: checkpoint.watermark,
      filtered: 0,
    };
  }

  #parse(stored: string): Checkpoint {
    try {
      return parseCheckpoint(stored);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : 'it cannot be read';
      const message =
        `the checkpoint of source ${this.#name} in tenant ${this.tenant} cannot be used: ${why}; nothing is read. ` +
        'Run the version that wrote it, or restore the state directory. Deleting that directory begins again from ' +
        'startFrom, and gives up what has not been delivered';
      throw new UnavailableError(message, { reason: 'other', cause });
    }
  }

  #tellOnce(fields: object, message: string): void {
    if (this.#told.has(message)) return;
    this.#told.add(message);
    this.#log.warn(fields, message);
  }
}
