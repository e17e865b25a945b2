import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import * as promises from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { UnavailableError } from '../../../src/core/errors.ts';
import { isAbort, wait } from '../../../src/lib/wait.ts';
import type { Sync } from '../../../src/sinks/file/file-sink.ts';
import type { FileSystem } from '../../../src/sinks/file/system.ts';
import { describeSinkContract, rendered } from '../../contracts/sink.contract.ts';
import { testFolder } from '../../support/folder.ts';
import { utf8 } from '../../support/utf8.ts';
import {
  aFileSink,
  allLines,
  asidesOf,
  deliver,
  failure,
  linesOf,
  never,
  noRotation,
  numbers,
  watchedFs,
} from './files.ts';

for (const fsync of ['always', 'interval', 'never'] satisfies Sync[]) {
  describeSinkContract(`file with fsync ${fsync}`, { confirmsAtOnce: fsync !== 'interval' }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'relay-file-'));
    const path = join(folder, 'alerts.log');
    let isBroken = false;
    const fs = watchedFs((call) => {
      if (isBroken && call !== 'close') throw failure('EIO');
    });
    return {
      sink: aFileSink(path, { fsync, fs }),
      arrived: () => linesOf(readFileSync(path, 'utf8')),
      breakDown: () => {
        isBroken = true;
      },
      mend: () => {
        isBroken = false;
      },
      stop: async () => rmSync(folder, { recursive: true }),
    };
  });
}

let folder: string;
let path: string;
beforeEach(() => {
  folder = testFolder();
  path = join(folder, 'alerts.log');
});
const text = () => readFileSync(path, 'utf8');

describe('FileSink', () => {
  it('confirms only what is on disk: fsync of the file, and of its folder when it is opened', async () => {
    const calls: string[] = [];
    const sink = aFileSink(path, { fs: watchedFs((call) => void calls.push(call)) });
    await sink.open(never);
    expect(calls.splice(0)).toEqual(['open', 'open', 'chmod', 'open', 'sync', 'close', 'readdir']);
    await (await sink.send(rendered(2), never)).confirmed;
    expect(calls.filter((call) => ['write', 'sync'].includes(call))).toEqual(['write', 'sync']);
    await sink.close();
  });

  it('forces several batches to disk with one fsync when `interval` is wanted', async () => {
    const calls: string[] = [];
    const fs = watchedFs((call) => void calls.push(call));
    const sink = aFileSink(path, { fsync: 'interval', fs });
    await sink.open(never);
    calls.length = 0;
    const receipts = [];
    for (const from of [1, 2, 3]) receipts.push((await sink.send(rendered(1, from), never)).confirmed);
    await Promise.all(receipts);
    expect(calls.filter((call) => call === 'sync')).toHaveLength(1);
    await sink.close();
  });

  it('tells when a confirmation takes too long', async () => {
    const { promise: stuck, resolve: letGo } = Promise.withResolvers<void>();
    const fs = {
      ...promises,
      open: async (...args: Parameters<typeof promises.open>) =>
        Object.assign(await promises.open(...args), args[0] === path && { sync: () => stuck }),
    };
    const sink = aFileSink(path, { fsync: 'interval', intervalMs: 1, timeoutMs: 20, fs });
    await sink.open(never);
    const { confirmed } = await sink.send(rendered(1), never);
    await expect(confirmed).rejects.toThrow('could not be forced to disk within 20 ms');
    // Nor does the end of the session wait for it.
    await sink.close();
    letGo();
  });

  it('appends to what is there, and makes a file with the permissions that were asked for', async () => {
    const umask = process.umask(0o077);
    try {
      const sink = aFileSink(path);
      await sink.open(never);
      await deliver(sink, rendered(1));
      await sink.close();
      await sink.open(never);
      await deliver(sink, rendered(1, 2));
      await sink.close();
    } finally {
      process.umask(umask);
    }
    expect(text()).toBe('event 1\nevent 2\n');
    expect(statSync(path).mode & 0o777).toBe(0o640);
  });

  it('keeps the permissions of a file that others have made', async () => {
    writeFileSync(path, '', { mode: 0o600 });
    const sink = aFileSink(path);
    await sink.open(never);
    await sink.close();
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });
});

