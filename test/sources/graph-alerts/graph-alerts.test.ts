import { inspect } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { UnavailableError } from '../../../src/core/errors.ts';
import type { Page } from '../../../src/core/source.ts';
import { ticksOf } from '../../../src/core/ticks.ts';
import { openGraph } from '../../../src/net/graph.ts';
import { GraphAlerts, type GraphAlertsSettings } from '../../../src/sources/graph-alerts/source.ts';
import { formatCheckpoint } from '../../../src/sources/graph-alerts/window.ts';
import { collectLog } from '../../support/log.ts';
import { anAlert } from '../../support/records.ts';
import {
  type Asked,
  aToken,
  CANARY_SECRET,
  graphError,
  type Reply,
  scriptGraph,
} from '../../support/scripted-graph.ts';

const NOON = 'Tue, 04 Mar 2025 12:00:00 GMT';
const noon = Date.parse(NOON);

/** A page of a list as Graph sends it. */
function pageReply(alerts: readonly unknown[], next?: string): Reply {
  return {
    headers: { date: NOON },
    body: { value: alerts, ...(next !== undefined && { '@odata.nextLink': next }) },
  };
}

const alert = (id: string, time = '11:59:30Z') => anAlert({ id, lastUpdateDateTime: `2025-03-04T${time}` });

const stored = formatCheckpoint({
  start: ticksOf('2025-03-01T00:00:00Z')!,
  watermark: ticksOf('2025-03-04T11:59:00Z')!,
  overlapReadAt: noon - 60_000,
});

/** A source against a server that answers by script; the script is given the server's origin, for next links. */
async function open(
  script: (asked: Asked, n: number, origin: string) => Reply,
  settings: Partial<GraphAlertsSettings> = {},
  now = noon,
) {
  const scripted = await scriptGraph({ graph: (asked, n) => script(asked, n, scripted.origin) });
  const log = collectLog();
  const graph = openGraph(scripted.settings, {
    log,
    observer: { requested: () => {}, throttled: () => {} },
    backoff: { initialMs: 1, maxMs: 4 },
  });
  onTestFinished(() => graph.close());
  const defaults = {
    settle: 10_000,
    overlap: 600_000,
    startFrom: 86_400_000,
    response: { maxBytes: 100_000 },
  };
  const source = new GraphAlerts(
    { ...defaults, ...settings },
    { name: 'alerts', graph, log, now: () => now },
  );
  const stop = new AbortController();
  const collect = async (checkpoint: string | undefined) => {
    const pages: Page[] = [];
    for await (const page of source.read(checkpoint, stop.signal)) pages.push(page);
    return pages;
  };
  const read = (checkpoint = stored) => collect(checkpoint);
  const readFirst = () => collect(undefined);
  return { ...scripted, source, log, stop, read, readFirst };
}

const idsOf = (pages: readonly Page[]) => pages.flatMap(({ records }) => records.map(({ id }) => id));
const filterOf = (asked: Asked | undefined) => asked?.query.get('$filter');

describe('the first reading', () => {
  it.each([
    ['right', noon],
    ['slow', noon - 86_400_000],
    ['fast', noon + 86_400_000],
  ])('begins `startFrom` before the server’s time, whatever our clock says (%s)', async (_, now) => {
    const { readFirst, graphAsked } = await open((_, n) => pageReply(n === 0 ? [] : [alert('a')]), {}, now);
    const pages = await readFirst();
    expect(pages[0]?.watermark).toBe(ticksOf('2025-03-03T12:00:00Z'));
    expect(filterOf(graphAsked[1])).toBe('lastUpdateDateTime ge 2025-03-03T12:00:00.0000000Z');
    expect(idsOf(pages)).toEqual(['a']);
  });

  it('keeps its start before it reads, so that a crash does not move it', async () => {
    const { source, stop, read, graphAsked } = await open(() => pageReply([alert('a')]));
    for await (const { records, checkpoint } of source.read(undefined, stop.signal)) {
      expect(records).toEqual([]);
      expect(graphAsked).toHaveLength(1);
      await read(checkpoint);
      break;
    }
    expect(filterOf(graphAsked[1])).toBe('lastUpdateDateTime ge 2025-03-03T12:00:00.0000000Z');
  });

  it('begins at a fixed time', async () => {
    const { readFirst } = await open(() => pageReply([]), { startFrom: '2025-03-01T01:00:00+01:00' });
    expect((await readFirst())[0]?.watermark).toBe(ticksOf('2025-03-01T00:00:00Z'));
  });
});

