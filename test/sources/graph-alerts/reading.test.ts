import { describe, expect, it } from 'vitest';
import { formatCheckpoint } from '../../../src/sources/graph-alerts/checkpoint.ts';
import { down, hour, keyOf, scene, series } from '../../support/alerts-scene.ts';
import { KeepingJournal } from '../../support/keeping-journal.ts';
import { at, type ModelAlert, type ModelGraph } from '../../support/model-graph.ts';

describe('the first reading', () => {
  it('polls from now on at once, and reads what was before in closed windows, oldest first', async () => {
    const { graph, pages, readFirst, checkpoint } = scene();
    graph.alerts = series(2_000, '01:00:00', 15);
    expect((await readFirst()).size).toBe(2_000);
    expect(pages[0]).toMatchObject({ reading: 'poll', records: [] });
    expect(graph.filters()[0]).toBe('lastUpdateDateTime ge 2025-03-04T11:59:50.1000000Z');
    const backfill = pages.filter(({ reading }) => reading === 'backfill');
    expect(backfill.length).toBeGreaterThan(2);
    expect(checkpoint()).toMatchObject({ open: [], watermark: at('12:00:00.1') });
  });

  it('goes on where it was after a restart (G11)', async () => {
    const { graph, read, readFirst, pages, checkpoint } = scene({ every: 1 });
    graph.alerts = series(3_000, '01:00:00', 10);
    const given = await readFirst();
    while (checkpoint().open.length > 0) {
      const { from } = checkpoint().open[0]!;
      for (const key of await read()) given.add(key);
      const later = checkpoint().open[0]?.from ?? at('13:00:00');
      expect(later).toBeGreaterThanOrEqual(from);
      // With `every` so short, each reading is one poll and one window.
      expect(pages.length).toBeLessThan(500);
    }
    expect(given.size).toBe(3_000);
  });
});

describe('lag', () => {
  it('G27, R3: reads in closed windows what one answer does not bring, while alerts leave their places', async () => {
    const { graph, read, pages } = scene();
    graph.alerts = series(2_000, '11:59:00', 0.02);
    graph.clamp = 100;
    let moved = 0;
    // After each answer one alert that has not been read yet moves to the end of time.
    graph.after = () => {
      const victim = graph.alerts[(moved * 37) % 2_000]!;
      victim.revision = at('12:00:30') + BigInt(moved);
      moved += 1;
    };
    const given = await read();
    graph.after = () => {};
    for (const key of await read()) given.add(key);
    const missing = graph.alerts.filter((alert) => !given.has(keyOf(alert)));
    expect(missing).toEqual([]);
    expect(moved).toBeGreaterThan(10);
    // The newest are told at once; the watermark never moves by a reading that was not whole.
    const marks = pages.map(({ watermark }) => watermark);
    expect(marks).toEqual(marks.toSorted((a, b) => Number(a - b)));
  });

  it('moves the watermark with each window, so that a restart repeats little', async () => {
    const { graph, read, checkpoint } = scene();
    graph.alerts = series(5_000, '11:00:00', 0.7);
    await read(formatCheckpoint({ ...checkpoint(), watermark: at('11:00:00') }), 8);
    const reached = checkpoint().watermark;
    expect(reached).toBeGreaterThan(at('11:00:00'));
    graph.asked.length = 0;
    await read();
    expect(graph.filters()[0]).toContain(`ge 2025-03-04T11:`);
    expect(checkpoint().watermark).toBeGreaterThanOrEqual(at('11:58:00'));
  });
});

describe('a large backlog', () => {
  const lots = new Map<string, number>();
  const lot = ({ id }: ModelAlert) => lots.get(id) ?? 0;
  it.each<[string, ModelGraph['order']]>([
    ['oldest first', (a, b) => Number(a.revision - b.revision)],
    ['newest first', (a, b) => Number(b.revision - a.revision)],
    ['in no order', (a, b) => lot(a) - lot(b)],
  ])('R3, G27: 100,000 alerts arrive, %s, while one in twenty changes', async (_, order) => {
    const { graph, read, readFirst, world } = scene();
    graph.alerts = series(100_000, '00:00:01', 0.43);
    for (const [n, { id }] of graph.alerts.entries()) lots.set(id, (n * 48_271) % 100_003);
    graph.order = order;
    let changed = 0;
    graph.after = () => {
      for (let n = 0; n < 40 && changed < 5_000; n++) {
        const alert = graph.alerts[(changed * 7_919) % 100_000]!;
        alert.revision = at('12:00:00') + BigInt(changed);
        changed += 1;
      }
    };
    const given = await readFirst();
    world.now += 30_000;
    for (const key of await read()) given.add(key);
    expect(changed).toBe(5_000);
    expect(graph.alerts.filter((alert) => !given.has(keyOf(alert)))).toEqual([]);
    // 100 pages of 1,000 at the very least.
    expect(graph.asked.length).toBeLessThan(300);
  });
});

