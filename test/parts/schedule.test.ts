import { expect, it, onTestFinished } from 'vitest';
import { UnavailableError } from '../../src/core/errors.ts';
import type { Reconciled } from '../../src/core/reconciled.ts';
import { ticksOfMs } from '../../src/core/ticks.ts';
import { reconcileBySchedule } from '../../src/parts/schedule.ts';
import { hour, noon, series } from '../support/alerts-scene.ts';
import { collectLog } from '../support/log.ts';
import { aWorld, hearing, idsOf, large, type World } from './world.ts';

const DAY_MS = 24 * hour;

/** The schedule at work, in a world whose clock stands until it is told to go on. */
function start(world: World, every: number | 'off' = DAY_MS) {
  const { journal, told } = hearing(world.journal);
  const log = collectLog();
  const compared: Reconciled[] = [];
  let looks = 0;
  const options = {
    settings: () => {
      looks++;
      return { every, window: 48 * hour };
    },
    comparable: world.comparable,
    journal,
    log,
    now: world.now,
    random: () => 0,
    compared: (result: Reconciled) => compared.push(result),
    lookMs: 1,
  };
  const stop = new AbortController();
  const ended = reconcileBySchedule(options, stop.signal);
  const end = async () => {
    stop.abort();
    await ended;
  };
  onTestFinished(end);
  return {
    told,
    compared,
    end,
    messages: () => log.lines.map(({ level, message }) => `${level} ${message}`),
    /** It has looked at all there is at least once since. */
    async look() {
      const before = looks;
      await expect.poll(() => looks, { timeout: 10_000, interval: 5 }).toBeGreaterThan(before + 1);
    },
  };
}

it('compares once in every so often, also after a restart, repairs what is missing, and tells', async () => {
  const world = await aWorld([{ name: 'siem' }], {
    sweep: { every: hour, window: hour },
    compared: 48 * hour,
  });
  const late = series(3, '09:00:00', 30).map((alert) => ({
    ...alert,
    id: `late ${alert.id}`,
    visibleMs: noon + hour,
  }));
  world.graph.alerts = [...series(4, '08:30:00', 60), ...late];
  const first = start(world);
  // It was never read.
  await first.look();
  await world.read();
  await first.look();
  await world.goOn(180, 30);
  await world.take('siem');
  await first.look();
  expect(first.compared).toEqual([]);
  await first.end();

  world.pass(DAY_MS - 3 * hour);
  await world.read();
  const { compared, told, messages, look, end } = start(world);
  await expect.poll(() => compared, { timeout: 10_000 }).toHaveLength(1);
  expect(compared[0]!.sinks).toMatchObject([{ sink: 'siem', given: 4, missing: 3, repaired: 3 }]);
  const found = { sink: 'siem', count: 3, source: 'alerts', tenant: 'contoso' };
  expect(told).toMatchObject([
    { ...found, kind: 'gap-found', reason: 'missing', sinceMs: noon - 3 * hour, untilMs: noon - 2 * hour },
    { ...found, kind: 'gap-repaired' },
  ]);
  expect(messages()).toEqual([
    'warn records were found missing: they have been put in the journal, as far as `repaired` says',
  ]);
  expect(idsOf(await world.take('siem'))).toEqual(idsOf(late));
  await look();
  expect(compared).toHaveLength(1);
  world.pass(DAY_MS);
  await expect.poll(() => compared, { timeout: 10_000 }).toHaveLength(2);
  expect(compared[1]!.sinks).toMatchObject([{ given: 7, missing: 0 }]);
  expect(messages().at(-1)).toBe('info compared with what the sinks were given: nothing is missing');
  expect(told).toHaveLength(2);
  await end();
});

