import { describe, expect, it } from 'vitest';
import { UnavailableError } from '../../../src/core/errors.ts';
import type { GraphPage, PageOptions } from '../../../src/net/graph.ts';
import { TooLargeError } from '../../../src/net/graph.ts';
import { down, keyOf, scene } from '../../support/alerts-scene.ts';
import { at, type ModelAlert, type ModelGraph } from '../../support/model-graph.ts';

const alert = (id: string, time: string): ModelAlert => ({ id, revision: at(time), created: at('11:00:00') });

/** Alerts of one time. */
const tie = (count: number, extra: (n: number) => Partial<ModelAlert> = () => ({})): ModelAlert[] =>
  Array.from({ length: count }, (_, n) => ({ ...alert(`t${n}`, '11:59:30'), ...extra(n) }));

/** Bends the answers of a model of Graph; `ask` gives them as they are. */
function bend(
  graph: ModelGraph,
  bent: (url: URL, ask: (url: URL) => ReturnType<ModelGraph['page']>) => ReturnType<ModelGraph['page']>,
) {
  const page = graph.page.bind(graph);
  graph.page = <T>(url: string, options: PageOptions<T>) => {
    const answer = bent(new URL(url), (asked) => page(asked.href, options));
    return answer as Promise<GraphPage<T>>;
  };
}

describe('R5: a request that is refused while others are answered', () => {
  const refuse = (reason: 'request' | 'auth') => {
    throw new UnavailableError('Graph answers HTTP 4xx', { reason });
  };

  it.each(['request', 'auth'] as const)('is narrowed down, and its alert set aside (%s)', async (reason) => {
    const { graph, read, pages } = scene();
    graph.alerts = [alert('before', '11:59:20'), alert('bad', '11:59:30'), alert('after', '11:59:40')];
    graph.fault = (_, matching) => {
      if (matching.some(({ id }) => id === 'bad')) refuse(reason);
    };
    expect([...(await read())].map((key) => key.split('@')[0])).toEqual(['before', 'after']);
    expect(pages.flatMap(({ unread = [] }) => unread)).toMatchObject([
      { at: at('11:59:30'), to: at('11:59:30') + 1n, detail: expect.stringMatching(/^refused .*HTTP 4xx$/) },
    ]);
  });

  it.each(['request', 'auth'] as const)('ends the reading when all are refused (%s)', async (reason) => {
    const { graph, read, pages } = scene();
    graph.fault = () => refuse(reason);
    await expect(read()).rejects.toMatchObject({ reason });
    expect(pages).toEqual([]);
  });

  it('is a tie that Graph does not let us divide: it is set aside', async () => {
    const { graph, read, checkpoint } = scene();
    graph.alerts = [...tie(900, (n) => ({ created: at('11:00:00') + BigInt(n) })), alert('next', '11:59:40')];
    graph.clamp = 100;
    graph.skipLimit = 300;
    graph.fault = (url) => {
      if (url.searchParams.get('$filter')?.includes('createdDateTime')) refuse('request');
    };
    expect(await read()).toContain(`next@${at('11:59:40')}`);
    expect(checkpoint().unreadable).toMatchObject([{ from: at('11:59:30') }]);
  });
});