describe('ties', () => {
  const tie = (count: number, extra: (n: number) => Partial<ModelAlert> = () => ({})): ModelAlert[] =>
    Array.from({ length: count }, (_, n) => ({
      id: `t${n}`,
      revision: at('11:59:30'),
      created: at('11:00:00'),
      ...extra(n),
    }));

  it('G5: pages through more alerts of one time than fit on a page, until a reading brings nothing new', async () => {
    const { graph, read } = scene();
    graph.alerts = tie(1_500);
    expect((await read()).size).toBe(1_500);
  });

  it.each([
    ['silently offers no more', false],
    ['refuses to skip further', true],
  ])('G6: divides a tie by creation where Graph %s', async (_, refuses) => {
    const { graph, read } = scene();
    graph.alerts = tie(3_000, (n) => ({ created: at('11:00:00') + BigInt(n % 100) }));
    graph.skipLimit = 500;
    graph.refusesSkip = refuses;
    expect((await read()).size).toBe(3_000);
  });

  it('G6: divides it by product where its alerts were created at one time, too', async () => {
    const { graph, read } = scene();
    const products = ['microsoft365Defender', 'microsoftSentinel', null];
    graph.alerts = tie(1_200, (n) => ({ product: products[n % 3]! }));
    graph.skipLimit = 500;
    expect((await read()).size).toBe(1_200);
  });

  it('sets aside what cannot be divided, tells it, and goes on; it is read when it can be', async () => {
    const { graph, read, pages, log, world, checkpoint } = scene();
    graph.alerts = [...tie(1_000), { id: 'next', revision: at('11:59:40'), created: at('11:59:40') }];
    graph.clamp = 250;
    graph.skipLimit = 500;
    const given = await read();
    expect(given).toContain(`next@${at('11:59:40')}`);
    expect(pages.flatMap(({ unread = [] }) => unread)).toMatchObject([
      { at: at('11:59:30'), reason: 'too-many' },
    ]);
    expect(checkpoint().unreadable).toMatchObject([{ from: at('11:59:30') }]);
    expect(log.lines.filter(({ level }) => level === 'error')).toHaveLength(1);
    graph.skipLimit = Number.POSITIVE_INFINITY;
    world.now += hour;
    for (const key of await read()) given.add(key);
    expect(given.size).toBe(1_001);
    expect(pages.flatMap(({ readAgain = [] }) => readAgain)).toEqual([at('11:59:30')]);
    expect(checkpoint().unreadable).toEqual([]);
  });
});

describe('the cost', () => {
  it('R7: of a tie at the watermark is a few requests in each poll, however long nothing else comes', async () => {
    const { graph, read, world } = scene();
    const revision = at('11:59:30');
    graph.alerts = Array.from({ length: 300 }, (_, n) => ({ id: `t${n}`, revision, created: revision }));
    graph.clamp = 100;
    for (let n = 0; n < 8; n++) {
      graph.asked.length = 0;
      expect((await read()).size).toBe(300);
      expect(graph.asked.length).toBeLessThan(20);
      world.now += 30_000;
    }
  });

  it('R5: of a request that failed only for a moment is a few more', async () => {
    const { graph, read, checkpoint } = scene();
    graph.alerts = series(100, '11:59:00', 0.5);
    let failures = 0;
    graph.fault = (url) => {
      if (url.searchParams.has('$filter') && ++failures === 1) down();
    };
    expect((await read()).size).toBe(100);
    expect(checkpoint().unreadable).toEqual([]);
    expect(graph.asked.length).toBeLessThan(6);
  });

  it('R2, R7: of lag without an end does not keep the backfill from its end', async () => {
    const { graph, readFirst, read, world, checkpoint } = scene({ every: 300 });
    graph.alerts = series(1_000, '01:00:00', 30);
    graph.clamp = 50;
    const given = await readFirst();
    let made = 0;
    let readings = 0;
    while (checkpoint().open.length > 0 && readings < 300) {
      // Each poll has three pages to catch up with, and takes longer than the time to the next.
      for (let n = 0; n < 120; n++) {
        const revision = checkpoint().watermark + BigInt(1_000_000 + n * 2_000_000);
        graph.alerts.push({ id: `live${made++}`, revision, created: revision });
      }
      world.now += 30_000;
      for (const key of await read()) given.add(key);
      readings += 1;
    }
    expect(checkpoint().open).toEqual([]);
    expect(
      graph.alerts.filter(({ id }) => id.startsWith('a')).every((alert) => given.has(keyOf(alert))),
    ).toBe(true);
  });
});

