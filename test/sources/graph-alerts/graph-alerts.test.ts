import { inspect } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { UnavailableError } from '../../../src/core/errors.ts';
import type { Page } from '../../../src/core/source.ts';
import { ticksOf } from '../../../src/core/ticks.ts';
import { openGraph } from '../../../src/net/graph.ts';
import { formatCheckpoint, parseCheckpoint } from '../../../src/sources/graph-alerts/checkpoint.ts';
import { GraphAlerts, type GraphAlertsSettings } from '../../../src/sources/graph-alerts/source.ts';
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
const hour = 3_600_000;

type Alert = ReturnType<typeof anAlert>;
type Script = (asked: Asked, n: number, origin: string) => Reply;

/** A page of a list as Graph sends it. */
function pageReply(alerts: readonly unknown[], more: { next?: string; count?: number } = {}): Reply {
  const { next, count = alerts.length } = more;
  return {
    headers: { date: NOON },
    body: {
      '@odata.count': count,
      value: alerts,
      ...(next !== undefined && { '@odata.nextLink': next }),
    },
  };
}

const alert = (id: string, time = '11:59:30Z', more = {}): Alert =>
  anAlert({ id, lastUpdateDateTime: `2025-03-04T${time}`, ...more });

/** Answers with those alerts that were asked for, by so many on a page. */
function listOf(alerts: readonly Alert[], size = 250, follow?: (page: number) => Reply | undefined): Script {
  return ({ query }, _, origin) => {
    const wanted = alerts.filter((each) => isIn(query.get('$filter') ?? '', each));
    const top = Math.min(size, Number(query.get('$top')));
    const page = Number(query.get('$skiptoken')?.slice(1) ?? 0);
    const inItsPlace = page > 0 ? follow?.(page) : undefined;
    if (inItsPlace) return inItsPlace;
    const goesOn = (page + 1) * top < wanted.length;
    const again = new URLSearchParams({ ...Object.fromEntries(query), $skiptoken: `p${page + 1}` });
    return pageReply(wanted.slice(page * top, (page + 1) * top), {
      count: wanted.length,
      ...(goesOn && { next: `${origin}/v1.0/security/alerts_v2?${again}` }),
    });
  };
}

/** Whether an alert lies between the `ge` and the `lt` of a filter. */
function isIn(filter: string, { lastUpdateDateTime }: Alert): boolean {
  const bound = (operator: string) =>
    ticksOf(new RegExp(`lastUpdateDateTime ${operator} (\\S+)`).exec(filter)?.[1]);
  const time = ticksOf(lastUpdateDateTime)!;
  const [from = 0n, to] = [bound('ge'), bound('lt')];
  return time >= from && (to === undefined || time < to);
}

const begin = {
  start: ticksOf('2025-03-01T00:00:00Z')!,
  watermark: ticksOf('2025-03-04T11:59:00Z')!,
  readAt: { overlap: noon - 60_000, sweep: noon - 60_000 },
  open: [],
  unreadable: [],
};
const stored = formatCheckpoint(begin);