describe('R5: many times that cannot be read', () => {
  const poisoned = (count: number) =>
    Array.from({ length: count }, (_, n) => ({
      ...alert(`p${n}`, '11:59:10'),
      revision: at('11:59:10') + BigInt(n * 1_000_000),
    }));

  it('become ranges, so that what comes after them is told; each that heals is given', async () => {
    const { graph, read, pages, world, checkpoint } = scene({ every: 30_000 });
    graph.alerts = [...poisoned(130), alert('fresh', '11:59:50')];
    let sick = 0;
    graph.fault = (_, matching) => {
      if (matching.some(({ id }) => id.startsWith('p') && Number(id.slice(1)) >= sick)) down();
    };
    const given = new Set<string>();
    const readFor = async (readings: number) => {
      graph.asked.length = 0;
      for (let n = 0; n < readings; n++) {
        for (const key of await read()) given.add(key);
        world.now += 60_000;
      }
    };
    await readFor(1);
    expect([...given]).toEqual([`fresh@${at('11:59:50')}`]);
    expect(checkpoint().unreadable.length).toBeLessThan(40);
    sick = 100;
    await readFor(75);
    expect(given.size).toBe(101);
    sick = 130;
    await readFor(75);
    expect(given.size).toBe(131);
    expect(checkpoint().unreadable).toEqual([]);
    // Each dead letter went, and none went that had not come.
    const letters = new Set<bigint>();
    for (const { unread = [], readAgain = [] } of pages) {
      for (const time of readAgain) expect(letters.delete(time)).toBe(true);
      for (const { at: time } of unread) expect(letters.has(time)).toBe(false);
      for (const { at: time } of unread) letters.add(time);
    }
    expect(letters.size).toBe(0);
  });

  it('are none where all that has a filter fails: that is an outage, and is waited for', async () => {
    const { graph, read, pages } = scene();
    graph.alerts = [alert('a', '11:59:30')];
    graph.fault = (url) => {
      if (url.searchParams.has('$filter')) down();
    };
    // In reality the control request waits inside.
    await expect(read()).rejects.toMatchObject({ reason: 'server' });
    graph.fault = () => {};
    expect((await read()).size).toBe(1);
    expect(pages.flatMap(({ unread = [] }) => unread)).toEqual([]);
  });

  it('are read again in turn with all else', async () => {
    const { graph, readFirst, read, world, checkpoint } = scene({ every: 400 });
    graph.alerts = Array.from({ length: 40 }, (_, n) => ({
      ...alert(`a${n}`, '03:00:00'),
      revision: at('03:00:00') + BigInt(n) * 600_000_000n,
    }));
    graph.clamp = 4;
    await readFirst();
    graph.fault = (_, matching) => {
      if (matching.some(({ id }) => Number(id.slice(1)) % 10 === 5)) down();
    };
    for (let n = 0; n < 900 && checkpoint().open.some(({ kind }) => kind === 'backfill'); n++) {
      await read();
      world.now += 30_000;
      graph.asked.length = 0;
    }
    expect(checkpoint().open.filter(({ kind }) => kind === 'backfill')).toEqual([]);
    expect(checkpoint().unreadable).toHaveLength(4);
  });
});

describe('R3: a tie that Graph does not divide as it is asked to', () => {
  it('is set aside where its parts are not the whole: no product matches neither `eq` nor `ne`', async () => {
    const { graph, read, pages } = scene();
    const products = ['microsoft365Defender', 'microsoftSentinel', null];
    const all = tie(1_200, (n) => ({ product: products[n % 3]! }));
    graph.clamp = 250;
    graph.skipLimit = 500;
    bend(graph, async (url, ask) => {
      const isNot = url.searchParams.get('$filter')?.includes(' ne ');
      graph.alerts = isNot ? all.filter(({ product }) => product !== null) : all;
      return await ask(url);
    });
    const given = await read();
    expect(given.size).toBeGreaterThan(799);
    expect(given.size).toBeLessThan(1_200);
    expect(pages.flatMap(({ unread = [] }) => unread)).toMatchObject([{ reason: 'too-many', count: 1_200 }]);
  });

  it('is set aside where the creation is not heeded', async () => {
    const { graph, read, pages } = scene();
    graph.alerts = tie(60, (n) => ({ created: at('11:00:00') + BigInt(n) }));
    graph.clamp = 10;
    graph.skipLimit = 30;
    bend(graph, async (url, ask) => {
      const terms = url.searchParams.get('$filter')?.split(' and ') ?? [];
      url.searchParams.set('$filter', terms.filter((term) => !term.startsWith('created')).join(' and '));
      return await ask(url);
    });
    expect((await read()).size).toBe(30);
    expect(pages.flatMap(({ unread = [] }) => unread)).toMatchObject([{ reason: 'too-many', count: 60 }]);
    expect(graph.asked.length).toBeLessThan(60);
  });

  it('is read in all parts that can be read', async () => {
    const { graph, read, checkpoint } = scene();
    graph.alerts = tie(400, (n) => ({ created: at('11:00:00') + BigInt(n) }));
    graph.clamp = 50;
    graph.skipLimit = 100;
    graph.fault = (url, matching) => {
      const isPart = url.searchParams.get('$filter')?.includes('createdDateTime');
      if (isPart && matching.length < 70 && matching.some(({ id }) => id === 't200')) down();
    };
    expect((await read()).size).toBeGreaterThan(349);
    expect(checkpoint().unreadable).toHaveLength(1);
  });
});

