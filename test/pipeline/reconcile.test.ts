import { describe, expect, it } from 'vitest';
import { UnavailableError } from '../../src/core/errors.ts';
import type { Compared, Fate, Repair, Repaired } from '../../src/core/journal.ts';
import type { Match } from '../../src/core/match.ts';
import type { ReconcileStep } from '../../src/core/reconciled.ts';
import type { SourceRecord } from '../../src/core/record.ts';
import type { Listed, Standing } from '../../src/core/source.ts';
import { ticksOf } from '../../src/core/ticks.ts';
import { abortError } from '../../src/lib/wait.ts';
import { type ReconcileOptions, reconcile } from '../../src/pipeline/reconcile.ts';
import { aSourceRecord } from '../support/records.ts';

const at = (time: string): bigint => ticksOf(`2025-03-04T${time}Z`)!;
const from = at('08:00:00');
const to = at('11:00:00');

/** An alert and what the journal says of it, for each sink. */
interface Case {
  readonly time: string;
  readonly fates: Readonly<Record<string, Fate>>;
  readonly more?: Parameters<typeof aSourceRecord>[0];
}

const recordOf = ({ time, more }: Case, n: number): SourceRecord =>
  aSourceRecord({ id: `a${n}`, lastUpdateDateTime: `2025-03-04T${time}Z`, ...more });

/** A source that lists the cases in windows of an hour, and a journal that knows of them what they say. */
function scene(
  cases: readonly Case[],
  settings: Partial<Standing> = {},
  matches: Record<string, Match> = {},
) {
  const records = cases.map(recordOf);
  const names = [...new Set(cases.flatMap(({ fates }) => Object.keys(fates)))];
  let standing: Standing | undefined = {
    start: at('00:00:00'),
    watermark: at('12:00:00'),
    open: [],
    ...settings,
  };
  const world = {
    extra: [] as Compared['extra'],
    windows: [] as Listed[],
    repairs: [] as Repair[],
    repairing: ({ records }: Repair): Repaired => ({ records: records.length }),
    before: (_: Listed) => {},
    /** The source has never been read. */
    unread() {
      standing = undefined;
    },
  };
  const options: ReconcileOptions = {
    name: 'alerts',
    source: {
      tenant: 'contoso',
      standing: () => standing!,
      async *list(begin, end) {
        const hour = 36_000_000_000n;
        for (let time = begin; time < end; time += hour) {
          const until = time + hour < end ? time + hour : end;
          const inside = records.filter(({ revision }) => revision >= time && revision < until);
          const window = { from: time, to: until, records: inside };
          world.before(window);
          world.windows.push(window);
          yield window;
        }
      },
    },
    journal: {
      checkpoint: async () => (standing ? '{}' : undefined),
      compare: async (window) => ({
        fates: new Map(
          names.map((name) => [
            name,
            window.records.map(({ id }) => cases[Number(id.slice(1))]!.fates[name] ?? 'unknown'),
          ]),
        ),
        extra: world.extra,
      }),
      room: async () => {},
      repair: async (missing) => {
        world.repairs.push(missing);
        return world.repairing(missing);
      },
      follows: async (_, ids) => ids.map(({ id }) => id === 'a1'),
    },
    sinks: names.map((name) => ({ name, match: matches[name] ?? {} })),
    from,
    to,
    byPresentMatch: false,
    updates: 'all',
    fix: false,
  };
  const steps: ReconcileStep[] = [];
  const stop = new AbortController();
  const run = (more: Partial<ReconcileOptions> = {}) =>
    reconcile({ ...options, ...more }, { signal: stop.signal, progress: (step) => steps.push(step) });
  return { world, run, steps, stop };
}

