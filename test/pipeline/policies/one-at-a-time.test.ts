import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OneAtATime } from '../../../src/pipeline/policies/one-at-a-time.ts';
import { aRecord } from '../../support/records.ts';

const of = (...ids: string[]) => ids.map((id) => aRecord({ id }));
const hasCome = async (comes: Promise<void>) => {
  let came = false;
  void comes.then(() => {
    came = true;
  });
  await new Promise(setImmediate);
  return came;
};

describe('OneAtATime', () => {
  it('lets everybody go at once who has no id in common with those before', async () => {
    const row = new OneAtATime();
    row.queue(of('a', 'b'));
    expect(await hasCome(row.queue(of('c')).comes)).toBe(true);
    expect(await hasCome(row.queue([aRecord({ id: 'a' }, { tenant: 'other' })]).comes)).toBe(true);
  });

  it('has who has wait for all before', async () => {
    const row = new OneAtATime();
    const first = row.queue(of('a'));
    const second = row.queue(of('b'));
    const third = row.queue(of('b', 'a', 'a'));
    const fourth = row.queue(of('a'));
    first.leave();
    expect(await hasCome(third.comes)).toBe(false);
    second.leave();
    expect(await hasCome(third.comes)).toBe(true);
    expect(await hasCome(fourth.comes)).toBe(false);
    third.leave();
    expect(await hasCome(fourth.comes)).toBe(true);
  });

  it('S1: never lets two go together that have an id in common, and in the end all have gone', async () => {
    const batches = fc.array(fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 3 }), {
      maxLength: 12,
    });
    await fc.assert(
      fc.asyncProperty(batches, fc.scheduler(), async (all, scheduler) => {
        const row = new OneAtATime();
        const out = new Set<readonly string[]>();
        const order = new Map<string, number[]>();
        const runs = all.map(async (ids, n) => {
          const turn = row.queue(of(...ids));
          await turn.comes;
          for (const other of out) expect(ids.filter((id) => other.includes(id))).toEqual([]);
          out.add(ids);
          for (const id of ids) order.set(id, [...(order.get(id) ?? []), n]);
          await scheduler.schedule(Promise.resolve());
          out.delete(ids);
          turn.leave();
        });
        await scheduler.waitFor(Promise.all(runs));
        for (const ns of order.values()) expect(ns).toEqual(ns.toSorted((a, b) => a - b));
      }),
      { numRuns: 200 },
    );
  });
});