/** A source against a server that answers by script; the script is given the server's origin, for next links. */
async function open(script: Script, settings: Partial<GraphAlertsSettings> = {}, now = noon) {
  const scripted = await scriptGraph({ graph: (asked, n) => script(asked, n, scripted.origin) });
  const log = collectLog();
  const graph = openGraph(scripted.settings, {
    log,
    observer: { requested: () => {}, throttled: () => {} },
    backoff: { initialMs: 1, maxMs: 4 },
  });
  onTestFinished(() => graph.close());
  const source = new GraphAlerts(
    {
      every: 30_000,
      settle: 10_000,
      overlap: 600_000,
      sweep: { every: hour, window: 24 * hour },
      compared: 48 * 3_600_000,
      startFrom: 24 * hour,
      response: { maxBytes: 100_000 },
      filter: { serviceSource: [], severity: [], status: [] },
      ...settings,
    },
    { name: 'alerts', graph, log, now: () => now, steady: () => 0, miscounted: () => {} },
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
const allOf = (pages: readonly Page[]) => [...new Set(idsOf(pages))].sort();
const filterOf = (asked: Asked | undefined) => asked?.query.get('$filter');
const lastOf = (pages: readonly Page[]) => parseCheckpoint(pages.at(-1)?.checkpoint ?? '');

describe('the first reading', () => {
  it.each([
    ['right', noon],
    ['slow', noon - hour],
    ['fast', noon + 24 * hour],
  ])('G16: begins `startFrom` before the server’s time, whatever our clock says (%s)', async (_, now) => {
    const { readFirst, graphAsked } = await open(listOf([alert('a')]), {}, now);
    const pages = await readFirst();
    expect(graphAsked.map(filterOf)).toEqual([
      null,
      'lastUpdateDateTime ge 2025-03-04T11:59:50.0000000Z',
      'lastUpdateDateTime ge 2025-03-03T12:00:00.0000000Z and lastUpdateDateTime lt 2025-03-04T12:00:00.0000000Z',
    ]);
    expect(idsOf(pages)).toEqual(['a']);
  });

  it('keeps its start before it reads, so that a crash does not move it', async () => {
    const { source, stop, read, graphAsked } = await open(listOf([alert('a')]));
    for await (const { records, checkpoint } of source.read(undefined, stop.signal)) {
      expect(records).toEqual([]);
      expect(graphAsked).toHaveLength(1);
      expect(idsOf(await read(checkpoint))).toEqual(['a']);
      break;
    }
    expect(filterOf(graphAsked[2])).toContain('ge 2025-03-03T12:00:00.0000000Z');
  });

  it('begins at a fixed time', async () => {
    const { readFirst } = await open(listOf([]), { startFrom: '2025-03-01T01:00:00+01:00' });
    const [first] = await readFirst();
    expect(parseCheckpoint(first?.checkpoint ?? '')).toMatchObject({
      start: ticksOf('2025-03-01T00:00:00Z'),
      open: [{ kind: 'backfill', from: ticksOf('2025-03-01T00:00:00Z') }],
    });
  });
});

describe('a poll', () => {
  it('G3: asks with `ge` and without an order, so that of several alerts with one time none is skipped', async () => {
    const { read, graphAsked } = await open(listOf([alert('a'), alert('b')]));
    const [page] = await read();
    expect(Object.fromEntries(graphAsked[0]!.query)).toEqual({
      $filter: 'lastUpdateDateTime ge 2025-03-04T11:58:50.0000000Z',
      $top: '250',
      $count: 'true',
    });
    expect(page?.watermark).toBe(ticksOf('2025-03-04T11:59:30Z'));

    const again = await read(page?.checkpoint);
    expect(filterOf(graphAsked[1])).toBe('lastUpdateDateTime ge 2025-03-04T11:59:20.0000000Z');
    expect(idsOf(again)).toEqual(['a', 'b']);
  });

  it('G2: asks for what was changed, not for what was created', async () => {
    const old = alert('old', '11:59:30Z', { createdDateTime: '2025-02-01T00:00:00Z', status: 'resolved' });
    const { read, graphAsked } = await open(listOf([old]));
    expect(idsOf(await read())).toEqual(['old']);
    expect(graphAsked.map(filterOf).join()).not.toContain('createdDateTime');
  });

  it('G1: is followed by the whole overlap when that is due', async () => {
    const { read, graphAsked } = await open(listOf([]));
    const due = { ...begin, readAt: { overlap: noon - 300_000, sweep: noon } };
    const pages = await read(formatCheckpoint(due));
    expect(graphAsked.map(filterOf)).toEqual([
      'lastUpdateDateTime ge 2025-03-04T11:58:50.0000000Z',
      'lastUpdateDateTime ge 2025-03-04T11:45:00.0000000Z and lastUpdateDateTime lt 2025-03-04T11:59:00.0000000Z',
    ]);
    expect(lastOf(pages)).toMatchObject({ open: [], readAt: { overlap: noon, sweep: noon } });
  });

  it('keeps rows that were not asked for, tells once of what is no alert, and goes on', async () => {
    const old = anAlert({ id: 'old', lastUpdateDateTime: '2020-01-01T00:00:00Z' });
    const { read, log } = await open(() => pageReply([old, null, alert('a')]));
    expect(idsOf(await read())).toEqual(['old', 'a']);
    await read();
    expect(log.lines.map(({ level }) => level)).toEqual(['warn']);
  });

  it('R4: delivers an alert from the future, tells it, and does not follow it', async () => {
    const future = anAlert({ id: 'f', lastUpdateDateTime: '2030-01-01T00:00:00Z' });
    const { read, log } = await open(listOf([future, alert('a')]));
    const pages = await read();
    expect(idsOf(pages)).toEqual(['f', 'a']);
    expect(pages[0]?.watermark).toBe(ticksOf('2025-03-04T11:59:30Z'));
    expect(log.lines).toMatchObject([{ level: 'warn', fields: { id: 'f' } }]);
  });
});

describe('more than fits on a page', () => {
  const series = (count: number) =>
    Array.from({ length: count }, (_, n) => alert(`a${n}`, `11:59:${String(10 + n).padStart(2, '0')}Z`));

  it('G7, G27: is read in closed windows; only one that was read whole moves the watermark', async () => {
    const { read, graphAsked } = await open(listOf(series(40), 10));
    const pages = await read();
    expect(allOf(pages)).toHaveLength(40);
    expect(pages[0]?.watermark).toBe(begin.watermark);
    expect(pages.at(-1)?.watermark).toBe(ticksOf('2025-03-04T11:59:49Z'));
    const [first, ...windows] = graphAsked.map(filterOf);
    expect(first).not.toContain(' lt ');
    expect(windows.every((filter) => filter?.includes(' lt '))).toBe(true);
    expect(graphAsked.some(({ query }) => query.has('$skiptoken'))).toBe(false);
  });

  it('G13: is asked for only when what came before was taken', async () => {
    const { source, stop, graphAsked } = await open(listOf(series(40), 10));
    let taken = 0;
    for await (const page of source.read(stored, stop.signal)) {
      if (page.dateMs !== undefined) taken += 1;
      expect(graphAsked.length).toBe(taken);
      if (taken === 3) break;
    }
  });

  it('does not take a short or empty page for the end', async () => {
    const list = listOf([alert('a')]);
    const { read } = await open((asked, n, origin) =>
      n === 0
        ? pageReply([], { next: `${origin}/v1.0/security/alerts_v2?$skiptoken=p0&$top=9` })
        : list(asked, n, origin),
    );
    expect(allOf(await read())).toEqual(['a']);
  });
});

describe('a tie of more than fits on a page', () => {
  const tie = Array.from({ length: 40 }, (_, n) => alert(`a${n}`));
  const skips = (graphAsked: readonly Asked[]) => graphAsked.map(({ query }) => query.get('$skiptoken'));

  it('G5: is paged, and read again until a reading brings nothing new', async () => {
    const { read, graphAsked } = await open(listOf(tie, 10));
    const pages = await read();
    expect(allOf(pages)).toHaveLength(40);
    expect(lastOf(pages).unreadable).toEqual([]);
    expect(graphAsked.length).toBeLessThan(20);
  });

  it('G11: goes on at the same page when the token expires in the middle', async () => {
    const { read, graphAsked } = await open((asked, n, origin) => {
      if (asked.query.get('$skiptoken') === 'p2' && asked.headers.authorization === `Bearer ${aToken(0)}`) {
        return graphError(401, 'InvalidAuthenticationToken', 'The token is expired.');
      }
      return listOf(tie, 10)(asked, n, origin);
    });
    expect(allOf(await read())).toHaveLength(40);
    expect(skips(graphAsked).join()).toContain(',p1,p2,p2,p3,');
  });

  it('is read as far as it can be when a next link leads to another origin, which gets neither request nor token', async () => {
    const other = await scriptGraph({ graph: () => pageReply([]) });
    const list = listOf(tie, 10);
    const { read } = await open((asked, n, origin) => {
      const reply = list(asked, n, origin);
      return JSON.parse(JSON.stringify(reply).replaceAll(`${origin}/v1.0`, `${other.origin}/v1.0`));
    });
    const pages = await read();
    expect(idsOf(pages).length).toBeGreaterThan(0);
    expect(pages.flatMap(({ unread = [] }) => unread)).toMatchObject([{ reason: 'too-many' }]);
    expect(other.graphAsked).toEqual([]);
    expect(other.tokensAsked).toEqual([]);
  });

  it('ends at a next link that comes again, and sets aside what it does not lead to', async () => {
    const list = listOf(tie, 10);
    const { read, graphAsked } = await open(({ query, ...asked }, n, origin) => {
      // However often it is followed, page 2 leads to page 2.
      const page = query.get('$skiptoken') ? 'p1' : undefined;
      const again = new URLSearchParams(query);
      if (page) again.set('$skiptoken', page);
      const reply = list({ ...asked, query: again }, n, origin);
      return JSON.parse(JSON.stringify(reply).replaceAll('skiptoken=p2', 'skiptoken=p1'));
    });
    const pages = await read();
    expect(allOf(pages)).toHaveLength(20);
    expect(pages.flatMap(({ unread = [] }) => unread)).toMatchObject([{ reason: 'too-many' }]);
    expect(graphAsked.length).toBeLessThan(60);
  });

  it.each([
    ['has expired', 410],
    ['is refused', 400],
    ['fails for ever', 500],
  ])('G8, G10: is set aside while its next link %s, and read again when it can be', async (_, status) => {
    let broken = true;
    const fails = () => (broken ? graphError(status, 'Broken', 'Sorry.') : undefined);
    const { read } = await open(listOf([...tie, alert('after', '11:59:40Z')], 10, fails));
    const pages = await read();
    expect(allOf(pages)).toContain('after');
    const at = ticksOf('2025-03-04T11:59:30Z')!;
    const aside = { from: at, to: at + 1n, retryAt: noon + hour };
    expect(lastOf(pages).unreadable).toEqual([aside]);
    expect(pages.flatMap(({ unread = [] }) => unread)).toMatchObject([{ at }]);
    broken = false;
    const again = await read(
      formatCheckpoint({ ...lastOf(pages), unreadable: [{ ...aside, retryAt: noon }] }),
    );
    expect(allOf([...pages, ...again])).toHaveLength(41);
    expect(again.flatMap(({ readAgain = [] }) => readAgain)).toEqual([at]);
    expect(lastOf(again).unreadable).toEqual([]);
  });
});

describe('an answer that is too large', () => {
  const big = (id: string, time: string) => alert(id, time, { title: 'x'.repeat(20_000) });

  it('G20: is asked for in smaller windows, until it fits', async () => {
    const alerts = Array.from({ length: 20 }, (_, n) => big(`a${n}`, `11:59:${20 + n}Z`));
    const { read } = await open(listOf(alerts));
    const pages = await read();
    expect(allOf(pages)).toHaveLength(20);
    expect(pages.flatMap(({ unread = [] }) => unread)).toEqual([]);
  });

  it('is asked for in smaller pages where it is a tie, also when that is tried again', async () => {
    const alerts = Array.from({ length: 12 }, (_, n) => big(`a${n}`, '11:59:30Z'));
    const { read } = await open(listOf(alerts));
    expect(allOf(await read())).toHaveLength(12);
    const from = ticksOf('2025-03-04T11:59:30Z')!;
    const aside = { ...begin, unreadable: [{ from, to: from + 1n, retryAt: 0 }] };
    const again = await open(listOf(alerts));
    const pages = await again.read(formatCheckpoint(aside));
    expect(allOf(pages)).toHaveLength(12);
    expect(lastOf(pages).unreadable).toEqual([]);
  });

  it('says which setting to raise when one alert alone is larger, and goes on', async () => {
    const huge = alert('huge', '11:59:30Z', { title: 'x'.repeat(200_000) });
    const { read, graphAsked } = await open(listOf([huge, alert('a', '11:59:40Z')]));
    const pages = await read();
    expect(allOf(pages)).toEqual(['a']);
    const [unread] = pages.flatMap((page) => page.unread ?? []);
    expect(unread).toMatchObject({ reason: 'too-large' });
    expect(unread?.detail).toMatch(/more than 100000 bytes; set response.maxBytes higher$/);
    expect(graphAsked.map(({ query }) => query.get('$top'))).toContain('1');
  });
});

describe('read()', () => {
  it('G15: refuses a checkpoint that it cannot read, and asks for nothing', async () => {
    const { read, graphAsked } = await open(listOf([]));
    await expect(read('{"version":7}')).rejects.toMatchObject({
      reason: 'other',
      message: expect.stringMatching(
        /checkpoint of source alerts in tenant contoso.*version is 7.*startFrom/s,
      ),
    });
    expect(graphAsked).toEqual([]);
  });

  it('G9, R6: reads again what came incomplete', async () => {
    const list = listOf([alert('a'), alert('b')]);
    const { read, graphAsked } = await open((asked, n, origin) => {
      if (n > 0) return list(asked, n, origin);
      const warning = '199 - "Microsoft Defender for Endpoint/timeout"';
      return { ...pageReply([alert('a')]), status: 206, headers: { date: NOON, warning } };
    });
    expect(idsOf(await read())).toEqual(['a', 'b']);
    expect(graphAsked).toHaveLength(2);
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
    expect(error).toBeInstanceOf(UnavailableError);
    const dump = inspect([error, log.lines], { depth: 20, showHidden: true });
    expect(dump).not.toContain('canary-token');
    expect(dump).not.toContain(CANARY_SECRET);
  });
});
