import { afterEach, expect, it, vi } from 'vitest';
import { aDirectory, aPage, ids, open, someRecords } from './harness.ts';

afterEach(() => void vi.useRealTimers());

it('K2: a step that comes while others are on their way to a slow disk is stored, too', async () => {
  using directory = aDirectory();
  const journal = await open(directory.state);
  await journal.register([{ name: 'siem', startFrom: 'journal', shape: 'cef' }]);
  await journal.append(aPage(someRecords(ids(9))));
  /** As soon as all is on disk that was sent there. */
  const pending = async () => {
    await journal.append(aPage([]));
    return (await journal.stats()).sinks[0]?.pending;
  };
  const advance = (index: number) =>
    journal.advance({ sink: 'siem', cursor: { batch: 1, index }, sequence: index + 1, refused: [] });
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  advance(0);
  vi.advanceTimersByTime(100);
  // The first step is being stored now, and its disk takes longer than it is from one store to the next.
  advance(1);
  vi.advanceTimersByTime(100);
  expect(await pending()).toBe(8);
  advance(2);
  vi.advanceTimersByTime(100);
  expect(await pending()).toBe(6);
  vi.useRealTimers();
  await journal.close();
});
