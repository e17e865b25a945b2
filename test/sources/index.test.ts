import { describe, expect, it } from 'vitest';
import { ticksOfMs } from '../../src/core/ticks.ts';
import { formatCheckpoint } from '../../src/sources/graph-alerts/checkpoint.ts';
import { progressOf } from '../../src/sources/index.ts';

describe('progressOf()', () => {
  const checkpoint = formatCheckpoint({
    start: 0n,
    watermark: ticksOfMs(5_000) + 9n,
    readAt: { overlap: 1, sweep: 2 },
    open: [{ kind: 'sweep', from: ticksOfMs(1_000), to: ticksOfMs(4_000), begun: 4_500 }],
    unreadable: [{ from: ticksOfMs(2_000), to: ticksOfMs(2_001), retryAt: 9_000 }],
  });

  it('tells where a checkpoint of a source stands', () => {
    expect(progressOf('graph-alerts', checkpoint)).toEqual({
      watermarkMs: 5_000,
      open: [{ reading: 'sweep', begunMs: 4_500, fromMs: 1_000, toMs: 4_000 }],
      setAside: 1,
    });
  });

  it.each([
    ['no source that we know', 'graph-hearsay', checkpoint],
    ['something else', 'graph-alerts', 'somewhere'],
    ['another version', 'graph-alerts', checkpoint.replace('"version":3', '"version":4')],
  ])('does not guess where one of %s does', (_, type, text) => {
    expect(progressOf(type, text)).toBeUndefined();
  });
});