describe('reconcile()', () => {
  it('sums up what became of each record at each sink, and where something is not simply there', async () => {
    const product = { serviceSource: 'microsoftDefenderForIdentity' };
    const { run, steps } = scene([
      { time: '08:10:00', fates: { siem: 'given', lake: 'given' } },
      { time: '08:20:00', fates: { siem: 'unread', lake: 'unread' } },
      { time: '08:30:00', fates: { siem: 'unread', lake: 'unread' }, more: product },
      { time: '09:10:00', fates: { siem: 'waiting', lake: 'in-gap' } },
      { time: '10:10:00', fates: { siem: 'unknown', lake: 'refused' } },
      { time: '10:20:00', fates: { siem: 'replaced', lake: 'unwanted' } },
    ]);
    const none = {
      given: 0,
      waiting: 0,
      filtered: 0,
      refused: 0,
      missing: 0,
      unknown: 0,
      replaced: 0,
      repaired: 0,
    };
    const found = await run();
    expect(found).toMatchObject({
      source: 'alerts',
      tenant: 'contoso',
      from: '2025-03-04T08:00:00.0000000Z',
      to: '2025-03-04T11:00:00.0000000Z',
      complete: true,
      listed: 6,
      notes: [],
      sinks: [
        { ...none, sink: 'siem', given: 1, missing: 2, waiting: 1, unknown: 1, replaced: 1 },
        { ...none, sink: 'lake', given: 1, missing: 3, refused: 1, filtered: 1 },
      ],
    });
    const row = { missing: 0, waiting: 0, unknown: 0 };
    const [eight, nine, ten] = ['08', '09', '10'].map((hour) => `2025-03-04T${hour}:00:00.000Z`);
    const endpoint = 'microsoftDefenderForEndpoint';
    expect(found.deviations).toEqual([
      { ...row, sink: 'lake', product: endpoint, hour: eight, missing: 1 },
      { ...row, sink: 'lake', product: 'microsoftDefenderForIdentity', hour: eight, missing: 1 },
      { ...row, sink: 'lake', product: endpoint, hour: nine, missing: 1 },
      { ...row, sink: 'siem', product: endpoint, hour: eight, missing: 1 },
      { ...row, sink: 'siem', product: 'microsoftDefenderForIdentity', hour: eight, missing: 1 },
      { ...row, sink: 'siem', product: endpoint, hour: nine, waiting: 1 },
      { ...row, sink: 'siem', product: endpoint, hour: ten, unknown: 1 },
    ]);
    expect(steps.map(({ listed, missing }) => [listed, missing])).toEqual([
      [0, 0],
      [3, 2],
      [4, 3],
      [6, 3],
    ]);
  });

  it('what the source still comes to by itself waits; a gap does not', async () => {
    const fates = { siem: 'unread', lake: 'in-gap' } as const;
    const open = [{ from: at('08:00:00'), to: at('09:00:00') }, { from: at('10:00:00') }];
    const times = ['08:10:00', '09:10:00', '10:10:00'];
    const { run } = scene(
      times.map((time) => ({ time, fates })),
      { open },
    );
    const { sinks } = await run();
    expect(sinks).toMatchObject([
      { sink: 'siem', waiting: 2, missing: 1 },
      { sink: 'lake', waiting: 0, missing: 3 },
    ]);
  });

  it('R8: nothing is missing for a sink that does not want it; an id that is followed is wanted', async () => {
    const low = { severity: 'low' };
    const fates = { siem: 'unread', lake: 'unread' } as const;
    const { run } = scene(
      ['08:10:00', '08:20:00', '08:30:00'].map((time) => ({ time, fates, more: low })),
      {},
      { siem: { severity: ['high'] } },
    );
    expect((await run()).sinks).toMatchObject([
      { sink: 'siem', missing: 1, filtered: 2 },
      { sink: 'lake', missing: 3, filtered: 0 },
    ]);
  });

  it('what an earlier match has filtered is never "given"; it is missing to those who go by the present one', async () => {
    const cases = (['filtered-before', 'filtered-before', 'filtered'] as const).map((siem, n) => ({
      time: `08:${n}0:00`,
      fates: { siem },
      more: { severity: n === 0 ? 'high' : 'low' },
    }));
    const { run } = scene(cases, {}, { siem: { severity: ['high'] } });
    expect((await run()).sinks).toMatchObject([{ given: 0, missing: 0, filtered: 3 }]);
    expect((await run({ byPresentMatch: true })).sinks).toMatchObject([
      { given: 0, missing: 1, filtered: 2 },
    ]);
  });

  it('compares from where the source began, and as far as it has been read, and says so', async () => {
    const { run, world } = scene([{ time: '08:10:00', fates: { siem: 'unread' } }], {
      start: at('09:00:00'),
      watermark: at('10:00:00'),
    });
    expect(await run()).toMatchObject({
      from: '2025-03-04T09:00:00.0000000Z',
      to: '2025-03-04T10:00:00.0000001Z',
      listed: 0,
      notes: [
        'what was updated before 2025-03-04T09:00:00Z was never wanted (startFrom)',
        'from 2025-03-04T10:00:00Z on it has not been read yet',
      ],
    });
    world.unread();
    expect(await run()).toMatchObject({ listed: 0, complete: true, notes: ['it has never been read'] });
  });

  it('tells what could not be read, and does not take what stands there for gone', async () => {
    const { run, world } = scene([]);
    world.extra = [{ hourMs: Date.parse('2025-03-04T08:00:00Z'), replaced: 1, gone: 2 }];
    const gone = { hour: '2025-03-04T08:00:00.000Z', replaced: 3, gone: 6 };
    expect((await run()).extra).toEqual([gone]);
    const detail = 'Graph answers HTTP 500';
    world.before = (window) =>
      Object.assign(window, { unread: { at: window.from, to: window.to, reason: 'unreadable', detail } });
    const found = await run();
    expect(found.extra).toEqual([]);
    expect(found.unread).toHaveLength(3);
    expect(found.unread[0]).toEqual({
      from: '2025-03-04T08:00:00.0000000Z',
      to: '2025-03-04T09:00:00.0000000Z',
      count: null,
      detail,
    });
  });

  it('puts in the journal what is missing: for all what was never read, for a sink what it alone was not given', async () => {
    const { run, world } = scene(
      [
        { time: '08:10:00', fates: { siem: 'unread', lake: 'unread' } },
        { time: '08:20:00', fates: { siem: 'given', lake: 'in-gap' } },
        { time: '08:30:00', fates: { siem: 'given', lake: 'given' } },
        { time: '08:40:00', fates: { siem: 'waiting', lake: 'unknown' } },
        { time: '09:10:00', fates: { siem: 'given', lake: 'in-gap' } },
        { time: '09:20:00', fates: { siem: 'unread', lake: 'unread' }, more: { severity: 'low' } },
      ],
      {},
      { siem: { severity: ['high'] } },
    );
    const found = await run({ fix: true });
    const key = { source: 'alerts', tenant: 'contoso', updates: 'all' };
    expect(world.repairs.map(({ records, ...rest }) => [rest, records.map(({ id }) => id)])).toEqual([
      [key, ['a0']],
      [{ ...key, sink: 'lake' }, ['a1']],
      [key, ['a5']],
      [{ ...key, sink: 'lake' }, ['a4']],
    ]);
    expect(found.sinks).toMatchObject([
      { sink: 'siem', missing: 1, repaired: 1 },
      { sink: 'lake', missing: 4, repaired: 4 },
    ]);
    expect(found.left).toEqual([]);
  });

  it('K6: says what it had to leave, and why', async () => {
    const { run, world } = scene([{ time: '08:10:00', fates: { siem: 'given', lake: 'in-gap' } }]);
    world.repairing = () => ({ records: 0, why: 'no-room' });
    expect(await run({ fix: true })).toMatchObject({
      sinks: [{ missing: 0 }, { missing: 1, repaired: 0 }],
      left: [{ sink: 'lake', why: 'no-room', records: 1 }],
    });
  });

  it('asked to stop it says how far it came; what else ends it is thrown', async () => {
    const { run, world, stop } = scene([{ time: '08:10:00', fates: { siem: 'given' } }]);
    world.before = () => {
      if (world.windows.length < 1) return;
      stop.abort();
      throw abortError(stop.signal);
    };
    expect(await run()).toMatchObject({
      complete: false,
      to: '2025-03-04T09:00:00.0000000Z',
      listed: 1,
      sinks: [{ given: 1 }],
    });
    world.before = () => {
      throw new UnavailableError('Graph refuses', { reason: 'auth' });
    };
    await expect(run()).rejects.toThrow('Graph refuses');
  });
});
