import { describe, expect, it } from 'vitest';
import { Targets, targetOf } from '../../../src/sinks/http/targets.ts';
import { collectLog } from '../../support/log.ts';

const MINUTE_MS = 60_000;

function three() {
  const clock = { ms: 0 };
  const all = ['https://a/in', 'https://b/in', 'https://c/in'].map(targetOf);
  const targets = new Targets(all, collectLog(), () => clock.ms);
  const order = () =>
    targets
      .inOrder()
      .map(({ host }) => host)
      .join('');
  return { clock, targets, all, order };
}

describe('Targets', () => {
  it('are in the order of the config; those that failed come last for a minute', () => {
    const { clock, targets, all, order } = three();
    expect(order()).toBe('abc');
    targets.failed(all[0]!);
    expect(order()).toBe('bca');
    clock.ms = MINUTE_MS;
    expect(order()).toBe('abc');
  });

  it('rest twice as long each time, up to an hour, until they work', () => {
    const { clock, targets, all, order } = three();
    const [a] = all;
    const rests: number[] = [];
    for (let n = 0; n < 8; n++) {
      targets.failed(a!);
      // Another request that was under way fails with it.
      targets.failed(a!);
      const from = clock.ms;
      while (order() !== 'abc') clock.ms += MINUTE_MS / 2;
      rests.push((clock.ms - from) / MINUTE_MS);
    }
    expect(rests).toEqual([1, 2, 4, 8, 16, 32, 60, 60]);
    targets.works(a!);
    targets.failed(a!);
    clock.ms += MINUTE_MS;
    expect(order()).toBe('abc');
  });
});
