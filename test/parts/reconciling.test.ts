import { describe, expect, it } from 'vitest';
import { isoOfTicks, ticksOfMs } from '../../src/core/ticks.ts';
import { reconcileAll, refill } from '../../src/parts/reconciling.ts';
import { hour, noon, series } from '../support/alerts-scene.ts';
import { at, type ModelAlert } from '../support/model-graph.ts';
import { aWorld, idsOf, large, task, type World } from './world.ts';

const wish = (from: bigint, to: bigint, fix = false) => ({ from: isoOfTicks(from), to: isoOfTicks(to), fix });
const named = (prefix: string, alerts: readonly ModelAlert[]) =>
  alerts.map((alert, n) => ({ ...alert, id: `${prefix}${n}` }));

describe('what became visible only after the sweep had passed it', () => {
  /** A hundred alerts of before noon, that are there half an hour later; the sweep goes back an hour. */
  async function tooLate(): Promise<{ world: World; late: ModelAlert[] }> {
    const world = await aWorld([{ name: 'siem' }, { name: 'lake' }], {
      sweep: { every: hour, window: hour },
      compared: 48 * hour,
    });
    const late = named('late', series(100, '09:00:00', 30)).map((alert) => ({
      ...alert,
      visibleMs: noon + hour / 2,
    }));
    world.graph.alerts = [...series(150, '08:30:00', 60), ...late];
    await world.read();
    await world.goOn(150);
    return { world, late };
  }

  it('is found, all of it and nothing else, and delivered to each sink once, and nothing else is', async () => {
    const { world, late } = await tooLate();
    expect(await world.take('siem')).toHaveLength(150);
    expect(await world.take('lake')).toHaveLength(150);
    const [from, to] = [at('00:00:00'), ticksOfMs(world.now())];
    const all = () => reconcileAll(world.comparable(), world.journal, wish(from, to), task());
    const found = (await all()).sources[0]!;
    expect(found).toMatchObject({ complete: true, listed: 250, unread: [] });
    expect(found.sinks).toMatchObject([
      { sink: 'siem', given: 150, missing: 100 },
      { sink: 'lake', given: 150, missing: 100 },
    ]);
    expect(await world.take('siem')).toEqual([]);

    const fixed = await reconcileAll(world.comparable(), world.journal, wish(from, to, true), task());
    expect(fixed.sources[0]!.sinks).toMatchObject([
      { missing: 100, repaired: 100 },
      { missing: 100, repaired: 100 },
    ]);
    // To do it twice changes nothing.
    await reconcileAll(world.comparable(), world.journal, wish(from, to, true), task());
    for (const sink of ['siem', 'lake']) {
      const given = await world.take(sink);
      expect(idsOf(given)).toEqual(idsOf(late));
      expect(new Set(given.map(({ outcome }) => outcome))).toEqual(new Set(['repair']));
    }
    expect((await all()).sources[0]!.sinks).toMatchObject([
      { given: 250, missing: 0 },
      { given: 250, missing: 0 },
    ]);
    await world.goOn(70);
    expect(await world.take('siem')).toEqual([]);
  });

  it('is repaired to its end when it was ended in the middle, and nothing of it twice', async () => {
    const { world, late } = await tooLate();
    world.graph.clamp = 20;
    const [from, to] = [at('00:00:00'), ticksOfMs(world.now())];
    const stop = new AbortController();
    let windows = 0;
    const progress = () => {
      windows++;
      if (windows === 8) stop.abort();
    };
    const half = await reconcileAll(world.comparable(), world.journal, wish(from, to, true), {
      signal: stop.signal,
      progress,
    });
    expect(half.sources[0]).toMatchObject({ complete: false });
    await reconcileAll(world.comparable(), world.journal, wish(from, to, true), task());
    const given = await world.take('siem');
    expect(idsOf(given.filter(({ outcome }) => outcome === 'repair'))).toEqual(idsOf(late));
    expect(given).toHaveLength(250);
  });

  it('is not told when the alert has changed between the listing and the look at the journal', async () => {
    const { world } = await tooLate();
    const moving = world.graph.alerts.find(({ id }) => id === 'late7')!;
    const { compare } = world.journal;
    const journal = Object.assign(Object.create(world.journal), {
      checkpoint: world.journal.checkpoint.bind(world.journal),
      follows: world.journal.follows.bind(world.journal),
      repair: world.journal.repair.bind(world.journal),
      room: world.journal.room.bind(world.journal),
      gaps: world.journal.gaps.bind(world.journal),
      closeGap: world.journal.closeGap.bind(world.journal),
      async compare(window: Parameters<typeof compare>[0]) {
        const before = moving.revision;
        if (window.from <= before && before < window.to) {
          world.pass(1_000);
          moving.revision = ticksOfMs(world.now() - 500);
          moving.visibleMs = 0;
          await world.read();
        }
        return await compare.call(world.journal, window);
      },
    });
    const range = wish(at('00:00:00'), at('12:00:00'), true);
    const { sources } = await reconcileAll(world.comparable(), journal, range, task());
    expect(sources[0]!.sinks).toMatchObject([{ missing: 99, replaced: 1 }, { missing: 99 }]);
    const given = (await world.take('siem')).filter(({ id }) => id === 'late7');
    expect(given.map(({ outcome }) => outcome)).toEqual(['new']);
  });
});

