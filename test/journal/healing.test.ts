import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { JournalError, JournalUnavailableError } from '../../src/core/errors.ts';
import { pathsIn } from '../../src/journal/database.ts';
import { Healing } from '../../src/journal/healing.ts';
import { Keeper } from '../../src/journal/keeper.ts';
import type { JournalNotice } from '../../src/journal/protocol.ts';
import { openStore, type Store } from '../../src/journal/store.ts';
import { aDirectory, aPage, aStore, DAY_MS, MIB, someRecords } from './harness.ts';

/** As SQLite says it. */
const sqlite = (errcode: number, message: string) => Object.assign(new Error(message), { errcode });
const eio = sqlite(1034, 'disk I/O error');
const full = sqlite(13, 'database or disk is full');

describe('Healing', () => {
  let directory: ReturnType<typeof aDirectory>;
  let notices: JournalNotice[];
  /** What opening fails with. */
  let refusal: Error | undefined;
  /** Whether there is room for a ballast. */
  let room: boolean;
  let ballast: boolean;
  let opened: Store[];
  let keeper: Keeper;
  beforeEach(() => {
    vi.useFakeTimers();
    directory = aDirectory();
    [notices, refusal, room, ballast, opened] = [[], undefined, true, true, []];
  });
  afterEach(() => {
    vi.useRealTimers();
    try {
      opened.at(-1)?.close();
    } catch {
      // It was given up.
    }
    keeper.close();
    directory[Symbol.dispose]();
  });

  function heal() {
    const options = { directory: directory.state, maxBytes: 64 * MIB, retentionMs: DAY_MS, version: '1.0.0' };
    const open = () => {
      if (refusal) throw refusal;
      opened.push(openStore(options, () => {}));
      return opened.at(-1)!;
    };
    opened.push(aStore(options, () => {}));
    keeper = new Keeper(pathsIn(directory.state).journal);
    return new Healing(opened.at(-1)!, {
      directory: directory.state,
      open,
      ballast: {
        get isThere() {
          return ballast;
        },
        make() {
          ballast ||= room;
          return ballast;
        },
        giveUp() {
          const was = ballast;
          ballast = false;
          return was;
        },
      },
      notify: (notice) => notices.push(notice),
      steady: () => performance.now(),
    });
  }

  /** What was told, in short. */
  const told = () =>
    notices.map((notice) => {
      if ('fault' in notice) return notice.fault ? (notice.fault.usable ? 'full' : 'down') : 'well';
      return 'lost' in notice ? `lost: ${notice.lost}` : 'level' in notice ? notice.level : 'paused';
    });
  const append = (healing: Healing, id: string) =>
    healing.run((store) => store.commit(() => void store.append(aPage(someRecords([id])))));
  const fail = (healing: Healing, error: Error) =>
    healing.run((store) => {
      // As when a commit fails: what was put in before it is there, or is not.
      store.commit(() => void store.append(aPage(someRecords(['unknown']))));
      throw error;
    });
  const records = (healing: Healing) => healing.run((store) => store.stats().records);

  it('K1: after an I/O error does nothing before the journal has been opened again from what is on disk', () => {
    const healing = heal();
    append(healing, 'a');
    expect(() => fail(healing, eio)).toThrow(JournalUnavailableError);
    expect(() => records(healing)).toThrow(/cannot be used: disk I\/O error.*goes on by itself/);
    expect(() => healing.checkRoom()).toThrow(JournalUnavailableError);
    expect(opened).toHaveLength(1);
    vi.advanceTimersByTime(1_000);
    expect(opened).toHaveLength(2);
    expect(records(healing)).toBe(2);
    healing.checkRoom();
    expect(told()).toEqual(['down', 'error', 'well', 'info']);
  });

  it('tries again without end, and tells a fault once for as long as it lasts', () => {
    const healing = heal();
    refusal = sqlite(8, 'attempt to write a readonly database');
    expect(() => fail(healing, refusal!)).toThrow(JournalUnavailableError);
    vi.advanceTimersByTime(3_600_000);
    refusal = undefined;
    vi.advanceTimersByTime(10_000);
    expect(records(healing)).toBe(1);
    expect(told().filter((notice) => notice !== 'down')).toEqual(['error', 'well', 'info']);
    expect(notices.at(-1)).toMatchObject({ message: expect.stringMatching(/well again, after 1h/) });
  });

  it('Q9: gives up the ballast when the disk is full: sinks go on, nothing is appended until there is room again', () => {
    const healing = heal();
    room = false;
    expect(() => fail(healing, full)).toThrow(/is full, or nearly so.*sinks are given/);
    expect(ballast).toBe(false);
    expect(records(healing)).toBe(1);
    expect(() => healing.checkRoom()).toThrow(JournalUnavailableError);
    vi.advanceTimersByTime(60_000);
    expect(() => healing.checkRoom()).toThrow(JournalUnavailableError);
    room = true;
    vi.advanceTimersByTime(10_000);
    healing.checkRoom();
    expect(ballast).toBe(true);
    expect(told().filter((notice) => notice !== 'full')).toEqual(['down', 'error', 'well', 'info']);
  });

  it('Q9: is down when the disk is full and there is no ballast any more', () => {
    const healing = heal();
    room = false;
    expect(() => fail(healing, full)).toThrow(JournalUnavailableError);
    refusal = full;
    expect(() => fail(healing, full)).toThrow(JournalUnavailableError);
    expect(() => records(healing)).toThrow(/cannot be used: .*full/);
    refusal = undefined;
    vi.advanceTimersByTime(10_000);
    expect(records(healing)).toBe(1);
    expect(() => healing.checkRoom()).toThrow(JournalUnavailableError);
  });

  it('pauses the sources from the start when there is no room for a ballast', () => {
    room = false;
    ballast = false;
    const healing = heal();
    expect(told()).toEqual(['full', 'error']);
    expect(records(healing)).toBe(0);
    expect(() => healing.checkRoom()).toThrow(JournalUnavailableError);
  });

  it('is lost when what comes back is not the journal that went', () => {
    const healing = heal();
    expect(() => fail(healing, eio)).toThrow(JournalUnavailableError);
    for (const file of ['', '-wal', '-shm'])
      rmSync(`${pathsIn(directory.state).journal}${file}`, { force: true });
    vi.advanceTimersByTime(1_000);
    expect(told().at(-1)).toMatch(/^lost: .*journal.db is missing.*mv /);
    expect(() => records(healing)).toThrow(JournalError);
    vi.advanceTimersByTime(600_000);
    expect(opened).toHaveLength(1);
  });

  it('is lost when an older one comes back', () => {
    const healing = heal();
    append(healing, 'a');
    append(healing, 'b');
    expect(() =>
      healing.run(() => {
        throw eio;
      }),
    ).toThrow(JournalUnavailableError);
    for (const file of ['', '-wal', '-shm'])
      rmSync(`${pathsIn(directory.state).journal}${file}`, { force: true });
    const options = { directory: directory.state, maxBytes: 64 * MIB, retentionMs: DAY_MS, version: '1.0.0' };
    aStore(options, () => {}).close();
    vi.advanceTimersByTime(1_000);
    expect(told().at(-1)).toMatch(/^lost: .*ends at batch 0, and batch 2 was there before/);
  });

  it.each([
    ['of a broken journal', sqlite(11, 'database disk image is malformed'), /malformed.*mv /],
    ['that nobody foresaw', new TypeError('a bug'), /a bug/],
  ])('is lost after an error %s', (_, error, message) => {
    const healing = heal();
    expect(() => fail(healing, error)).toThrow(message);
    expect(() => records(healing)).toThrow(JournalError);
    expect(vi.getTimerCount()).toBe(0);
  });
});
