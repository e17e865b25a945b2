import { describe, expect, it } from 'vitest';
import { UnavailableError } from '../../../src/core/errors.ts';
import type { Listed } from '../../../src/core/source.ts';
import { formatCheckpoint } from '../../../src/sources/graph-alerts/checkpoint.ts';
import { hour, keyOf, noon, scene, series } from '../../support/alerts-scene.ts';
import { at, type ModelAlert } from '../../support/model-graph.ts';

const from = at('09:00:00');
const to = at('11:00:00');

async function list({ source, stop }: ReturnType<typeof scene>): Promise<Listed[]> {
  const windows: Listed[] = [];
  for await (const window of source.list(from, to, stop.signal)) windows.push(window);
  return windows;
}

const keysOf = (alerts: readonly Pick<ModelAlert, 'id' | 'revision'>[]) => alerts.map(keyOf).sort();
const inRange = (alerts: readonly ModelAlert[]) =>
  alerts.filter(({ revision }) => revision >= from && revision < to);

describe('GraphAlerts.list()', () => {
  it('lists what Graph has, oldest first, in windows that follow each other without a hole', async () => {
    const world = scene();
    const { graph } = world;
    graph.alerts = series(600, '08:30:00', 20);
    graph.clamp = 50;
    const windows = await list(world);
    expect(windows.map((window) => window.from)).toEqual([
      from,
      ...windows.slice(0, -1).map((window) => window.to),
    ]);
    expect(windows.at(-1)?.to).toBe(to);
    expect(keysOf(windows.flatMap(({ records }) => records))).toEqual(keysOf(inRange(graph.alerts)));
    for (const { records, ...window } of windows)
      for (const { revision } of records) expect(revision >= window.from && revision < window.to).toBe(true);
  });

  it('R3: brings a tie whole that needs several pages', async () => {
    const world = scene();
    const { graph } = world;
    graph.alerts = [...series(5, '09:30:00', 60), ...series(90, '10:00:00', 0)].map((alert, n) => ({
      ...alert,
      id: `a${n}`,
    }));
    graph.clamp = 25;
    const windows = await list(world);
    expect(keysOf(windows.flatMap(({ records }) => records))).toEqual(keysOf(graph.alerts));
  });

  it('R5: tells what it cannot read, and goes on behind it', async () => {
    const world = scene();
    const { graph } = world;
    graph.alerts = series(60, '09:00:00', 60);
    const bad = graph.alerts[30]!;
    graph.fault = (url, matching) => {
      if (url.searchParams.get('$top') === '1' || !matching.includes(bad)) return;
      throw new UnavailableError('Graph answers HTTP 500', { reason: 'server' });
    };
    const windows = await list(world);
    const unread = windows.filter((window) => window.unread);
    expect(unread).toMatchObject([
      { from: bad.revision, to: bad.revision + 1n, records: [], unread: { reason: 'unreadable' } },
    ]);
    const read = graph.alerts.filter((alert) => alert !== bad);
    expect(keysOf(windows.flatMap(({ records }) => records))).toEqual(keysOf(read));
  });

  it('asks with the least priority, and keeps nothing', async () => {
    const world = scene();
    const asked: unknown[] = [];
    const page = world.graph.page.bind(world.graph);
    world.graph.page = async (url, options) => {
      asked.push(options.priority);
      return await page(url, options);
    };
    await list(world);
    expect(asked).toEqual(['reconcile']);
    expect(world.pages).toEqual([]);
  });
});

describe('GraphAlerts.standing()', () => {
  it('tells what is owed, and what a reading still comes to', () => {
    const { source } = scene();
    const sweep = { kind: 'sweep', from: at('02:00:00'), to: at('03:00:00'), begun: noon } as const;
    const checkpoint = formatCheckpoint({
      start: at('00:00:00'),
      watermark: at('11:59:00'),
      readAt: { overlap: noon - hour, sweep: noon - hour },
      open: [sweep],
      unreadable: [{ from: at('05:00:00'), to: at('05:00:01'), retryAt: noon }],
    });
    expect(source.standing(checkpoint)).toEqual({
      start: at('00:00:00'),
      watermark: at('11:59:00'),
      open: [
        { from: at('10:50:00') },
        { from: at('02:00:00'), to: at('03:00:00') },
        { from: at('05:00:00'), to: at('05:00:01') },
      ],
    });
  });
});
