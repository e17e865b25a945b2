import { expect, it } from 'vitest';
import { UnavailableError } from '../../../src/core/errors.ts';
import { msOfTicks } from '../../../src/core/ticks.ts';
import { formatCheckpoint, parseCheckpoint } from '../../../src/sources/graph-alerts/checkpoint.ts';
import { GraphAlerts } from '../../../src/sources/graph-alerts/source.ts';
import { collectLog } from '../../support/log.ts';
import { at, ModelGraph } from '../../support/model-graph.ts';

const noon = Date.parse('2025-03-04T12:00:00Z');
const hour = 3_600_000;

it('G20: a window that Graph takes too long for is asked for in smaller ones, and each alert keeps its time', async () => {
  const graph = new ModelGraph();
  graph.alerts = Array.from({ length: 300 }, (_, n) => {
    const revision = at('11:59:00') + BigInt(n * 1_000_000);
    return { id: `a${n}`, revision, created: revision };
  });
  let timeouts = 0;
  graph.fault = (url, matching) => {
    if (!url.searchParams.has('$filter') || matching.length <= 40) return;
    timeouts += 1;
    throw new UnavailableError('no answer within 30 s', { reason: 'timeout' });
  };
  const log = collectLog();
  const source = new GraphAlerts(
    {
      every: 30_000,
      settle: 10_000,
      overlap: 600_000,
      sweep: { every: hour, window: 24 * hour },
      compared: 48 * 3_600_000,
      startFrom: 24 * hour,
      response: { maxBytes: 2 ** 24 },
      filter: { serviceSource: [], severity: [], status: [] },
    },
    { name: 'alerts', graph, log, now: () => noon, steady: () => 0, miscounted: () => {} },
  );
  const checkpoint = formatCheckpoint({
    start: at('00:00:00'),
    watermark: at('11:59:00'),
    readAt: { overlap: noon - 60_000, sweep: noon - 60_000 },
    open: [],
    unreadable: [],
  });
  const found = new Map<string, bigint>();
  let last = checkpoint;
  for await (const page of source.read(checkpoint, AbortSignal.timeout(20_000))) {
    for (const { id, revision } of page.records) found.set(id, revision);
    last = page.checkpoint;
  }
  expect(timeouts).toBeGreaterThan(0);
  expect(found).toEqual(new Map(graph.alerts.map(({ id, revision }) => [id, revision])));
  expect(parseCheckpoint(last)).toMatchObject({ unreadable: [] });
  expect(msOfTicks(parseCheckpoint(last).watermark)).toBeGreaterThan(noon - 60_000);
});