describe('an odd server', () => {
  it('with next links that never end is asked little, and its alerts are given', async () => {
    const { graph, read, pages } = scene();
    graph.alerts = tie(20);
    graph.clamp = 10;
    let links = 0;
    bend(graph, async (url, ask) => {
      const page = await ask(url);
      const skip = Number(url.searchParams.get('$skip') ?? 0);
      url.searchParams.set('$skip', String(skip + 10));
      url.searchParams.set('link', String(++links));
      return { ...page, next: url.href };
    });
    expect((await read()).size).toBe(20);
    expect(pages.flatMap(({ unread = [] }) => unread)).toMatchObject([{ at: at('11:59:30') }]);
    expect(graph.asked.length).toBeLessThan(100);
  });

  it('with an empty page behind the last one costs a request more', async () => {
    const { graph, read, pages } = scene();
    graph.alerts = ['11:59:30', '11:59:31', '11:59:32'].map((time) => alert(time, time));
    bend(graph, async (url, ask) => {
      const page = await ask(url);
      url.searchParams.set('$skip', String(Number(url.searchParams.get('$skip') ?? 0) + page.rows.length));
      return page.rows.length > 0 ? { ...page, next: url.href } : page;
    });
    expect((await read()).size).toBe(3);
    expect(pages).toHaveLength(1);
    expect(graph.asked).toHaveLength(2);
  });
});

describe('G20: a further page of a tie that is too large', () => {
  const most = (graph: ModelGraph, rows: number) => {
    graph.fault = (url, matching) => {
      const skip = Number(url.searchParams.get('$skip') ?? 0);
      const top = Number(url.searchParams.get('$top'));
      if (skip > 0 && Math.min(top, matching.length - skip) > rows)
        throw new TooLargeError('too large', { reason: 'answer' });
    };
  };

  it('is asked for in smaller pages', async () => {
    const { graph, read, pages } = scene();
    graph.alerts = tie(400);
    most(graph, 50);
    expect((await read()).size).toBe(400);
    expect(pages.flatMap(({ unread = [] }) => unread)).toEqual([]);
  });

  it('is asked for once more when that came by chance, not for less and less', async () => {
    const { graph, read } = scene();
    graph.alerts = tie(400);
    graph.clamp = 100;
    let asked = 0;
    graph.fault = () => {
      if (++asked % 3 === 0) throw new TooLargeError('too large', { reason: 'answer' });
    };
    expect((await read()).size).toBe(400);
    expect(graph.asked.length).toBeLessThan(40);
  });

  it('is set aside where one alert is, and what comes before it is read', async () => {
    const { graph, read, pages } = scene();
    graph.alerts = [...tie(12), alert('next', '11:59:40')];
    graph.fault = (url, matching) => {
      const skip = Number(url.searchParams.get('$skip') ?? 0);
      const given = matching.slice(skip, skip + Number(url.searchParams.get('$top')));
      if (given.some(({ id }) => id === 't11')) throw new TooLargeError('too large', { reason: 'answer' });
    };
    const given = await read();
    expect(graph.alerts.map(keyOf).filter((key) => !given.has(key))).toEqual([`t11@${at('11:59:30')}`]);
    expect(pages.flatMap(({ unread = [] }) => unread)).toMatchObject([{ at: at('11:59:30') }]);
  });
});