describe('a line that was cut short', () => {
  it('is ended, not cut off, after a crash: who has read half of it goes on from there', async () => {
    writeFileSync(path, 'event 1\nevent 2 is cut sho');
    const sink = aFileSink(path);
    await sink.open(never);
    await deliver(sink, rendered(2, 2));
    expect(text()).toBe('event 1\nevent 2 is cut sho\nevent 2\nevent 3\n');
    await sink.close();
  });

  /** Takes so many bytes, then says that the disk is full; as the kernel does it. */
  const aDisk = (...room: number[]) => {
    const open = async (...args: Parameters<typeof promises.open>) => {
      const handle = await promises.open(...args);
      const write = handle.write.bind(handle);
      const limited = async (bytes: Buffer, offset = 0) => {
        const left = room[0] ?? Number.POSITIVE_INFINITY;
        if (left === 0) {
          room.shift();
          throw failure('ENOSPC');
        }
        const length = Math.min(left, bytes.length - offset);
        if (room.length > 0) room[0] = left - length;
        return write(bytes, offset, length);
      };
      return Object.assign(handle, { write: limited });
    };
    return { ...promises, open } as typeof promises;
  };

  it('is carried on where a full disk has stopped it: no line is torn and none comes twice', async () => {
    const sink = aFileSink(path, { fs: aDisk(20, 3, 0) });
    for (let tries = 0; tries < 3; tries++) {
      await sink.open(never);
      await expect(sink.send(rendered(4), never)).rejects.toThrow('the disk is full (ENOSPC)');
      await sink.close();
    }
    expect(text()).toBe('event 1\nevent 2\nevent 3');
    await sink.open(never);
    await deliver(sink, rendered(5));
    expect(linesOf(text())).toEqual(numbers(1, 5));
    await sink.close();
  });

  it('is carried on also when fewer records come again at a time', async () => {
    const sink = aFileSink(path, { fs: aDisk(20) });
    await sink.open(never);
    await expect(sink.send(rendered(4), never)).rejects.toThrow(UnavailableError);
    await sink.close();
    await sink.open(never);
    for (const from of [1, 2, 3, 4, 5]) await deliver(sink, rendered(1, from));
    expect(linesOf(text())).toEqual(numbers(1, 5));
    await sink.close();
  });

  it.each([
    ['something else comes first', () => {}, 'event 1\nevent 2\nevent 3\nevent 9\n'],
    [
      'others have written meanwhile',
      () => appendFileSync(path, '+'),
      'event 1\nevent 2\nevent 3+\nevent 9\n',
    ],
    ['the file was cut', () => truncateSync(path, 18), 'event 1\nevent 2\nev\nevent 9\n'],
  ])('is ended when %s', async (_, meanwhile, expected) => {
    const sink = aFileSink(path, { fs: aDisk(23) });
    await sink.open(never);
    await expect(sink.send(rendered(4), never)).rejects.toThrow(UnavailableError);
    await sink.close();
    meanwhile();
    await sink.open(never);
    await deliver(sink, rendered(1, 9));
    expect(text()).toBe(expected);
    await sink.close();
  });

  it('comes again whole after a failed fsync: the kernel has forgotten what it could not write', async () => {
    let isBroken = true;
    const fs = watchedFs((call) => {
      if (isBroken && call === 'sync') throw failure('EIO');
    });
    const sink = aFileSink(path, { fs });
    isBroken = false;
    await sink.open(never);
    isBroken = true;
    await expect(sink.send(rendered(2), never)).rejects.toThrow('the disk reports an error (EIO)');
    await sink.close();
    isBroken = false;
    await sink.open(never);
    await deliver(sink, rendered(2));
    expect(linesOf(text())).toEqual([...numbers(1, 2), ...numbers(1, 2)]);
    await sink.close();
  });

  it.each([
    ['before', true],
    ['after', false],
  ])(
    'does not come twice when a send was let go of and was written all the same, %s the sink was closed',
    async (_, isBefore) => {
      const { promise: held, resolve: letGo } = Promise.withResolvers<void>();
      const fs = {
        ...promises,
        open: async (...args: Parameters<typeof promises.open>) => {
          const handle = await promises.open(...args);
          const sync = handle.sync.bind(handle);
          return Object.assign(handle, args[0] === path && { sync: () => held.then(sync) });
        },
      };
      const sink = aFileSink(path, { fs });
      const stop = new AbortController();
      await sink.open(never);
      const sending = sink.send(rendered(3), stop.signal);
      await expect.poll(() => text()).toContain('event 3');
      stop.abort();
      await expect(sending).rejects.toSatisfy(isAbort);
      if (isBefore) {
        letGo();
        // A no-op, when its turn has come.
        await sink.open(never);
      }
      await sink.close();
      letGo();
      await sink.open(never);
      await deliver(sink, rendered(4));
      expect(linesOf(text())).toEqual(numbers(1, 4));
      // Told once it is no longer owed: the same record again, by a replay, is written again.
      await deliver(sink, rendered(4));
      expect(linesOf(text())).toEqual([...numbers(1, 4), ...numbers(1, 4)]);
      await sink.close();
    },
  );
});