describe('a poll', () => {
  it('G3: asks with `ge`, so that of several alerts with one time none is skipped', async () => {
    const { read, graphAsked } = await open(() => pageReply([alert('a'), alert('b')]));
    const [page] = await read();
    expect(filterOf(graphAsked[0])).toBe('lastUpdateDateTime ge 2025-03-04T11:58:50.0000000Z');
    expect(graphAsked[0]?.query.get('$top')).toBe('250');
    expect(graphAsked[0]?.query.get('$orderby')).toBeNull();
    expect(page?.watermark).toBe(ticksOf('2025-03-04T11:59:30Z'));

    const again = await read(page?.checkpoint);
    expect(filterOf(graphAsked[1])).toBe('lastUpdateDateTime ge 2025-03-04T11:59:20.0000000Z');
    expect(idsOf(again)).toEqual(['a', 'b']);
  });

  it('G1: reads the whole overlap when that is due', async () => {
    const { read, graphAsked } = await open(() => pageReply([]));
    const checkpoint = formatCheckpoint({
      start: 0n,
      watermark: ticksOf('2025-03-04T11:59:00Z')!,
      overlapReadAt: noon - 600_000,
    });
    const [page] = await read(checkpoint);
    expect(filterOf(graphAsked[0])).toBe('lastUpdateDateTime ge 2025-03-04T11:40:00.0000000Z');
    expect(JSON.parse(page?.checkpoint ?? '')).toMatchObject({ overlapReadAt: noon });
  });

  it('keeps rows that were not asked for, tells them once, and goes on after something that is no alert', async () => {
    const old = anAlert({ id: 'old', lastUpdateDateTime: '2020-01-01T00:00:00Z' });
    const { read, log } = await open(() => pageReply([old, null, alert('a')]));
    expect(idsOf(await read())).toEqual(['old', 'a']);
    await read();
    expect(log.lines.map(({ level }) => level)).toEqual(['warn', 'warn']);
  });

  it('delivers an alert from the future, tells it, and does not follow it', async () => {
    const future = anAlert({ id: 'f', lastUpdateDateTime: '2030-01-01T00:00:00Z' });
    const { read, log } = await open(() => pageReply([future, alert('a')]));
    const pages = await read();
    expect(idsOf(pages)).toEqual(['f', 'a']);
    expect(pages[0]?.watermark).toBe(ticksOf('2025-03-04T11:59:30Z'));
    expect(log.lines).toMatchObject([{ level: 'warn', fields: { id: 'f' } }]);
  });
});

describe('a reading of several pages', () => {
  const next = (origin: string, page: number) => `${origin}/v1.0/security/alerts_v2?$skiptoken=p${page}`;

  it('G5: follows next links to the end, through a tie that is larger than a page', async () => {
    const { read } = await open((_, n, origin) =>
      pageReply([alert(`${n}a`), alert(`${n}b`)], n < 9 ? next(origin, n) : undefined),
    );
    expect(new Set(idsOf(await read())).size).toBe(20);
  });

  it('G7: moves the watermark at the last page only, by all of them', async () => {
    const { read } = await open((_, n, origin) =>
      n === 0
        ? pageReply([alert('a', '11:59:10Z'), alert('b', '11:59:40Z')], next(origin, 1))
        : pageReply([alert('c', '11:59:20Z')]),
    );
    const pages = await read();
    expect(pages.map(({ checkpoint }) => checkpoint === stored)).toEqual([true, false]);
    expect(pages.map(({ watermark }) => watermark)).toEqual([
      ticksOf('2025-03-04T11:59:00Z'),
      ticksOf('2025-03-04T11:59:40Z'),
    ]);
  });

  it('G13: asks for a page only when the one before was taken', async () => {
    const { source, stop, graphAsked } = await open((_, n, origin) =>
      pageReply([alert(`${n}`)], next(origin, n)),
    );
    let taken = 0;
    for await (const _ of source.read(stored, stop.signal)) {
      taken += 1;
      expect(graphAsked).toHaveLength(taken);
      if (taken === 3) break;
    }
  });

  it('does not take a short or empty page for the end', async () => {
    const { read } = await open((_, n, origin) => {
      if (n === 0) return pageReply([], next(origin, 1));
      return n === 1 ? pageReply([alert('a')], next(origin, 2)) : pageReply([alert('b')]);
    });
    expect(idsOf(await read())).toEqual(['a', 'b']);
  });

  it('G11: goes on at the same page when the token expires in the middle', async () => {
    const { read, graphAsked } = await open(({ headers, query }, _, origin) => {
      const page = Number(query.get('$skiptoken')?.slice(1) ?? 0);
      if (page === 2 && headers.authorization === `Bearer ${aToken(0)}`) {
        return graphError(401, 'InvalidAuthenticationToken', 'The token is expired.');
      }
      return pageReply([alert(`${page}`)], page < 3 ? next(origin, page + 1) : undefined);
    });
    expect(idsOf(await read())).toEqual(['0', '1', '2', '3']);
    expect(graphAsked.map(({ query }) => query.get('$skiptoken'))).toEqual([null, 'p1', 'p2', 'p2', 'p3']);
  });

  it('sends neither request nor token after a next link to another origin', async () => {
    const other = await scriptGraph({ graph: () => pageReply([]) });
    const { read } = await open(() => pageReply([alert('a')], next(other.origin, 1)));
    await expect(read()).rejects.toMatchObject({ reason: 'answer' });
    expect(other.graphAsked).toEqual([]);
  });

  it('ends at a next link that comes again', async () => {
    const { read, graphAsked } = await open((_, n, origin) => pageReply([alert('a')], next(origin, n % 3)));
    await expect(read()).rejects.toMatchObject({
      reason: 'answer',
      message: expect.stringContaining('same next link'),
    });
    expect(graphAsked).toHaveLength(4);
  });

  it.each([
    ['has expired', 410, 1],
    ['is refused', 400, 1],
    ['fails for ever', 500, 5],
  ])('gives the reading up when its next link %s, and begins again', async (_, status, tries) => {
    let broken = true;
    const { read, graphAsked } = await open(({ query }, _n, origin) => {
      if (!query.has('$skiptoken')) return pageReply([alert('a')], next(origin, 1));
      return broken ? graphError(status, 'Broken', 'Sorry.') : pageReply([alert('b')]);
    });
    await expect(read()).rejects.toBeInstanceOf(UnavailableError);
    expect(graphAsked).toHaveLength(1 + tries);
    broken = false;
    expect(idsOf(await read())).toEqual(['a', 'b']);
  });
});