describe('G19: an alert that changes five hundred times', () => {
  it.each(['all', 'none'] as const)('is told in the order of its changes (updates: %s)', async (updates) => {
    const { graph, read, world, pages } = scene();
    const journal = new KeepingJournal();
    const flood: ModelAlert = { id: 'flood', revision: at('11:59:00'), created: at('11:00:00') };
    graph.alerts = [flood];
    for (let n = 0; n < 500; n++) {
      world.now += 1_000;
      flood.revision = at('12:00:00') + BigInt(n * 10_000_000);
      pages.length = 0;
      await read();
      for (const page of pages) {
        await journal.append({ ...page, source: 'alerts', tenant: 'contoso', updates });
      }
    }
    const told = journal.kept.map(({ revision }) => revision);
    expect(told).toHaveLength(updates === 'all' ? 500 : 1);
    expect(told).toEqual(told.toSorted((a, b) => Number(a - b)));
  });
});

describe('the count', () => {
  it('R3: is asked for, and a window of which it does not agree is read again', async () => {
    const { graph, readFirst } = scene();
    graph.alerts = series(100, '06:00:00', 60);
    let answers = 0;
    const { after } = graph;
    const all = graph.alerts;
    // The third answer misses half of them.
    graph.after = (url) => {
      after(url);
      answers += 1;
      graph.alerts = answers === 2 ? all.slice(50) : all;
    };
    graph.count = () => all.length;
    expect((await readFirst()).size).toBe(100);
  });

  it.each([
    ['absent', () => undefined],
    ['wrong', (real: number) => real + 7],
  ])('is not needed: where it is always %s, two equal readings are enough', async (_, count) => {
    const { graph, readFirst, world, checkpoint } = scene();
    graph.alerts = series(700, '06:00:00', 10);
    graph.count = count;
    expect((await readFirst()).size).toBe(700);
    expect(checkpoint().open).toEqual([]);
    expect(world.miscounts > 0).toBe(count(0) !== undefined);
    expect(graph.asked.length).toBeLessThan(400);
  });
});

describe('R3: a server that gives fewer at once than it is asked for', () => {
  it('and neither a count nor a next link, is found out by smaller windows', async () => {
    const { graph, read, pages } = scene();
    graph.alerts = series(600, '11:59:00', 0.05);
    graph.clamp = 100;
    graph.skipLimit = 50;
    graph.count = () => undefined;
    expect((await read()).size).toBe(600);
    expect(pages.flatMap(({ unread = [] }) => unread)).toEqual([]);
    expect(graph.asked.length).toBeLessThan(60);
  });

  it('and a count of a tie that is too high, gets a dead letter that says so', async () => {
    const { graph, read, pages } = scene();
    const revision = at('11:59:30');
    graph.alerts = Array.from({ length: 300 }, (_, n) => ({ id: `t${n}`, revision, created: revision }));
    graph.clamp = 100;
    graph.count = (real) => real + 7;
    expect((await read()).size).toBe(300);
    expect(pages.flatMap(({ unread = [] }) => unread)).toMatchObject([
      {
        at: revision,
        reason: 'too-many',
        count: 307,
        detail: expect.stringContaining('or says that it has'),
      },
    ]);
  });
});

