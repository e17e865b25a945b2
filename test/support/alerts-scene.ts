import { UnavailableError } from '../../src/core/errors.ts';
import type { SourceRecord } from '../../src/core/record.ts';
import type { Page } from '../../src/core/source.ts';
import { formatCheckpoint, parseCheckpoint } from '../../src/sources/graph-alerts/checkpoint.ts';
import { GraphAlerts, type GraphAlertsSettings } from '../../src/sources/graph-alerts/source.ts';
import { collectLog } from './log.ts';
import { at, type ModelAlert, ModelGraph } from './model-graph.ts';

export const noon = Date.parse('2025-03-04T12:00:00Z');
export const hour = 3_600_000;

/** A source at a model of Graph; each answer takes 100 ms of its time. */
export function scene(settings: Partial<GraphAlertsSettings> = {}) {
  const graph = new ModelGraph();
  const log = collectLog();
  let elapsed = 0;
  const world = { now: noon, miscounts: 0 };
  graph.date = () => world.now + elapsed;
  const page = graph.page.bind(graph);
  graph.page = async (url, options) => {
    elapsed += 100;
    return await page(url, options);
  };
  const source = new GraphAlerts(
    {
      every: 1_000_000,
      settle: 10_000,
      overlap: 600_000,
      sweep: { every: hour, window: 24 * hour },
      compared: 48 * 3_600_000,
      startFrom: 24 * hour,
      response: { maxBytes: 2 ** 24 },
      filter: { serviceSource: [], severity: [], status: [] },
      ...settings,
    },
    {
      name: 'alerts',
      graph,
      log,
      now: () => world.now + elapsed,
      steady: () => elapsed,
      miscounted: () => {
        world.miscounts += 1;
      },
    },
  );
  let checkpoint: string | undefined = formatCheckpoint({
    start: at('00:00:00'),
    watermark: at('11:59:00'),
    readAt: { overlap: noon - 60_000, sweep: noon - 60_000 },
    open: [],
    unreadable: [],
  });
  const pages: Page[] = [];
  const stop = new AbortController();
  /** One whole reading; returns the records that it gave, as `id@revision`. */
  const read = async (from = checkpoint, most = Number.POSITIVE_INFINITY): Promise<Set<string>> => {
    const given = new Set<string>();
    let left = most;
    for await (const answer of source.read(from, stop.signal)) {
      pages.push(answer);
      checkpoint = answer.checkpoint;
      for (const record of answer.records) given.add(keyOf(record));
      if (--left <= 0) break;
    }
    return given;
  };
  const readFirst = async () => {
    checkpoint = undefined;
    return await read(undefined);
  };
  return {
    graph,
    log,
    world,
    source,
    pages,
    stop,
    read,
    readFirst,
    checkpoint: () => parseCheckpoint(checkpoint ?? ''),
  };
}

export const keyOf = ({ id, revision }: Pick<SourceRecord, 'id' | 'revision'>): string => `${id}@${revision}`;

/** `count` alerts, one every so many seconds from `time` on. */
export const series = (count: number, time: string, seconds: number): ModelAlert[] =>
  Array.from({ length: count }, (_, n) => {
    const revision = at(time) + BigInt(Math.round(n * seconds * 10_000_000));
    return { id: `a${n}`, revision, created: revision };
  });

export const down = () => {
  throw new UnavailableError('Graph answers HTTP 500', { reason: 'server' });
};