describe('a file that others move, cut and delete', () => {
  it.each(['always', 'interval', 'never'] satisfies Sync[])(
    'is opened anew, without a signal (fsync %s)',
    async (fsync) => {
      const sink = aFileSink(path, { fsync });
      await sink.open(never);
      const first = await sink.send(rendered(2), never);
      renameSync(path, `${path}-1`);
      await deliver(sink, rendered(2, 3));
      await first.confirmed;
      unlinkSync(path);
      writeFileSync(path, '', { mode: 0o600 });
      await deliver(sink, rendered(2, 5));
      expect(readFileSync(`${path}-1`, 'utf8')).toBe('event 1\nevent 2\n');
      expect(linesOf(text())).toEqual(numbers(5, 6));
      await sink.close();
    },
  );

  it.each(['always', 'interval'] satisfies Sync[])(
    'is let go of when the sink is told so, also with nothing to write (fsync %s)',
    async (fsync) => {
      const calls: string[] = [];
      const fs = watchedFs((call) => void calls.push(call));
      const sink = aFileSink(path, { fsync, fs, intervalMs: 60_000 });
      await sink.reopen();
      await sink.open(never);
      await sink.reopen();
      const { confirmed } = await sink.send(rendered(1), never);
      renameSync(path, `${path}.1`);
      calls.length = 0;
      await sink.reopen();
      expect(await confirmed).toEqual({ refused: [] });
      // The old one, and the folder.
      expect(calls.filter((call) => call === 'close')).toHaveLength(2);
      expect(text()).toBe('');
      await deliver(sink, rendered(1, 2));
      expect([readFileSync(`${path}.1`, 'utf8'), text()]).toEqual(['event 1\n', 'event 2\n']);
      await sink.close();
    },
  );

  it('that cannot be opened when the sink is told so is heard of at the next send', async () => {
    const inner = join(folder, 'inner');
    mkdirSync(inner);
    const sink = aFileSink(join(inner, 'alerts.log'));
    await sink.open(never);
    renameSync(inner, `${inner}.1`);
    await sink.reopen();
    await expect(sink.send(rendered(1), never)).rejects.toThrow('does not exist');
    mkdirSync(inner);
    await sink.open(never);
    await deliver(sink, rendered(1));
    await sink.close();
  });

  it('is left to whoever moved it to be replaced', async () => {
    const sink = aFileSink(path);
    await sink.open(never);
    await deliver(sink, rendered(1));
    const { ino } = statSync(path);
    renameSync(path, `${path}-1`);
    // As logrotate's `create` does, with O_EXCL: it takes a file that is there already for one in its way.
    const replaced = wait(50).then(() => writeFileSync(path, '', { flag: 'wx', mode: 0o600 }));
    await Promise.all([deliver(sink, rendered(1, 2)), replaced]);
    expect(text()).toBe('event 2\n');
    expect(statSync(path)).toMatchObject({ mode: 0o100600 });
    expect(statSync(path).ino).not.toBe(ino);
    await sink.close();
  });

  it('counts for nothing when it was moved in the very moment of the write: the batch is in the next one too', async () => {
    let isNext = false;
    const fs = watchedFs((call) => {
      if (call !== 'write' || !isNext) return;
      isNext = false;
      renameSync(path, `${path}-1`);
    });
    const sink = aFileSink(path, { fs });
    await sink.open(never);
    isNext = true;
    await deliver(sink, rendered(2));
    expect(text()).toBe('event 1\nevent 2\n');
    expect(readFileSync(`${path}-1`, 'utf8')).toBe('event 1\nevent 2\n');
    await sink.close();
  });

  it('is given up when it is another one each time, as on a network file system without lasting numbers', async () => {
    let count = 0n;
    const stat = async () => ({ dev: 1n, ino: count++, size: 0n, mtimeMs: 0n });
    const sink = aFileSink(path, { fs: { ...promises, stat } as unknown as typeof promises });
    await sink.open(never);
    await expect(sink.send(rendered(1), never)).rejects.toThrow('is another file each time');
    await sink.close();
  });

  it('may be copied and truncated: no hole of NULs, and no line is torn', async () => {
    const sink = aFileSink(path);
    await sink.open(never);
    await deliver(sink, rendered(3));
    truncateSync(path);
    await deliver(sink, rendered(2, 4));
    expect(text()).toBe('event 4\nevent 5\n');
    await sink.close();
  });
});