describe('what a changed match had filtered', () => {
  it('is never counted as given; with --fix the sink gets what it wants by now, and no other sink does', async () => {
    const world = await aWorld([{ name: 'siem' }, { name: 'lake' }]);
    world.graph.alerts = series(20, '11:00:00', 60).map((alert, n) => ({
      ...alert,
      severity: n % 2 === 0 ? 'high' : 'low',
    }));
    await world.read();
    await world.take('siem', ({ severity }) => severity === 'high');
    await world.take('lake');
    const range = (fix: boolean) => wish(at('00:00:00'), at('11:40:00'), fix);
    const compare = async (fix = false) =>
      (await reconcileAll(world.comparable(), world.journal, range(fix), task())).sources[0]!.sinks;
    world.matches.set('siem', { severity: ['high'] });
    expect(await compare()).toMatchObject([{ given: 10, filtered: 10, missing: 0 }, { given: 20 }]);
    world.matches.delete('siem');
    await world.register({ shape: 'another' });
    expect(await compare(true)).toMatchObject([{ given: 10, missing: 10, repaired: 10 }, { given: 20 }]);
    expect((await world.take('siem')).map(({ severity }) => severity)).toEqual(Array(10).fill('low'));
    expect(await world.take('lake')).toEqual([]);
    expect(await compare(true)).toMatchObject([{ given: 20, missing: 0 }, { given: 20 }]);
  });
});

describe('a gap', () => {
  const ALERTS = 130;

  /** A sink that is not required takes nothing until the journal has let go of much of what waits for it. */
  async function aGap(): Promise<World> {
    const world = await aWorld([{ name: 'siem' }, { name: 'lake', required: false }], { maxBytes: 2 ** 20 });
    await world.read();
    for (let n = 0; n < ALERTS; n += 10) {
      for (let each = n; each < n + 10; each++) {
        const revision = ticksOfMs(world.now() + each * 1_000);
        world.graph.alerts.push(large({ id: `a${each}`, revision, created: revision }));
      }
      await world.goOn(10);
      await world.take('siem');
    }
    return world;
  }

  it('K6: is refilled with all that Graph still shows of it once its sink has come on, in free room, and then closed', async () => {
    const world = await aGap();
    const [open] = await world.journal.gaps();
    expect(open).toMatchObject({ sink: 'lake', open: true });
    const early = await refill(open!, world.comparable(), world.journal, task());
    expect(early.gaps).toEqual([]);
    expect(early.sources.flatMap(({ left }) => left)).toEqual([
      { sink: 'lake', why: 'not-back', records: open!.records },
    ]);

    const given = await world.take('lake');
    expect(given.length).toBeLessThan(ALERTS);
    // One has been deleted, and one has changed: that is told by the ordinary way.
    const [gone, changed] = world.graph.alerts as [ModelAlert, ModelAlert];
    world.graph.alerts.splice(0, 1);
    changed.revision = ticksOfMs(world.now() + 60_000);
    await world.goOn(10);
    given.push(...(await world.take('lake')));

    const refilled: string[] = [];
    for (let round = 0; round < 20; round++) {
      const [gap] = await world.journal.gaps();
      if (!gap) break;
      await refill(gap, world.comparable(), world.journal, task());
      const next = (await world.take('lake')).filter(({ id }) => !id.startsWith('fresh'));
      // What was delivered goes when it is behind all sinks.
      const revision = ticksOfMs(world.now() + 60_000);
      world.graph.alerts.push({ id: `fresh${round}`, revision, created: revision });
      await world.goOn(10);
      await world.take('siem');
      expect(next.map(({ outcome }) => outcome)).toEqual(next.map(() => 'repair'));
      refilled.push(...idsOf(next));
    }
    expect(await world.journal.gaps()).toEqual([]);
    expect(refilled).not.toContain(gone.id);
    expect(new Set(refilled).size).toBe(refilled.length);
    const shown = world.graph.alerts.filter(({ id }) => !id.startsWith('fresh'));
    expect([...new Set([...refilled, ...idsOf(given)])].sort()).toEqual(idsOf(shown));
    expect(await world.take('siem')).toEqual([]);
  });

  it('K6: of a source that has left the config is let go of, and that is told', async () => {
    const world = await aGap();
    await world.take('lake');
    const [gap] = await world.journal.gaps();
    const { records } = gap!;
    const without = { ...world.comparable(), sources: [] };
    expect(await refill(gap!, without, world.journal, task())).toEqual({
      sources: [],
      gaps: [{ sink: 'lake', records, lost: records }],
    });
    expect(await world.journal.gaps()).toEqual([]);
  });
});