describe('R5: outage or poison', () => {
  it('G8: finds the one time that cannot be read, sets it aside, and goes on', async () => {
    const { graph, read, pages, checkpoint } = scene();
    graph.alerts = [
      ...series(200, '11:59:00', 0.25),
      { id: 'z', revision: at('11:59:59'), created: at('11:00:00') },
    ];
    const poison = graph.alerts[77]!;
    graph.fault = (_, matching) => matching.length < 201 && matching.includes(poison) && down();
    const { fault } = graph;
    graph.fault = (url, matching) => {
      if (url.searchParams.has('$filter')) {
        if (matching.includes(poison)) down();
      } else fault(url, []);
    };
    const given = await read();
    expect(given.size).toBe(200);
    expect(pages.flatMap(({ unread = [] }) => unread)).toMatchObject([
      { at: poison.revision, reason: 'unreadable', detail: 'Graph answers HTTP 500' },
    ]);
    expect(graph.asked.length).toBeLessThan(250);
    // From now on it is gone round, not run into.
    graph.asked.length = 0;
    await read();
    expect(graph.asked.length).toBeLessThan(4);
    expect(checkpoint().unreadable).toHaveLength(1);
  });

  it('waits out an outage and keeps its window', async () => {
    const { graph, read, checkpoint } = scene();
    graph.alerts = series(100, '11:59:00', 0.5);
    let broken = 0;
    graph.fault = () => {
      // The last of these is the control request, which waits inside in reality.
      if (++broken <= 2) down();
    };
    expect((await read()).size).toBe(100);
    expect(checkpoint().unreadable).toEqual([]);
    expect(new Set(graph.filters()).size).toBe(1);
  });

  it('asks for a smaller window when an answer is too large', async () => {
    const { graph, readFirst, pages } = scene();
    graph.alerts = series(900, '06:00:00', 10);
    const { TooLargeError } = await import('../../../src/net/graph.ts');
    graph.fault = (url, matching) => {
      const rows = Math.min(matching.length, Number(url.searchParams.get('$top')));
      if (rows > 50) throw new TooLargeError('too large', { reason: 'answer' });
    };
    expect((await readFirst()).size).toBe(900);
    expect(pages.flatMap(({ unread = [] }) => unread)).toEqual([]);
  });
});

describe('late alerts', () => {
  it('G1: the overlap finds what became visible late by no more than that', async () => {
    const { graph, read, world } = scene();
    await read();
    world.now += 3 * 60_000;
    graph.alerts = [{ id: 'late', revision: at('11:56:00'), created: at('11:56:00') }];
    expect((await read()).size).toBe(0);
    world.now += 2 * 60_000;
    expect((await read()).size).toBe(1);
  });

  it('G1: the sweep finds what came later still, and says that overlap is too short', async () => {
    const { graph, read, world, source, pages, log } = scene();
    await read();
    graph.alerts = [{ id: 'late', revision: at('03:00:00'), created: at('03:00:00') }];
    world.now += hour - 120_000;
    expect((await read()).size).toBe(0);
    world.now += 180_000;
    expect((await read()).size).toBe(1);
    const page = pages.findLast(({ records }) => records.length > 0)!;
    expect(page.reading).toBe('sweep');
    source.kept(page, { new: 1, duplicate: 0, filtered: 0, told: [{ index: 0, outcome: 'new' }] });
    world.now += hour;
    await read();
    expect(log.lines.map(({ message }) => message).join()).toMatch(/with overlap: 60\dm they/);
    expect(source.notes()).toEqual([expect.stringMatching(/with overlap: 60\dm they/)]);
  });
});

describe('R8: the filter', () => {
  it('leaves the product to Graph, and marks what is not wanted by severity or status', async () => {
    const { graph, read, pages } = scene({
      filter: { serviceSource: ['microsoftSentinel', 'other'], severity: ['high'], status: [] },
    });
    graph.alerts = [
      { id: 'a', revision: at('11:59:30'), created: at('11:59:30'), product: 'microsoftSentinel' },
      { id: 'b', revision: at('11:59:31'), created: at('11:59:30'), product: 'other', severity: 'low' },
      { id: 'c', revision: at('11:59:32'), created: at('11:59:30') },
    ];
    expect((await read()).size).toBe(2);
    expect(graph.filters()[0]).toMatch(
      / and \(serviceSource eq 'microsoftSentinel' or serviceSource eq 'other'\)$/,
    );
    const records = pages.flatMap((page) => page.records);
    expect(records.map(({ id, unwanted }) => [id, unwanted])).toEqual([
      ['b', true],
      ['a', undefined],
    ]);
  });
});

describe('R4: clocks', () => {
  it('an alert from the future is told, and moves nothing', async () => {
    const { graph, read, checkpoint } = scene();
    graph.alerts = [{ id: 'f', revision: at('23:00:00'), created: at('11:00:00') }];
    expect((await read()).size).toBe(1);
    expect(checkpoint().watermark).toBeLessThanOrEqual(at('12:00:01'));
  });

  it('a server’s Date far ahead of our clock is not followed', async () => {
    const { graph, read, log, checkpoint } = scene();
    const { date } = graph;
    graph.date = () => date()! + 24 * hour;
    await read();
    expect(checkpoint().watermark).toBeLessThan(at('13:31:00'));
    expect(log.lines).toMatchObject([{ level: 'warn' }]);
  });

  it('answers without Date move nothing, and lose nothing', async () => {
    const { graph, read, checkpoint } = scene();
    graph.alerts = series(10, '11:59:00', 1);
    graph.date = () => undefined;
    expect((await read()).size).toBe(10);
    expect(checkpoint().watermark).toBe(at('11:59:00'));
  });
});
