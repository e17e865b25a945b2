import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { JournalUnavailableError } from '../../src/core/errors.ts';
import type { JournalStats } from '../../src/core/journal.ts';
import { watchStats } from '../../src/observe/look.ts';
import { collectLog } from '../support/log.ts';

const found = { bytes: 7 } as JournalStats;

describe('watchStats()', () => {
  it('looks at once and every ten seconds, and says when the journal does not answer', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const seen: (JournalStats | undefined)[] = [];
    const rarely = vi.fn(async () => {});
    let answers = true;
    const stats = async () => {
      if (!answers) throw new Error('lost');
      return found;
    };
    const watch = watchStats(stats, collectLog(), { often: (now) => void seen.push(now), rarely });
    await vi.advanceTimersByTimeAsync(0);
    answers = false;
    await vi.advanceTimersByTimeAsync(10_000);
    answers = true;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(seen).toEqual([found, undefined, found]);
    expect(rarely).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(600_000 - 20_000);
    expect(rarely).toHaveBeenCalledTimes(2);
    watch.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('tells what a look has failed of, unless it is the journal, and looks again', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const log = collectLog();
    const often = vi.fn(() => {
      throw new Error('a bug');
    });
    const rarely = () => Promise.reject(new JournalUnavailableError('the disk is full'));
    const watch = watchStats(async () => found, log, { often, rarely });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(often).toHaveBeenCalledTimes(2);
    expect(log.lines.map(({ level, message }) => [level, message])).toEqual([
      ['error', 'a look at how the relay is has failed unexpectedly'],
      ['error', 'a look at how the relay is has failed unexpectedly'],
    ]);
    watch.close();
  });
});
