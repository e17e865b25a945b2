import { describe, expect, it } from 'vitest';
import { JournalUnavailableError, UnavailableError } from '../../src/core/errors.ts';
import type { AppendedFor, Cursor, JournalStats, Search, Searched } from '../../src/core/journal.ts';
import { type Retold, retold } from '../../src/core/record.ts';
import type { ReplayProgress, ReplayRequest } from '../../src/core/replay.ts';
import { isoOfTicks, ticksOfMs } from '../../src/core/ticks.ts';
import { type ReplayOptions, replay } from '../../src/pipeline/replay.ts';
import { aSourceRecord } from '../support/records.ts';

const at = (second: number) => ticksOfMs(Date.UTC(2026, 0, 1) + second * 1_000);
const iso = (second: number) => isoOfTicks(at(second));
const request: ReplayRequest = { sink: 'siem', from: iso(0), to: iso(100), maxPerSecond: 100 };

/** A journal in memory whose batches have one record each, of these seconds. */
class Scene {
  readonly seconds: readonly number[];
  readonly told: string[][] = [];
  readonly steps: ReplayProgress[] = [];
  readonly stop = new AbortController();
  /** What the sink has before it besides. */
  pending = 0;
  /** What the next calls of `appendFor` come to before it does as it is told. */
  readonly refusals: (AppendedFor | Error)[] = [];
  readonly gone = new Set<number>();
  broken = 0;
  searches: Search[] = [];
  clockMs = 0;

  constructor(...seconds: number[]) {
    this.seconds = seconds;
  }