it('K6: refills a gap as soon as its sink has come on, and says so', async () => {
  const world = await aWorld([{ name: 'siem' }, { name: 'lake', required: false }], { maxBytes: 2 ** 20 });
  await world.read();
  const raise = async (id: string, bytes: number) => {
    const revision = ticksOfMs(world.now() + 1_000);
    world.graph.alerts.push(large({ id, revision, created: revision }, bytes));
    await world.goOn(10);
    await world.take('siem');
  };
  for (let n = 0; (await world.journal.gaps()).length === 0; n++) await raise(`a${n}`, 60_000);
  const { told, messages, look } = start(world);
  await look();
  expect((await world.journal.gaps())[0]).toMatchObject({ open: true });
  const given = idsOf(await world.take('lake'));
  for (let n = 0; (await world.journal.gaps()).length > 0 && n < 20; n++) {
    await raise(`fresh${n}`, 10);
    world.pass(600_000);
    await look();
    given.push(...idsOf(await world.take('lake')));
  }
  expect(new Set(given)).toEqual(new Set(world.graph.alerts.map(({ id }) => id)));
  expect(given).toHaveLength(world.graph.alerts.length);
  expect(new Set(told.map(({ kind }) => kind))).toEqual(new Set(['gap-repaired']));
  expect(messages().at(-1)).toMatch(
    /^info a gap of sink lake, of at most \d+ records?, has been refilled with what its sources still have$/,
  );
});

it('K6: does not ask again and again for what cannot be compared yet', async () => {
  const world = await aWorld([{ name: 'siem' }, { name: 'lake', required: false }], { maxBytes: 2 ** 20 });
  await world.read();
  const raise = async (id: string, revision: bigint, bytes: number) => {
    world.graph.alerts.push(large({ id, revision, created: revision }, bytes));
    await world.goOn(10);
    await world.take('siem');
  };
  await raise('a', ticksOfMs(noon + 30 * DAY_MS), 10);
  for (let n = 0; (await world.journal.gaps()).length === 0; n++)
    await raise(`a${n}`, ticksOfMs(world.now() + 1_000), 60_000);
  await world.take('lake');
  await raise('b', ticksOfMs(world.now() + 1_000), 10);
  const { look } = start(world);
  await look();
  await world.take('lake');
  for (let round = 0; round < 6; round++) {
    await raise(`fresh${round}`, ticksOfMs(world.now() + 1_000), 10);
    await look();
    await world.take('lake');
  }
  expect(await world.journal.gaps()).toHaveLength(1);
  const { length } = world.graph.asked;
  world.pass(1_200_000);
  await look();
  await look();
  expect(world.graph.asked).toHaveLength(length);
  world.pass(DAY_MS);
  await expect.poll(() => world.graph.asked.length, { timeout: 10_000 }).toBeGreaterThan(length);
});

it('does nothing when it is off', async () => {
  const world = await aWorld([{ name: 'siem' }]);
  await world.read();
  const { look, compared } = start(world, 'off');
  world.pass(3 * DAY_MS);
  await look();
  expect(compared).toEqual([]);
  expect(await world.journal.reconciledAt(world.key)).toBeUndefined();
});

it('F1: a source that cannot be listed is told, and keeps no other from its turn', async () => {
  const world = await aWorld([{ name: 'siem' }]);
  world.graph.alerts = series(2, '11:00:00', 60);
  await world.read();
  const [good] = world.comparable().sources;
  const refusing = {
    tenant: 'contoso',
    standing: good!.source.standing.bind(good!.source),
    list() {
      throw new UnavailableError('Graph refuses', { reason: 'auth' });
    },
  };
  const bad = { name: 'bad', updates: 'all', source: refusing } as const;
  const append = {
    source: 'bad',
    tenant: 'contoso',
    reading: 'poll',
    records: [],
    dateMs: undefined,
  } as const;
  const checkpoint = (await world.journal.checkpoint(world.key))!;
  await world.journal.append({ ...append, checkpoint, floor: 0n, updates: 'all' });
  for (const source of ['bad', 'alerts'])
    await world.journal.noteReconciled({ source, tenant: 'contoso' }, world.now() - 2 * DAY_MS);
  const both = { ...world.comparable(), sources: [bad, good!] };
  const { compared, messages } = start({ ...world, comparable: () => both });
  await expect.poll(() => compared, { timeout: 10_000 }).toHaveLength(1);
  await expect.poll(messages).toContainEqual(expect.stringContaining('Graph refuses'));
});