describe('a file that cannot be written', () => {
  const refusal = async (to: string) => {
    const sink = aFileSink(to);
    const error: unknown = await sink.open(never).catch((caught: unknown) => caught);
    await sink.close();
    expect(error).toBeInstanceOf(UnavailableError);
    return (error as UnavailableError).message;
  };

  it.each<[string, (at: string) => string, string]>([
    ['a missing folder', (at) => join(at, 'no/alerts.log'), '/no does not exist. Make it, and let user'],
    ['a file for a folder', (at) => join(at, 'file/alerts.log'), 'is not a folder. Change "path"'],
    ['a folder', (at) => at, 'it is a folder. Give "path" a file name'],
    [
      'a pipe without reader',
      (at) => join(at, 'pipe'),
      'not a regular file but a pipe, a socket or a device',
    ],
    ['a device', () => '/dev/null', 'not a regular file but a pipe, a socket or a device'],
    ['a link', (at) => join(at, 'link'), 'it is a symbolic link'],
    ['standard output', () => '/dev/stdout', 'for standard output use "type: stdout"'],
  ])('says what to do: %s', async (_, to, expected) => {
    writeFileSync(join(folder, 'file'), '');
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    symlinkSync(join(folder, 'file'), join(folder, 'link'));
    expect(await refusal(to(folder))).toContain(expected);
  });

  it.each([
    ['ENOSPC', 'throttled', 'the disk is full (ENOSPC). Make room'],
    ['EDQUOT', 'throttled', 'is used up (EDQUOT). Make room'],
    ['EFBIG', 'throttled', '(EFBIG). Set a smaller "rotate.size"'],
    ['EROFS', 'auth', 'read-only (EROFS)'],
    ['EACCES', 'auth', 'may not (EACCES). It needs to read and write the file, and to make files in'],
    ['EIO', 'other', 'the disk reports an error (EIO)'],
  ])('says what to do and whose fault it is not: %s', async (code, reason, expected) => {
    const sink = aFileSink(path, {
      fs: watchedFs((call) => {
        if (call === 'write') throw failure(code);
      }),
    });
    await sink.open(never);
    const error = await sink.send(rendered(1), never).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(UnavailableError);
    expect(error).toMatchObject({ reason, message: expect.stringContaining(expected) });
    await sink.close();
  });

  it('heals by itself', async () => {
    rmSync(folder, { recursive: true });
    const sink = aFileSink(path);
    await expect(sink.open(never)).rejects.toThrow('does not exist');
    mkdirSync(folder);
    await sink.open(never);
    await deliver(sink, rendered(1));
    rmSync(folder, { recursive: true });
    await expect(sink.send(rendered(1, 2), never)).rejects.toThrow('does not exist');
    await sink.close();
    mkdirSync(folder);
    await sink.open(never);
    await deliver(sink, rendered(1, 2));
    expect(text()).toBe('event 2\n');
    await sink.close();
  });

  it('is not held by a disk that does not answer', async () => {
    const { promise: stuck, resolve: letGo } = Promise.withResolvers<never>();
    let isStuck = true;
    const open = async (...args: Parameters<typeof promises.open>) => {
      const handle = await promises.open(...args);
      return Object.assign(handle, isStuck && { write: () => stuck });
    };
    const sink = aFileSink(path, { fs: { ...promises, open } as typeof promises });
    await sink.open(never);
    const stop = new AbortController();
    const sending = sink.send(rendered(1), stop.signal);
    stop.abort();
    await expect(sending).rejects.toSatisfy(isAbort);
    await sink.close();
    const late = new AbortController();
    const opening = sink.open(late.signal);
    late.abort();
    await expect(opening).rejects.toSatisfy(isAbort);
    isStuck = false;
    letGo({ bytesWritten: 8 } as never);
    await sink.open(never);
    await sink.close();
  });
});

