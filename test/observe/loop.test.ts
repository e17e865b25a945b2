import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { watchLoop } from '../../src/observe/loop.ts';

function scene() {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const lines: [object, string][] = [];
  const keep = (fields: object, message: string) => void lines.push([fields, message]);
  const log = { debug: keep, info: keep, warn: keep, error: keep };
  /** What the machine did not give us. */
  let stolen = 0;
  const watch = watchLoop(log, () => performance.now() + stolen);
  return {
    lines,
    watch,
    stall: (ms: number) => {
      stolen += ms;
    },
  };
}

describe('watchLoop()', () => {
  it('G25: tells when the process stood still, once', () => {
    const { lines, watch, stall } = scene();
    vi.advanceTimersByTime(60_000);
    stall(1_900);
    vi.advanceTimersByTime(1_000);
    expect(lines).toEqual([]);
    stall(75_000);
    vi.advanceTimersByTime(60_000);
    expect(lines).toEqual([
      [
        { lateMs: 75_000 },
        expect.stringMatching(/^nothing could be done for 1m 15s: the process got no time/),
      ],
    ]);
    watch.close();
    expect(vi.getTimerCount()).toBe(0);
  });
});