  get journal(): ReplayOptions['journal'] {
    return {
      search: async (search) => this.#search(search),
      recordsAt: async (places) => {
        const records = places.flatMap((place) => (this.gone.has(place.batch) ? [] : [this.#at(place)]));
        return { places: places.length, records };
      },
      appendFor: async (_sink, _outcome, records) => {
        const refusal = this.refusals.shift();
        if (refusal instanceof Error) throw refusal;
        if (refusal) return refusal;
        this.told.push(records.map(({ id }) => id));
        return 'appended';
      },
      stats: async () => ({ sinks: [{ name: 'siem', pending: this.pending }] }) as unknown as JournalStats,
      available: async () => {},
    };
  }

  replay(overrides: Partial<ReplayRequest> = {}, options: Partial<ReplayOptions> = {}) {
    return replay(
      { ...request, ...overrides },
      {
        journal: this.journal,
        sources: [],
        isLive: true,
        steady: () => this.clockMs,
        wait: async (ms, signal) => {
          this.clockMs += ms;
          signal?.throwIfAborted();
        },
        ...options,
      },
      { signal: this.stop.signal, progress: (step) => void this.steps.push(step) },
    );
  }

  /** Two batches at a time. */
  #search(search: Search): Searched {
    this.searches.push(search);
    const batches = [search.after + 1, search.after + 2].filter((batch) => batch <= this.seconds.length);
    const found = batches
      .map((batch) => ({ revision: at(this.seconds[batch - 1]!), place: { batch, index: 0 } }))
      .filter(({ revision }) => revision >= search.from && revision < search.to);
    const last = batches.at(-1) ?? search.after;
    const sinceMs = Date.UTC(2026, 0, 1) + 5_000;
    return { found, broken: this.broken, after: last < this.seconds.length ? last : undefined, sinceMs };
  }

  #at({ batch }: Cursor): Retold {
    const id = String(this.seconds[batch - 1]);
    const revision = at(Number(id));
    return retold({ source: 'alerts', tenant: 'contoso' }, aSourceRecord({ id }, { revision }));
  }
}

/** A source that has records of these seconds, and notes what it was asked for. */
function listing(asked: [bigint, bigint][], seconds: readonly number[]) {
  return {
    tenant: 'contoso',
    async *list(from: bigint, to: bigint, signal: AbortSignal) {
      asked.push([from, to]);
      const records = seconds
        .filter((second) => at(second) >= from && at(second) < to)
        .map((second) => aSourceRecord({ id: String(second) }, { revision: at(second) }));
      yield { from, to, records };
      signal.throwIfAborted();
    },
  };
}

describe('replay()', () => {
  it('appends what lies in the range, the oldest first, and tells from when on the journal has all', async () => {
    const scene = new Scene(7, 3, 100, 5, -1, 3, 0);
    expect(await scene.replay()).toEqual({
      ended: 'done',
      from: iso(0),
      to: iso(100),
      upTo: iso(100),
      records: 5,
      listed: 0,
      gone: 0,
      broken: 0,
      journalSince: iso(5),
      notListed: { from: iso(0), to: iso(5) },
      unread: [],
    });
    expect(scene.told.flat()).toEqual(['0', '3', '3', '5', '7']);
    expect(scene.steps.at(-1)).toEqual({ doing: 'appending', records: 5, upTo: iso(100) });
  });

  it.each([1, 2, 3, 100])('finds all, however few places are kept at a time (%i)', async (mostFound) => {
    const seconds = [9, 4, 4, 4, 4, 1, 8, 2, 4, 7, 3];
    const scene = new Scene(...seconds);
    expect(await scene.replay({}, { mostFound })).toMatchObject({ ended: 'done', records: seconds.length });
    expect(scene.told.flat()).toEqual(seconds.toSorted((a, b) => a - b).map(String));
  });

  it('keeps to its rate', async () => {
    const scene = new Scene(...Array.from({ length: 60 }, (_, second) => second));
    await scene.replay({ maxPerSecond: 10 });
    expect(scene.clockMs).toBeGreaterThanOrEqual(5_500);
    expect(scene.clockMs).toBeLessThan(7_000);
    expect(Math.max(...scene.told.map(({ length }) => length))).toBe(3);
  });

  it('waits while the sink has much before it', async () => {
    const scene = new Scene(1, 2, 3);
    scene.pending = 5_000;
    const wait: ReplayOptions['wait'] = async (ms) => {
      scene.clockMs += ms;
      if (scene.steps.filter(({ doing }) => doing === 'waiting-for-sink').length === 3) scene.pending = 10;
    };
    expect(await scene.replay({}, { wait })).toMatchObject({ ended: 'done', records: 3 });
    expect(scene.clockMs).toBeGreaterThanOrEqual(3_000);
  });

  it('waits while there is no room, or the disk is at fault, and loses nothing', async () => {
    const scene = new Scene(1, 2);
    scene.refusals.push('no-room', new JournalUnavailableError('full'), 'no-room');
    expect(await scene.replay()).toMatchObject({ ended: 'done', records: 2 });
    expect(scene.told.flat()).toEqual(['1', '2']);
    expect(scene.steps.map(({ doing }) => doing)).toContain('waiting-for-room');
  });

  it('ends when it is stopped, and says from where to go on', async () => {
    const scene = new Scene(1, 2, 3, 4);
    const { journal } = scene;
    const stopping: ReplayOptions['journal'] = {
      ...journal,
      appendFor(...given) {
        if (scene.told.length === 1) scene.stop.abort();
        return journal.appendFor(...given);
      },
    };
    const stopped = await scene.replay({ maxPerSecond: 4 }, { journal: stopping });
    expect(stopped).toMatchObject({ ended: 'stopped', records: 2, upTo: iso(3) });
    const rest = new Scene(1, 2, 3, 4);
    await rest.replay({ from: stopped.upTo });
    expect([...scene.told, ...rest.told].flat()).toEqual(['1', '2', '3', '4']);
  });

  it('waits for nobody when no relay runs, and ends when there is no room', async () => {
    const scene = new Scene(...Array.from({ length: 600 }, (_, index) => index / 10));
    scene.pending = 5_000;
    const whole = await scene.replay({ maxPerSecond: 1 }, { isLive: false });
    expect(whole).toMatchObject({ ended: 'done', records: 600 });
    expect([scene.clockMs, scene.told.length]).toEqual([0, 3]);
    scene.refusals.push('no-room');
    expect(await scene.replay({}, { isLive: false })).toMatchObject({
      ended: 'full',
      records: 0,
      upTo: iso(0),
    });
  });

  it('counts what the journal has let go of before it was its turn', async () => {
    const scene = new Scene(1, 2, 3);
    scene.gone.add(1).add(2);
    expect(await scene.replay()).toMatchObject({ records: 1, gone: 2, upTo: iso(100) });
  });

  it('lists what came before the journal begins, without what that has, oldest first', async () => {
    // The journal has all since second 5, and of earlier times the seconds 3 and 4.
    const scene = new Scene(7, 3, 8, 4);
    const asked: [bigint, bigint][] = [];
    const source = listing(asked, [0, 2, 3, 4, 6]);
    expect(await scene.replay({}, { sources: [{ name: 'alerts', source }] })).toMatchObject({
      ended: 'done',
      records: 6,
      listed: 2,
      notListed: null,
      upTo: iso(100),
    });
    expect(scene.told.flat()).toEqual(['3', '4', '0', '2', '7', '8']);
    expect(asked).toEqual([[at(0), at(5)]]);
  });

  it('lists in stretches, and goes on from the one that it was stopped in', async () => {
    const hour = 3_600;
    const scene = new Scene();
    const asked: [bigint, bigint][] = [];
    const source = listing(asked, [hour, 7 * hour, 13 * hour]);
    const { journal } = scene;
    const sources = [{ name: 'alerts', source }];
    const empty: ReplayOptions['journal'] = {
      ...journal,
      search: async () => ({ found: [], broken: 0, after: undefined, sinceMs: undefined }),
      appendFor(...given) {
        if (scene.told.length === 1) scene.stop.abort();
        return journal.appendFor(...given);
      },
    };
    const range = { from: iso(0), to: iso(20 * hour) };
    const stopped = await scene.replay(range, { sources, journal: empty });
    expect(stopped).toMatchObject({ ended: 'stopped', records: 2, journalSince: null });
    expect(stopped.upTo).toBe(iso(6 * hour));
    expect(asked.map(([from]) => from)).toEqual([at(0), at(6 * hour)]);
  });

  it('says what a source could not read, and ends when it cannot be asked', async () => {
    const scene = new Scene();
    const unread = { at: at(1), to: at(2), reason: 'unreadable', detail: 'HTTP 500' } as const;
    const source = {
      tenant: 'contoso',
      async *list(from: bigint, to: bigint) {
        yield { from, to, records: [], unread };
        throw new UnavailableError('Graph is closed', { reason: 'server' });
      },
    };
    expect(await scene.replay({}, { sources: [{ name: 'alerts', source }] })).toMatchObject({
      ended: 'failed',
      problem: 'Graph is closed',
      upTo: iso(0),
      unread: [{ source: 'alerts', tenant: 'contoso', from: iso(1), to: iso(2), detail: 'HTTP 500' }],
    });
  });

  it('counts what cannot be read once, however often it is looked at', async () => {
    const scene = new Scene(1, 2, 3, 4);
    scene.broken = 5;
    // Two pieces in each of several rounds.
    expect(await scene.replay({}, { mostFound: 1 })).toMatchObject({ records: 4, broken: 10 });
  });

  it('tells of a sink that is not there, and of what is no time', async () => {
    const scene = new Scene(1);
    await expect(scene.replay({ sink: 'none' })).rejects.toThrow('the journal has no sink none');
    await expect(scene.replay({ from: 'noon' })).rejects.toThrow('"noon" is no time');
    scene.refusals.push('no-sink');
    await expect(scene.replay()).rejects.toThrow('the journal has no sink siem');
  });
});