describe('an answer that is too large', () => {
  const big = (id: string) => ({ ...alert(id), title: 'x'.repeat(20_000) });

  it('is asked for in smaller pages, which grow again', async () => {
    const { read, graphAsked } = await open(({ query }) => {
      const top = Number(query.get('$top'));
      return pageReply(Array.from({ length: Math.min(top, 20) }, (_, n) => big(`${n}`)));
    });
    expect(idsOf(await read())).toHaveLength(3);
    expect(graphAsked.map(({ query }) => query.get('$top'))).toEqual([
      '250',
      '125',
      '62',
      '31',
      '15',
      '7',
      '3',
    ]);
    await read();
    expect(graphAsked.at(-2)?.query.get('$top')).toBe('6');
  });

  it('gives the reading up when a next link led there, and asks for less in the next', async () => {
    const { read, graphAsked } = await open(({ query }, _, origin) =>
      query.has('$skiptoken')
        ? pageReply(Array.from({ length: 20 }, (_, n) => big(`${n}`)))
        : pageReply([], `${origin}/v1.0/security/alerts_v2?$skiptoken=p`),
    );
    await expect(read()).rejects.toBeInstanceOf(UnavailableError);
    await expect(read()).rejects.toBeInstanceOf(UnavailableError);
    expect(graphAsked.map(({ query }) => query.get('$top'))).toEqual(['250', null, '125', null]);
  });

  it('says which setting to raise when one alert alone is larger', async () => {
    const { read, graphAsked } = await open(() => pageReply([{ ...alert('a'), title: 'x'.repeat(200_000) }]));
    await expect(read()).rejects.toThrow('larger than response.maxBytes (100000 bytes)');
    expect(graphAsked.at(-1)?.query.get('$top')).toBe('1');
  });
});

describe('read()', () => {
  it('G15: refuses a checkpoint that it cannot read, and asks for nothing', async () => {
    const { read, graphAsked } = await open(() => pageReply([]));
    await expect(read('{"version":7}')).rejects.toMatchObject({
      reason: 'other',
      message: expect.stringMatching(
        /checkpoint of source alerts in tenant contoso.*version is 7.*startFrom/s,
      ),
    });
    expect(graphAsked).toEqual([]);
  });

  it('does not move the watermark by an answer without Date, and loses nothing', async () => {
    const { read, log } = await open(() => (response) => {
      response.sendDate = false;
      response.end(JSON.stringify({ value: [alert('a')] }));
    });
    const pages = await read();
    expect(idsOf(pages)).toEqual(['a']);
    expect(pages[0]?.checkpoint).toBe(stored);
    expect(log.lines).toMatchObject([{ level: 'warn', message: expect.stringContaining('no Date') }]);
  });

  it('ends with an AbortError at the signal', async () => {
    const { read, stop } = await open(() => () => stop.abort());
    await expect(read()).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('S11: leaks neither token nor secret when all fails', async () => {
    const { read, log } = await open(({ headers }) => graphError(400, 'Bad', `${headers.authorization}`));
    const error = await read().catch((failure: unknown) => failure);
    const dump = inspect([error, log.lines], { depth: 20, showHidden: true });
    expect(dump).not.toContain('canary-token');
    expect(dump).not.toContain(CANARY_SECRET);
  });
});