describe('putting the file aside', () => {
  it('comes between two batches, and never leaves the file larger than wanted', async () => {
    const rotation = { maxBytes: 40, everyMs: undefined, keep: 100, compress: undefined };
    const sink = aFileSink(path, { rotation });
    await sink.open(never);
    for (let from = 1; from <= 30; from += 3) await deliver(sink, rendered(3, from));
    // Larger than a file may be.
    await deliver(sink, rendered(10, 31));
    await deliver(sink, rendered(1, 41));
    await sink.close();
    expect(allLines(path)).toEqual(numbers(1, 41));
    const sizes = asidesOf(path).map((file) => statSync(file).size);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(40);
  });

  describe('in the middle of a batch that is larger than a file may be', () => {
    const rotation = { ...noRotation, maxBytes: 30 };

    it.each(['always', 'interval', 'never'] satisfies Sync[])(
      'comes between two records, and all is on disk before it counts (fsync %s)',
      async (fsync) => {
        const calls: string[] = [];
        const fs = watchedFs((call) => void calls.push(call));
        const sink = aFileSink(path, { rotation, fsync, fs });
        await sink.open(never);
        calls.length = 0;
        const large = { ...rendered(1, 6)[0]!, events: utf8('event 6', 'x'.repeat(40)) };
        await deliver(sink, [...rendered(5), large, ...rendered(1, 7)]);
        const all = [...asidesOf(path), path].map((file) => readFileSync(file, 'utf8'));
        expect(all.map(linesOf)).toEqual([
          numbers(1, 3),
          numbers(4, 5),
          large.events.map(String),
          ['event 7'],
        ]);
        await sink.close();
        // Besides those of the folder, before which it is opened: each file is synced before it is put aside.
        const order = calls.filter((call) => ['write', 'sync', 'rename'].includes(call));
        const one = fsync === 'never' ? ['write', 'rename', 'sync'] : ['write', 'sync', 'rename', 'sync'];
        const end = fsync === 'never' ? ['write'] : ['write', 'sync'];
        expect(order).toEqual([...one, ...one, ...one, ...end]);
      },
    );

    it.each([1, 2, 7])(
      'goes on after a full disk where it stopped, with %i records at a time',
      async (size) => {
        let room = 37;
        const plain = watchedFs(() => {});
        const fs: FileSystem = {
          ...plain,
          open: async (...args) => {
            const handle = await promises.open(...args);
            const write = handle.write.bind(handle);
            const limited = async (bytes: Buffer, offset = 0) => {
              const fits = Math.min(bytes.length - offset, room);
              if (fits === 0) throw failure('ENOSPC');
              room -= fits;
              return write(bytes, offset, fits);
            };
            return Object.assign(handle, { write: limited });
          },
        };
        const sink = aFileSink(path, { rotation, fs });
        await sink.open(never);
        await expect(sink.send(rendered(7), never)).rejects.toThrow('ENOSPC');
        room = 1000;
        await sink.open(never);
        for (let from = 1; from <= 7; from += size)
          await deliver(sink, rendered(Math.min(size, 8 - from), from));
        expect(allLines(path)).toEqual(numbers(1, 7));
        await sink.close();
      },
    );

    it('writes anew what is another batch than the one that failed', async () => {
      let isFull = false;
      let writes = 0;
      const fs = watchedFs((call) => {
        if (call === 'write' && isFull && ++writes > 1) throw failure('ENOSPC');
      });
      const sink = aFileSink(path, { rotation, fs });
      await sink.open(never);
      isFull = true;
      await expect(sink.send(rendered(7), never)).rejects.toThrow('ENOSPC');
      isFull = false;
      await sink.open(never);
      await deliver(sink, rendered(7, 2));
      expect(allLines(path)).toEqual([...numbers(1, 3), ...numbers(2, 8)]);
      await sink.close();
    });
  });

  it('comes with the first batch of a new period, also after a restart', async () => {
    const day = 86_400_000;
    let now = Date.now();
    const rotation = { maxBytes: undefined, everyMs: day, keep: 7, compress: undefined };
    const sink = aFileSink(path, { rotation, now: () => now });
    await sink.open(never);
    await deliver(sink, rendered(1));
    await deliver(sink, rendered(1, 2));
    expect(asidesOf(path)).toEqual([]);
    await sink.close();
    now += day;
    await sink.open(never);
    await deliver(sink, rendered(1, 3));
    expect(text()).toBe('event 3\n');
    expect(asidesOf(path)).toHaveLength(1);
    await sink.close();
  });

  it('confirms what is in the file that is put aside', async () => {
    const rotation = { maxBytes: 10, everyMs: undefined, keep: 7, compress: undefined };
    const sink = aFileSink(path, { rotation, fsync: 'interval', intervalMs: 3_600_000 });
    await sink.open(never);
    const first = await sink.send(rendered(1), never);
    const second = await sink.send(rendered(1, 2), never);
    expect(await first.confirmed).toEqual({ refused: [] });
    await sink.confirm(never);
    await second.confirmed;
    await sink.close();
  });

  it('that is not possible is told once, and the file grows on', async () => {
    let isBroken = true;
    const fs = watchedFs((call) => {
      if (isBroken && call === 'rename') throw failure('EACCES');
    });
    const log = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
    const rotation = { maxBytes: 20, everyMs: undefined, keep: 7, compress: undefined };
    const sink = aFileSink(path, { rotation, fs, log });
    await sink.open(never);
    for (let from = 1; from <= 5; from++) await deliver(sink, rendered(1, from));
    expect(linesOf(text())).toEqual(numbers(1, 5));
    expect(log.warn).toHaveBeenCalledOnce();
    expect(sink.notes()).toEqual([expect.stringContaining('cannot be put aside and grows on: EACCES')]);
    isBroken = false;
    await deliver(sink, rendered(1, 6));
    expect(text()).toBe('event 6\n');
    expect(sink.notes()).toEqual([]);
    await sink.close();
  });

  it('deletes what is more than is to be kept, and nothing that is not its own', async () => {
    const others = [
      'alerts.log-old',
      'alerts.log.1',
      'alerts.log-20260304T101500.123Z.bak',
      'other.log-20260304T101500.123Z',
    ];
    for (const name of others) writeFileSync(join(folder, name), 'x\n');
    const rotation = { maxBytes: 10, everyMs: undefined, keep: 3, compress: undefined };
    const sink = aFileSink(path, { rotation });
    await sink.open(never);
    for (let from = 1; from <= 9; from++) await deliver(sink, rendered(1, from));
    // Beside the three, the two that only look like its own.
    await expect.poll(() => asidesOf(path).length).toBe(5);
    await sink.close();
    expect(others.every((name) => existsSync(join(folder, name)))).toBe(true);
    for (const name of others) unlinkSync(join(folder, name));
    expect(allLines(path)).toEqual(numbers(6, 9));
  });
});
